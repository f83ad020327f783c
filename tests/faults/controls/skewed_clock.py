"""Not a control: the real worker with a wall clock that is off by ``ATTRIBUTION_TEST_CLOCK_SKEW_S`` seconds."""

from __future__ import annotations

import os
import time

from cli.__main__ import main
from stream_app import worker

SKEW_US = round(float(os.environ["ATTRIBUTION_TEST_CLOCK_SKEW_S"]) * 1_000_000)
worker.clock_us = lambda: time.time_ns() // 1000 + SKEW_US
main()
