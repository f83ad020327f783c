"""Uses the compiled core where it was built from exactly these sources by ``python -m cli.compile_core``.

The extension modules lie in a folder beside the byte code, named by a hash of every source of this package and of the
interpreter. An edited source has another hash, so an old binary is never found: the sources run as they are.
``ATTRIBUTION_PURE_PYTHON=1`` switches the compiled core off. Importing this module decides, for the whole process.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from collections.abc import Sequence
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parent
SUFFIX: Final = str(sysconfig.get_config_var("EXT_SUFFIX"))
SWITCH: Final = "ATTRIBUTION_PURE_PYTHON"
#: What is compiled: where measurement found a gain. The rest stays as it is.
MODULES: Final = (
    "attribution.attribute",
    "attribution.conversions",
    "attribution.journey",
    "attribution.journey_bytes",
    "attribution.models.base",
    "attribution.models.milestones",
    "attribution.models.rules",
    "attribution.money",
)


def folder() -> Path:
    """Where the extension modules of these sources and this interpreter are, or would be."""
    digest = hashlib.sha256(f"{sys.version}{SUFFIX}{MODULES}".encode())
    for source in sorted(PACKAGE.rglob("*.py")):
        digest.update(f"\0{source.relative_to(PACKAGE)}\0".encode() + source.read_bytes())
    return PACKAGE / "__pycache__" / f"compiled-{digest.hexdigest()[:24]}"


class Finder:
    """Finds the extension modules of one folder; everything else is left to the others."""

    def __init__(self, where: Path) -> None:
        self._files = {path.name.removesuffix(SUFFIX): path for path in where.glob(f"*{SUFFIX}")}

    def is_complete(self) -> bool:
        """Whether every module is there, and not a part of them only."""
        return self._files.keys() >= set(MODULES)

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Called by the import system."""
        file = self._files.get(fullname)
        if file is None:
            return None
        return spec_from_file_location(fullname, file, loader=ExtensionFileLoader(fullname, str(file)))


def _state() -> tuple[bool, str]:
    if os.environ.get(SWITCH, "") not in {"", "0"}:
        return False, f"interpreted ({SWITCH} is set)"
    finder = Finder(folder())
    if not finder.is_complete():
        return False, "interpreted (not compiled from these sources; `python -m cli.compile_core` does it)"
    sys.meta_path.insert(0, finder)
    return True, f"compiled ({len(MODULES)} modules)"


#: Whether this process runs the compiled core, and the words for it.
IS_COMPILED, DESCRIPTION = _state()
