"""Timeouts of requests to a project, which are shorter while the project does not respond.

A request that hangs blocks a thread until its deadline. After several in a row without a response,
most of the next ones would also hang, so they get a short deadline. No request is skipped, and any
response restores the whole timeout.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exporter.sls.errors import Cancelled, NoCredentials, SlsError, TimedOut, Unreachable

UNRESPONSIVE_AFTER = 3
"""Number of consecutive requests without a response that make a project unresponsive."""
SHORTENED_BY = 10
"""The factor by which the timeout of an unresponsive project is divided."""
PROBE_EVERY = 3
"""Time between two whole timeouts of an unresponsive project, in multiples of the timeout."""
_LEAST_SECONDS = 0.5  # to connect and get a response


class AdaptiveTimeout:
    """The timeout of requests to one project, shared by all threads that send them.

    A few requests to an unresponsive project keep the whole timeout (seconds), so that a service
    that has become slow can respond as well.
    """

    def __init__(self, timeout: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._timeout = timeout
        self._short = min(timeout, max(timeout / SHORTENED_BY, _LEAST_SECONDS))
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._silent = 0
        self._probe_at = 0.0

    @contextmanager
    def request(self) -> Iterator[float]:
        """Yield the timeout of a request in seconds, and record whether it got a response."""
        is_short = self._is_shortened()
        try:
            yield self._short if is_short else self._timeout
        except (TimedOut, Unreachable):
            # A short timeout does not prove that the project is unresponsive.
            if not is_short:
                self._note_silence()
            raise
        except (Cancelled, NoCredentials):
            raise
        except SlsError:
            self._note_response()
            raise
        else:
            self._note_response()

    def _is_shortened(self) -> bool:
        with self._lock:
            if self._silent < UNRESPONSIVE_AFTER:
                return False
            now = self._monotonic()
            if now < self._probe_at:
                return True
            self._probe_at = now + PROBE_EVERY * self._timeout
            return False

    def _note_silence(self) -> None:
        with self._lock:
            self._silent += 1
            if self._silent == UNRESPONSIVE_AFTER:
                self._probe_at = self._monotonic() + PROBE_EVERY * self._timeout

    def _note_response(self) -> None:
        with self._lock:
            self._silent = 0
