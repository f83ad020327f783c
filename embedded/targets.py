"""Where Prometheus can scrape the parts of a local stack, as it reads such files (``file_sd_configs``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from embedded.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping

#: In the data directory of the stack.
TARGETS_FILE: Final = "metrics-targets.json"
#: Parts whose program has another name.
_JOBS: Final = {"clickhouse": "facade"}


def scrape_targets(ports: Mapping[str, int]) -> list[dict[str, Any]]:
    """The file's content: ``job`` is the program, ``part`` what the stack calls it (``worker-0``)."""
    return [
        {
            "targets": [f"{LOOPBACK}:{port}"],
            "labels": {"job": _JOBS.get(name, name.partition("-")[0]), "part": name},
        }
        for name, port in ports.items()
    ]
