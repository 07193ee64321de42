"""A pace for requests: evenly spaced places, handed out in the order of asking."""

import threading
import time
from collections.abc import Callable


class RequestRate:
    """Let at most ``rate`` requests a second begin, without bursts; shared by all threads."""

    def __init__(self, rate: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._gap = 1.0 / rate
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._next = monotonic()
        self._began = float("-inf")

    def reserve(self, *, before: float = float("inf")) -> float | None:
        """Take the next place and return the seconds until it; None if it is not before a time.

        A refused place is not taken. ``before`` is on the monotonic clock.
        """
        with self._lock:
            now = self._monotonic()
            place = max(now, self._next)
            if place >= before:
                return None
            self._next = place + self._gap
            return place - now

    def begin(self) -> float:
        """Begin a request at its place; return 0, or the seconds after which to try that again.

        Who is woken late comes closer to the next one than they were placed, and that one waits.
        """
        with self._lock:
            now = self._monotonic()
            early = self._began + self._gap - now
            if early > 0:
                return early
            self._began = now
            self._next = max(self._next, now + self._gap)
            return 0.0
