"""A cache of temporary credentials that are fetched on first use and renewed before they expire.

There is no permanent thread. If a renewal is due, the next call starts a thread for one fetch and
returns the current credentials. A call waits only if there are no valid credentials. All waiting
calls share one fetch.
"""

import random
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporter.base.clock import Clock
from exporter.credentials.sources import Source
from exporter.credentials.temporary import BUDGET_SECONDS, FetchError, Temporary
from exporter.logs.logger import Logger
from exporter.model.credentials import Credentials, CredentialsUnavailableError

if TYPE_CHECKING:  # a check of the configuration needs no HTTP client
    from exporter.credentials.fetcher import Fetcher

_AHEAD_SECONDS = 900.0
_AHEAD_FRACTION = 0.25
_PAUSE_SECONDS = 10.0
"""The minimum time in seconds between a successful fetch and the next one."""
_BACKOFF_SECONDS = 1.0
_BACKOFF_CAP_SECONDS = 60.0
_WAIT_SECONDS = BUDGET_SECONDS + 0.5
_SLICE_SECONDS = 0.25  # the maximum delay until a stop is noticed
_PENDING = "they are still being fetched"


class RefreshingCredentials:
    """A provider of credentials from a source. Thread-safe.

    Credentials are renewed 15 minutes before they expire, or when a quarter of their time is left
    if that is later. If the renewal fails, the current credentials are returned until they expire,
    and fetches are retried with exponential backoff and jitter. Expiry is compared with wall time.
    """

    def __init__(
        self,
        source: Source,
        *,
        make_fetcher: Callable[[], "Fetcher"],
        clock: Clock,
        cancelled: threading.Event,
        log: Logger,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.description = source.description
        self._source = source
        self._make_fetcher = make_fetcher
        self._clock = clock
        self._cancelled = cancelled
        self._log = log
        self._uniform = uniform
        self._changed = threading.Condition()
        self._current: Temporary | None = None
        self._renew_at = 0.0
        """The wall time at which the next renewal is due."""
        self._fetching = False
        self._failures = 0
        self._failure = _PENDING
        self._not_before = 0.0
        """The earliest monotonic time of the next fetch. It does not apply to the first fetch."""

    @property
    def expires_at(self) -> float | None:
        """When the current credentials expire, in Unix seconds; None if there are none."""
        current = self._current
        return None if current is None else current.expires_at

    def __call__(self) -> Credentials:
        """Return valid credentials. If there are none, wait for a fetch for at most 5.5 s.

        Raises CredentialsUnavailableError if there are still none.
        """
        with self._changed:
            found = self._valid()
            if found is None:
                if not self._failures or self._may_fetch():
                    self._await_fetch()
                found = self._valid()
            elif self._clock.wall() >= self._renew_at and self._may_fetch():
                self._start()
            if found is None:
                raise CredentialsUnavailableError(f"{self.description}: {self._failure}")
            return found.credentials

    def refresh(self, rejected: Credentials) -> bool:
        """Fetch other credentials, unless the current ones are not those that SLS rejects.

        Return whether there are other ones now. The method waits for a fetch for at most 5.5 s.
        Within 10 s of the last fetch, there is no other one. A key that stays rejected therefore
        does not cause one fetch after the other.
        """
        with self._changed:
            if self._is_current(rejected) and (self._fetching or self._may_fetch()):
                self._await_fetch()
            return not self._is_current(rejected)

    def _is_current(self, credentials: Credentials) -> bool:
        return self._current is None or self._current.credentials == credentials

    def _valid(self) -> Temporary | None:
        found = self._current
        return found if found is not None and self._clock.wall() < found.expires_at else None

    def _may_fetch(self) -> bool:
        return self._clock.monotonic() >= self._not_before

    def _await_fetch(self) -> None:
        self._start()
        deadline = time.monotonic() + _WAIT_SECONDS
        while self._fetching and not self._cancelled.is_set():
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self._changed.wait(min(left, _SLICE_SECONDS))

    def _start(self) -> None:
        if self._fetching:
            return
        self._fetching = True
        thread = threading.Thread(target=self._fetch, name="credentials", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._fail(f"no thread to fetch them with: {error}")

    def _fetch(self) -> None:
        found, failure = self._attempt()
        with self._changed:
            failing = self._failures > 0
            if found is None:
                self._fail(failure)
            else:
                self._take(found)
            self._changed.notify_all()
        self._log_change(found, failure, failing=failing)

    def _attempt(self) -> tuple[Temporary | None, str]:
        """Return valid credentials and an empty text, or None and the reason."""
        try:
            found = self._source.fetch(self._make_fetcher(), now=self._clock.wall())
        except FetchError as error:
            return None, str(error)
        except Exception as error:  # noqa: BLE001  any error must end the wait of callers
            # The text of the error can contain a secret, so report only its type and location.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            return None, f"internal error: {type(error).__name__} in {frame.name}:{frame.lineno}"
        if found.expires_at <= self._clock.wall():
            expiry = _time(found)
            return None, f"those it gave expired at {expiry}; is this machine's clock right?"
        return found, ""

    def _take(self, found: Temporary) -> None:
        left = found.expires_at - self._clock.wall()
        self._current = found
        self._renew_at = found.expires_at - min(_AHEAD_SECONDS, left * _AHEAD_FRACTION)
        self._not_before = self._clock.monotonic() + _PAUSE_SECONDS
        self._failures, self._failure = 0, _PENDING
        self._fetching = False

    def _fail(self, failure: str) -> None:
        self._failures += 1
        self._failure = failure
        longest = min(_BACKOFF_CAP_SECONDS, _BACKOFF_SECONDS * 2 ** min(self._failures, 10))
        self._not_before = self._clock.monotonic() + self._uniform(longest / 2, longest)
        self._fetching = False

    def _log_change(self, found: Temporary | None, failure: str, *, failing: bool) -> None:
        """Log changes between success and failure at info or warning, other results at debug."""
        if found is None and self._cancelled.is_set():
            return  # The stop has ended the fetch.
        if found is None:
            log = self._log.debug if failing else self._log.warning
            log("credentials cannot be fetched", source=self.description, error=failure)
        else:
            log = self._log.info if failing else self._log.debug
            log("credentials fetched", source=self.description, valid_until=_time(found))


def _time(found: Temporary) -> str:
    try:
        return datetime.fromtimestamp(found.expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        return str(found.expires_at)
