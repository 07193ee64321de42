"""How long a project is waited for: less while it answers nothing at all.

A request that hangs holds a thread until its deadline. Where several in a row go unanswered, most
of those that follow would too, so they get a short deadline. Nothing is refused: what answers in
that time is heard, and any answer ends the haste.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exporter.sls.errors import Cancelled, NoCredentials, SlsError, TimedOut, Unreachable

UNANSWERED = 3
"""So many requests in a row without an answer make a project silent."""
HASTE = 10
"""A silent project is waited for so many times shorter."""
PROBE_EVERY = 3
"""After so many timeouts a silent project is given a whole one again."""
_LEAST_SECONDS = 0.5  # to connect and be answered in


class AdaptiveTimeout:
    """The patience with one project; shared by all threads that ask it.

    Now and then a request to a silent project keeps the whole timeout (seconds), so that a service
    that has become slow is heard as well.
    """

    def __init__(self, timeout: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._timeout = timeout
        self._little = min(timeout, max(timeout / HASTE, _LEAST_SECONDS))
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._unanswered = 0
        self._probe_at = 0.0

    @contextmanager
    def request(self) -> Iterator[float]:
        """Yield the seconds for a request, and learn from how the block ends."""
        is_hasty = self._is_hasty()
        try:
            yield self._little if is_hasty else self._timeout
        except (TimedOut, Unreachable):
            # What had little time proves nothing.
            if not is_hasty:
                self._unheard()
            raise
        except (Cancelled, NoCredentials):
            raise
        except SlsError:
            self._heard()
            raise
        else:
            self._heard()

    def _is_hasty(self) -> bool:
        with self._lock:
            if self._unanswered < UNANSWERED:
                return False
            now = self._monotonic()
            if now < self._probe_at:
                return True
            self._probe_at = now + PROBE_EVERY * self._timeout
            return False

    def _unheard(self) -> None:
        with self._lock:
            self._unanswered += 1
            if self._unanswered == UNANSWERED:
                self._probe_at = self._monotonic() + PROBE_EVERY * self._timeout

    def _heard(self) -> None:
        with self._lock:
            self._unanswered = 0
