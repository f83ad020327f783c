"""What a worker says while it restores: how much, how far, how fast, how long still."""

from __future__ import annotations

from pathlib import Path

import rocksdict

from stream_app.recovery import _Progress
from stream_app.tables import PartitionState


def test_progress_counts_journeys_and_measures_the_way_in_offsets(tmp_path: Path) -> None:
    """A quarter of the offsets after 2 s leaves three quarters, 6 s; the sign of life names both ends."""
    beats: list[str] = []
    state = PartitionState(tmp_path / "0", rocksdict.Cache(1 << 20))
    progress = _Progress(3, state, beats.append)
    progress.bounds(100, 500)
    progress.apply({b"ada": b"1", b"bob": None}, 199)

    assert progress.text(199, 2.0) == "2 journeys, 25 %, 1 a second, about 6 s left"
    assert beats == ["partition 3 restored up to 199 of 500"]
    assert state.changelog_offset() == 199
    state.close()
