"""A request rate that adapts to refusals, for all requests to one project.

The quota of a project is not published, and its consumers use it too. The rate therefore begins
low, rises slowly while requests wait, and is halved when the service refuses one.
"""

import math
import threading
import time
from collections.abc import Callable

START = 10.0
"""Requests per second that a project gets at first, and always if SLS does not refuse them."""
_FLOOR = 1.0
_RISE = 1.0  # per clean second
_CUT = 0.5
_SECOND = 1.0
_QUIET_SECONDS = 60.0  # without a refusal: the rate has recovered


class RequestRate:
    """Evenly spaced slots for requests, without bursts; shared by all threads.

    ``ceiling`` and ``start`` are requests per second. ``wait`` waits for an event, for some seconds
    at most, and returns whether it is set.
    """

    def __init__(
        self,
        ceiling: float,
        *,
        start: float = START,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        self.monotonic = monotonic
        """The clock of all instants here."""
        self.wait = wait
        """Waits on that clock."""
        self.needed: Callable[[], float] = lambda: math.inf
        """Requests per second that the waiting work needs to fit in its interval."""
        self.on_change: Callable[[float, bool], None] = lambda _limit, _is_lowered: None
        """Gets each new limit, and whether a refusal has lowered it within the last minute.

        It must not call this object.
        """
        self._lock = threading.Lock()
        self._ceiling = ceiling
        self._floor = min(_FLOOR, ceiling)
        self._start = max(start, _FLOOR)
        self._limit = min(self._start, ceiling)
        self._rate = self._limit  # in use
        self._needed = math.inf
        self._next = monotonic()
        self._began = -math.inf
        self._second_began = self._next
        self._has_waiting = False
        self._cut_at = -math.inf
        self._refused_at = -math.inf
        self._is_lowered = False

    @property
    def limit(self) -> float:
        """The allowed requests per second. The rate in use is lower if the work needs less."""
        return self._limit

    def reserve(self, *, before: float = math.inf) -> float | None:
        """Take the next slot and return the seconds until it, or None if it is not before a time.

        A slot that is not before that time stays free. ``before`` is on the monotonic clock.
        """
        self._end_second()
        with self._lock:
            now = self.monotonic()
            slot = max(now, self._next)
            if slot >= before:
                return None
            self._has_waiting = self._has_waiting or slot > now
            self._next = slot + 1.0 / self._rate
            return slot - now

    def begin(self) -> float:
        """Begin a request in its slot and return 0, or return the seconds to wait before a retry.

        A thread that wakes late is closer to the next slot, and the next thread waits longer.
        """
        self._end_second()
        with self._lock:
            now = self.monotonic()
            gap = 1.0 / self._rate
            early = self._began + gap - now
            if early > 0:
                self._has_waiting = True
                return early
            self._has_waiting = self._has_waiting or self._next > now + gap
            self._began = now
            self._next = max(self._next, now + gap)
            return 0.0

    def refused(self, sent: float) -> None:
        """Set the limit to half of the rate in use, once per flight of refused requests.

        ``sent`` is on the monotonic clock. A request that was sent before the last cut belongs to
        the flight that caused it.
        """
        with self._lock:
            now = self.monotonic()
            self._refused_at = now
            if sent <= self._cut_at:
                return
            self._cut_at = self._second_began = now
            self._has_waiting = False
            self._is_lowered = True
            self._change(self._rate * _CUT)

    def set_ceiling(self, ceiling: float) -> None:
        """Change the highest limit, keep the current one if that allows it, and report it."""
        with self._lock:
            self._ceiling = ceiling
            self._floor = min(_FLOOR, ceiling)
            self._change(self._limit, is_news=True)

    def _end_second(self) -> None:
        """Evaluate the second that has ended, if one has, and get the needed rate."""
        with self._lock:
            now = self.monotonic()
            began = self._second_began
            if now < began + _SECOND:
                return
            self._second_began = now
            has_waited, self._has_waiting = self._has_waiting, False
        needed = self.needed()  # It may use other locks.
        with self._lock:
            self._needed = needed
            is_clean = self._refused_at <= began
            is_rising = is_clean and has_waited and needed > self._limit
            has_recovered = self._is_lowered and now - self._refused_at >= _QUIET_SECONDS
            self._is_lowered = self._is_lowered and not has_recovered
            self._change(self._limit + _RISE * is_rising, is_news=has_recovered)

    def _change(self, limit: float, *, is_news: bool = False) -> None:
        """Set the limit, and space the slots by the rate in use; the queue keeps its length."""
        limit = min(max(limit, self._floor), self._ceiling)
        is_news = is_news or limit != self._limit
        rate = min(limit, max(self._start, self._needed))
        now = self.monotonic()
        if self._next > now:
            self._next = now + (self._next - now) * self._rate / rate
        self._limit, self._rate = limit, rate
        if is_news:
            self.on_change(limit, self._is_lowered)
