"""Exit codes of a worker: why it ended, for whoever starts it again. Zero is an orderly stop.

After any other code nothing uncommitted has been lost: the next start begins at the committed offsets.
"""

from __future__ import annotations

from typing import Final

#: Too many invalid records: a human decides. Starting again changes nothing and harms nothing.
LIMIT_STOP: Final = 71
#: A failure after which nothing may be committed: fenced, refused, broken.
FAIL_STOP: Final = 70
#: The watchdog saw no progress.
NO_PROGRESS: Final = 75
#: An orderly stop took too long and was cut short.
STOP_TIMED_OUT: Final = 76
#: The state was written by a newer version: a restart cannot mend it.
NEWER_STATE: Final = 78
#: Another run is to be fed: start again, for that one.
RUN_CHANGED: Final = 77

#: One line each, as the supervisor prints them.
MEANING: Final = {
    LIMIT_STOP: "too many invalid records; see docs/operations.md, dead letters",
    FAIL_STOP: "stopped without a commit after a failure",
    NO_PROGRESS: "the watchdog saw no progress",
    STOP_TIMED_OUT: "an orderly stop took too long",
    RUN_CHANGED: "another run is to be fed",
    NEWER_STATE: "the state is of another version; see docs/upgrade.md",
}
