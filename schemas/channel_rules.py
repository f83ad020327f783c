"""Reads channel rules from YAML: the GA4 rules of the package, or a file of the user.

Raises ``ChannelRulesError`` naming the file and the way out.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

import yaml

from attribution.channels import ChannelRules, ChannelRulesError

if TYPE_CHECKING:
    from pathlib import Path


#: libyaml's, where PyYAML was built with it: ten times as fast.
_SAFE: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_channel_rules(path: Path | None = None) -> ChannelRules:
    """Rules of the file, or the package's ``ga4.yaml`` when none is given (setting ``ATTRIBUTION_CHANNEL_RULES``)."""
    where = str(path) if path is not None else "ga4.yaml"
    try:
        text = (path or files("schemas") / "channels" / "ga4.yaml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ChannelRulesError(f"{where}: cannot be read ({error}); check ATTRIBUTION_CHANNEL_RULES") from None
    try:
        data = yaml.load(text, _SAFE)  # noqa: S506 - both loaders are safe ones
    except yaml.YAMLError as error:
        raise ChannelRulesError(f"{where}: is no YAML: {error}") from None
    return ChannelRules.from_mapping(data, where=where)
