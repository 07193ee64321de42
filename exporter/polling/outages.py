"""Reports of failed polls: a count of each failure, and a log line when a state changes.

Failures that many logstores have in common are not combined here. The log handler merges similar
lines.
"""

import threading
from collections.abc import Callable, Collection
from typing import Protocol

from msgspec import Struct

from exporter.base.clock import Clock
from exporter.logs.logger import Logger
from exporter.model.names import GroupKey, TargetKey
from exporter.sls.errors import AccessDenied, SlsError
from exporter.sls.operations import GET_CURSOR, GET_LOGSTORE, LIST_SHARDS
from exporter.sls.remedies import remedy

# Codes are untrusted input. Beyond this number, a code may be logged more than once.
_MAX_CODES = 10


class _Outage(Struct, frozen=True, kw_only=True):
    """The start of an outage (monotonic seconds), and the codes that were logged."""

    since: float
    codes: frozenset[str]


class PollObserver(Protocol):
    """A receiver of failures in polls. An empty group means the logstore itself."""

    def poll_failed(self, key: TargetKey, consumer_group: str, error: SlsError) -> None:
        """Record that a part of a poll failed."""
        ...

    def entries_skipped(self, key: TargetKey, consumer_group: str, faults: tuple[str, ...]) -> None:
        """Record entries in a response that could not be used."""
        ...

    def cursor_access_changed(self, key: TargetKey, error: SlsError | None) -> None:
        """Record that the permission to read cursors is missing, or (None) exists again."""
        ...

    def retention_access_changed(self, key: TargetKey, error: SlsError | None) -> None:
        """Record that the retention time cannot be read, or (None) can be read again."""
        ...

    def times_distrusted(self, key: TargetKey) -> None:
        """Record that GetCursor with a time does not work as documented."""
        ...


class Outages:
    """The current failures of one logstore, or of listings, from poll to poll.

    ``end_poll`` ends a poll. It logs the start of new failures and the recovery from earlier ones.
    During an outage, each code is logged once. Threads may share an instance, but two polls must
    not overlap.
    """

    def __init__(
        self, count: Callable[[GroupKey, str], None], log: Logger, *, clock: Clock
    ) -> None:
        self._count = count
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._outages: dict[GroupKey, _Outage] = {}
        self._failed: dict[GroupKey, SlsError] = {}
        self._skipping: set[GroupKey] = set()
        self._skipped: set[GroupKey] = set()

    @property
    def failing(self) -> frozenset[GroupKey]:
        """The groups and logstores that failed in the newest poll."""
        with self._lock:
            return frozenset(self._outages)

    def poll_failed(self, key: TargetKey, consumer_group: str, error: SlsError) -> None:
        """Count a failure; an empty group means the logstore itself."""
        group = GroupKey(*key, consumer_group)
        self._count(group, error.code)
        with self._lock:
            self._failed.setdefault(group, error)

    def entries_skipped(self, key: TargetKey, consumer_group: str, faults: tuple[str, ...]) -> None:
        """Count a response with unusable entries, and log the first of its kind."""
        group = GroupKey(*key, consumer_group)
        self._count(group, "invalid_response")
        with self._lock:
            is_new = group not in self._skipping | self._skipped
            self._skipped.add(group)
        if is_new:
            self._log.warning(
                "invalid entries of a response ignored",
                **_fields(group),
                count=len(faults),
                first=faults[0],
            )

    def cursor_access_changed(self, key: TargetKey, error: SlsError | None) -> None:
        """Log that only checkpoints are known from now on, or ends again as well."""
        if error is None:
            self._log.info("cursors can be read again", **key._asdict())
        else:
            self._log.warning(
                "no permission to read cursors, reporting checkpoint ages without lag and stalls",
                **key._asdict(),
                code=error.code,
                error=str(error),
                remedy=f"allow {GET_CURSOR.action} and {LIST_SHARDS.action}, or set lag: false",
            )

    def retention_access_changed(self, key: TargetKey, error: SlsError | None) -> None:
        """Log that no alert about expiring data is possible from now on, or that it is again."""
        if error is None:
            self._log.info("retention time can be read again", **key._asdict())
            return
        is_denied = isinstance(error, AccessDenied)
        self._log.warning(
            "retention time cannot be read, so no alert about expiring data is possible",
            **key._asdict(),
            code=error.code,
            error=str(error),
            remedy=f"allow {GET_LOGSTORE.action}" if is_denied else remedy(error.code),
        )

    def times_distrusted(self, key: TargetKey) -> None:
        """Log that polls of a logstore take more requests from now on."""
        self._log.warning(
            "GetCursor with a time is not exact, reading single receive times instead",
            **key._asdict(),
        )

    def end_poll(self, succeeded: Collection[str] | None = None) -> None:
        """Log the failures that began in this poll and those that have recovered.

        ``succeeded`` are the groups that were read, or None if all that did not fail were read. A
        group that neither succeeded nor failed was removed, and nothing is logged about it.
        """
        now = self._clock.monotonic()
        with self._lock:
            failed, self._failed = self._failed, {}
            self._skipping, self._skipped = self._skipped, set()
            before = self._outages
            self._outages = {
                group: _outage(before.get(group), error.code, now)
                for group, error in failed.items()
            }
            over = before.keys() - failed.keys()
            if succeeded is not None and not succeeded:
                # If no group can be read, the poll sends no requests about the logstore.
                self._outages |= {group: before[group] for group in over if _is_logstore(group)}
                over = set()
        for group, error in failed.items():
            if group not in before or error.code not in before[group].codes:
                self._log.warning("poll fails", **_fields(group), code=error.code, error=str(error))
        for group in sorted(over):
            if succeeded is None or _is_logstore(group) or group.consumer_group in succeeded:
                after = round(now - before[group].since, 1)
                self._log.info("poll recovered", **_fields(group), after_seconds=after)


def _outage(before: _Outage | None, code: str, now: float) -> _Outage:
    if before is None:
        return _Outage(since=now, codes=frozenset({code}))
    if len(before.codes) >= _MAX_CODES:
        return before
    return _Outage(since=before.since, codes=before.codes | {code})


def _is_logstore(group: GroupKey) -> bool:
    return not group.consumer_group


def _fields(group: GroupKey) -> dict[str, str]:
    return {name: value for name, value in group._asdict().items() if value}
