"""A clock whose time only changes when a test moves it."""

import threading

from exporter.base.clock import Clock


class HeldClock:
    """Wall and monotonic time, both held and moved together; safe to use from any thread."""

    def __init__(self, now: float) -> None:
        self._lock = threading.Lock()
        self._wall = now
        self._monotonic = 0.0
        self.clock = Clock(wall=self.wall, monotonic=self.monotonic)

    def wall(self) -> float:
        """Return the held wall time in unix seconds."""
        with self._lock:
            return self._wall

    def monotonic(self) -> float:
        """Return the held monotonic time in seconds."""
        with self._lock:
            return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        if seconds < 0:
            raise ValueError("a clock advances forwards; set() moves the wall clock back")
        with self._lock:
            self._wall += seconds
            self._monotonic += seconds

    def suspend(self, seconds: float) -> None:
        """Move only the wall clock forward, as when the machine is suspended."""
        with self._lock:
            self._wall += seconds

    def set(self, now: float) -> None:
        """Move the wall clock to an instant; the monotonic clock follows, but never backwards."""
        with self._lock:
            self._monotonic += max(0.0, now - self._wall)
            self._wall = now
