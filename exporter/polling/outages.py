"""Tells of polls: counts each failure, and logs a line where a state changes, not one a poll.

What many logstores have in common is not its matter: the handler of the logs sums up like lines.
"""

import threading
from collections.abc import Callable, Collection
from typing import Protocol

from msgspec import Struct

from exporter.base.clock import Clock
from exporter.logs.logger import Logger
from exporter.model.names import GroupKey, TargetKey
from exporter.sls.errors import SlsError
from exporter.sls.operations import GET_CURSOR, LIST_SHARDS

# Codes come from outside; who fails with more of them is told of a few more often than once.
_MAX_CODES = 10


class _Outage(Struct, frozen=True, kw_only=True):
    """Since when something fails (monotonic seconds), and the codes that were told."""

    since: float
    codes: frozenset[str]


class PollObserver(Protocol):
    """Takes note of what goes wrong in polls; the group is empty for what concerns the logstore."""

    def poll_failed(self, key: TargetKey, consumer_group: str, error: SlsError) -> None:
        """Take note that a part of a poll failed."""
        ...

    def entries_skipped(self, key: TargetKey, consumer_group: str, faults: tuple[str, ...]) -> None:
        """Take note of entries in an answer that could not be used."""
        ...

    def cursor_access_changed(self, key: TargetKey, error: SlsError | None) -> None:
        """Take note that cursors may not be read any more, or (None) may be again."""
        ...

    def times_distrusted(self, key: TargetKey) -> None:
        """Take note that GetCursor with a time does not do what is documented."""
        ...


class Outages:
    """Takes note of what goes wrong with one logstore, or in listings, from poll to poll.

    ``end_poll`` closes a poll: what failed in it and did not before is logged as beginning, what
    failed before and not any more as over. As long as it lasts, each code is logged once. Threads
    may share it, but two polls must not overlap.
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
        """What failed in the newest poll."""
        with self._lock:
            return frozenset(self._outages)

    def poll_failed(self, key: TargetKey, consumer_group: str, error: SlsError) -> None:
        """Count a failure; the group is empty for what concerns the logstore."""
        group = GroupKey(*key, consumer_group)
        self._count(group, error.code)
        with self._lock:
            self._failed.setdefault(group, error)

    def entries_skipped(self, key: TargetKey, consumer_group: str, faults: tuple[str, ...]) -> None:
        """Count an answer with entries that could not be used, and log the first of its kind."""
        group = GroupKey(*key, consumer_group)
        self._count(group, "invalid_response")
        with self._lock:
            is_new = group not in self._skipping | self._skipped
            self._skipped.add(group)
        if is_new:
            self._log.warning(
                "entries of an answer left out", **_place(group), count=len(faults), first=faults[0]
            )

    def cursor_access_changed(self, key: TargetKey, error: SlsError | None) -> None:
        """Log that only checkpoints are known from now on, or all again."""
        if error is None:
            self._log.info("cursors may be read again", **key._asdict())
        else:
            self._log.warning(
                "cursors may not be read: only checkpoint ages are known, neither lag nor stalls",
                **key._asdict(),
                code=error.code,
                error=str(error),
                remedy=f"allow {GET_CURSOR.action} and {LIST_SHARDS.action}, or set lag: false",
            )

    def times_distrusted(self, key: TargetKey) -> None:
        """Log that polls of a logstore take more requests from now on."""
        self._log.warning(
            "GetCursor with a time is not exact, reading single receive times instead",
            **key._asdict(),
        )

    def end_poll(self, succeeded: Collection[str] | None = None) -> None:
        """Log what began to fail in this poll and what has recovered.

        ``succeeded`` are the groups that were read; None where everything was asked about that did
        not fail. A group that neither succeeded nor failed has left, and nothing is said of it.
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
                # Where no group can be read, the logstore is not asked about.
                self._outages |= {group: before[group] for group in over if _is_logstore(group)}
                over = set()
        for group, error in failed.items():
            if group not in before or error.code not in before[group].codes:
                self._log.warning("poll fails", **_place(group), code=error.code, error=str(error))
        for group in sorted(over):
            if succeeded is None or _is_logstore(group) or group.consumer_group in succeeded:
                after = round(now - before[group].since, 1)
                self._log.info("poll recovered", **_place(group), after_seconds=after)


def _outage(before: _Outage | None, code: str, now: float) -> _Outage:
    if before is None:
        return _Outage(since=now, codes=frozenset({code}))
    if len(before.codes) >= _MAX_CODES:
        return before
    return _Outage(since=before.since, codes=before.codes | {code})


def _is_logstore(group: GroupKey) -> bool:
    return not group.consumer_group


def _place(group: GroupKey) -> dict[str, str]:
    return {name: value for name, value in group._asdict().items() if value}
