"""The one place where the version is written."""

from typing import Final

VERSION: Final = "0.1.0"
