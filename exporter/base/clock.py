"""A pair of clocks, passed as a parameter so that tests can replace it."""

import time
from collections.abc import Callable

from msgspec import Struct


class Clock(Struct, frozen=True, kw_only=True):
    """A wall clock for points in time and a monotonic clock for durations, both in seconds."""

    wall: Callable[[], float]
    monotonic: Callable[[], float]


SYSTEM_CLOCK = Clock(wall=time.time, monotonic=time.monotonic)
