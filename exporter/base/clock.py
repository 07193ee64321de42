"""The two clocks that everything takes as a parameter, so that tests can hold them."""

import time
from collections.abc import Callable

from msgspec import Struct


class Clock(Struct, frozen=True, kw_only=True):
    """A wall clock for instants, a monotonic one for durations; both in seconds."""

    wall: Callable[[], float]
    monotonic: Callable[[], float]


SYSTEM_CLOCK = Clock(wall=time.time, monotonic=time.monotonic)
