"""Tells of polls: counts each failure, and logs a line where a state changes, not one a poll."""

import threading

from exporter.clock import Clock
from exporter.logs import Logger
from exporter.metrics.own import OwnMetrics
from exporter.sls import SlsError
from exporter.snapshot import GroupKey, TargetKey


class Reporter:
    """Takes note of what goes wrong with one logstore, from poll to poll.

    ``end_poll`` closes a poll: what failed in it and did not before is logged as beginning, what
    failed before and not any more as over.
    """

    def __init__(self, own: OwnMetrics, log: Logger, *, clock: Clock) -> None:
        self._own = own
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._failing: dict[GroupKey, tuple[str, float]] = {}
        self._failed: dict[GroupKey, SlsError] = {}
        self._skipping: set[GroupKey] = set()
        self._skipped: set[GroupKey] = set()

    @property
    def failing(self) -> frozenset[GroupKey]:
        """What failed in the newest poll."""
        with self._lock:
            return frozenset(self._failing)

    def poll_failed(self, key: TargetKey, consumer_group: str, error: SlsError) -> None:
        """Count a failure; the group is empty for what concerns the logstore."""
        group = GroupKey(*key, consumer_group)
        self._own.poll_failed(group, error.code)
        with self._lock:
            self._failed.setdefault(group, error)

    def entries_skipped(self, key: TargetKey, consumer_group: str, faults: tuple[str, ...]) -> None:
        """Count an answer with entries that could not be used, and log the first of its kind."""
        group = GroupKey(*key, consumer_group)
        self._own.poll_failed(group, "invalid_response")
        with self._lock:
            is_new = group not in self._skipping
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
                error=str(error),
                remedy="allow log:GetCursorOrData and log:ListShards, or set lag: false",
            )

    def end_poll(self) -> None:
        """Log what began to fail in this poll and what has recovered."""
        now = self._clock.monotonic()
        with self._lock:
            failed, self._failed = self._failed, {}
            self._skipping, self._skipped = self._skipped, set()
            before = self._failing
            self._failing = {
                group: (error.code, before[group][1] if group in before else now)
                for group, error in failed.items()
            }
        for group, error in failed.items():
            if group not in before or before[group][0] != error.code:
                self._log.warning("poll fails", **_place(group), code=error.code, error=str(error))
        for group in before.keys() - failed.keys():
            self._log.info(
                "poll recovered", **_place(group), after_seconds=round(now - before[group][1], 1)
            )


def _place(group: GroupKey) -> dict[str, str]:
    return {name: value for name, value in group._asdict().items() if value}
