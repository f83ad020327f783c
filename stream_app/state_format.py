"""Which versions may work on a partition: the newest format of journeys that may be in it is written beside them.

A worker that is newer says so in the changelog before its first journey, and the mark is restored with the journeys. So
an older one (after a rollback) learns it at its start, not when it meets the first journey that it cannot read.
"""

from __future__ import annotations

from attribution.journey_bytes import FORMAT_VERSION
from stream_app.state import DurableState
from stream_app.tables import FORMAT_KEY


class NewerStateError(RuntimeError):
    """The journeys are of a newer version of this program; the message has the way out."""


def claim(state: DurableState, name: str) -> None:
    """Say that this version writes to a restored partition. Blocks where that was not said yet.

    Raises:
        NewerStateError: a newer version did.
    """
    found = state.journey_format()
    if found > FORMAT_VERSION:
        raise NewerStateError(
            f"{name}: the journeys are of format {found}, this program writes {FORMAT_VERSION}: run the version that "
            "wrote them, or one that is newer (docs/upgrade.md)"
        )
    if found < FORMAT_VERSION:
        state.write({FORMAT_KEY: str(FORMAT_VERSION).encode()})
