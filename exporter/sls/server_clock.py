"""The clock of an SLS server, from the times in its responses.

A single wrong time does not change it, since it uses the median of the last responses. They are
forgotten if the machine was suspended: then the server's clock and the exporter's wall clock have
both gone ahead of the monotonic clock, by the same time.
"""

import re
import threading
from collections import deque
from http import HTTPStatus
from statistics import median_high, median_low

from exporter.base.clock import Clock
from exporter.http.response import Response
from exporter.sls.observer import Observer

_MAX_SKEW_SECONDS = 900.0
"""The largest difference of clocks with which SLS accepts a signature."""
_RESPONSES = 15
_SUSPENDED_SECONDS = 5.0
_AGREEMENT_SECONDS = 2.0  # of clocks that are read in whole seconds
# Unix seconds of this century. Other digits are not a time that a skew could explain.
_UNIX_SECONDS = re.compile(r"[1-3][0-9]{9}")


class ServerClock:
    """The time at the server of one project; safe to use from any thread."""

    def __init__(self, clock: Clock, *, endpoint: str, observer: Observer) -> None:
        self._clock = clock
        self._endpoint = endpoint
        self._observer = observer
        self._lock = threading.Lock()
        # Server time minus monotonic time, since the exporter's wall clock can jump.
        self._offsets: deque[float] = deque(maxlen=_RESPONSES)
        self._offset: float | None = None
        self._ours: float | None = None
        """The exporter's wall clock minus the monotonic one when a response last agreed."""

    def now(self) -> float:
        """Return the server's time in Unix seconds, or the exporter's before the first response."""
        offset = self._offset
        return self._clock.wall() if offset is None else self._clock.monotonic() + offset

    def note(self, response: Response, *, sent: float) -> float | None:
        """Learn from the time of a response and return its skew in seconds.

        The skew is the server's clock minus the exporter's, or None if the response has no
        time. A skew above 15 minutes changes nothing. ``sent`` is the monotonic time
        at which the request was sent.
        """
        text = response.headers.get("x-log-time", "")
        if not text:
            return None
        if not _UNIX_SECONDS.fullmatch(text):
            self._ignore(response)
            return None
        server = int(text)
        # The wall clock can jump during a request, so the monotonic clock measures its duration.
        wall, monotonic = self._clock.wall(), self._clock.monotonic()
        # The smallest skew that explains whole seconds and the time in transit.
        behind = server - wall
        ahead = server + 1 - (wall - (monotonic - sent))
        skew = max(behind, 0.0) or min(ahead, 0.0)
        if abs(skew) <= _MAX_SKEW_SECONDS:
            self._learn(wall + skew - monotonic, ours=wall - monotonic)
        else:
            self._ignore(response)
        return skew

    def report(self, skew: float) -> None:
        """Report a skew that SLS confirms by refusing the request because of its time."""
        self._observer.clock_skew(self._endpoint, skew)

    def _ignore(self, response: Response) -> None:
        """Count a time that a successful response proves wrong: SLS accepted the signature."""
        if response.status == HTTPStatus.OK:
            self._observer.server_time_ignored(self._endpoint)

    def _learn(self, offset: float, *, ours: float) -> None:
        with self._lock:
            if self._was_suspended(offset, ours):
                self._offsets.clear()
            self._offsets.append(offset)
            middle = median_low(self._offsets), median_high(self._offsets)
            # If there are two middle values, use the one nearer to the exporter's clock.
            self._offset = min(middle, key=lambda each: abs(each - ours))
            if self._ours is None or abs(offset - self._offset) <= _AGREEMENT_SECONDS:
                self._ours = ours
            # Rounding hides the limited precision of clocks; adding 0.0 turns -0.0 into 0.0.
            self.report(round(self._offset - ours, 3) + 0.0)

    def _was_suspended(self, offset: float, ours: float) -> bool:
        """Return whether the monotonic clock has stood while both other clocks went on."""
        if self._offset is None or self._ours is None:
            return False
        slept = ours - self._ours
        gained = offset - self._offset
        return slept > _SUSPENDED_SECONDS and abs(gained - slept) <= _AGREEMENT_SECONDS
