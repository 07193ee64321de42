"""What one poll learns of the shards of a logstore: their ends, and what is unread of each group.

The documents allow to keep some of it: what time a cursor stands for, for as long as it is of use;
the first log group of a shard, and one that is due to expire, for five minutes; the last good
listing of shards until ``stale_after``; a missing right and the retention time until the next
discovery would be due.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from exporter.simulator.cursors import encode_cursor
from exporter.simulator.errors import ServiceError
from exporter.simulator.server import RequestRecord
from exporter.simulator.views import CheckpointRow
from exporter.simulator.world import World
from tests.oracle.account import REFRESH, STALE_AFTER
from tests.oracle.fates import Fate, Fates, Refused, answer
from tests.oracle.listings import Failures, Place
from tests.oracle.verdicts import Verdict, position

FRESH_SECONDS = 300.0
_DAY_SECONDS = 86_400.0


class Asked:
    """What the service was asked of one logstore during a poll."""

    def __init__(self, records: Iterable[RequestRecord], place: Place) -> None:
        self.retention = False
        self.ends: set[int] = set()
        self.begins: set[int] = set()
        self.times: set[tuple[int, int]] = set()
        for record in records:
            if (record.project, record.logstore) == place:
                self._add(record.operation, record.shard, record.cursor or "")

    def _add(self, operation: str, shard: int | None, cursor: str) -> None:
        match operation:
            case "GetLogStore":
                self.retention = True
            case "GetCursor" if shard is not None:
                (self.ends if cursor == "end" else self.begins).add(shard)
            case "GetCursorTime" if shard is not None:
                self.times.add((shard, position(cursor) or 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class _First:
    """The first log group of a shard as it was at an instant; no time where there was none."""

    cursor: int
    received: int | None
    end: int
    at: float


class Reading:
    """The memory of what reads one logstore, whichever of its groups are watched."""

    def __init__(self, world: World, place: Place) -> None:
        self._world = world
        self._place = place
        self._statuses: Mapping[int, str] | None = None
        self._listed_at = 0.0
        self._created: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._firsts: dict[int, _First] = {}
        self._times: dict[tuple[int, int], tuple[int | None, float]] = {}
        self._ask_again_at = 0.0
        self.denied = False
        self.is_stood_in = False
        """Whether an earlier listing of shards stands in for one that failed."""
        self.lacks_listing = False
        """Whether the last good listing of shards has become too old to stand in for one."""
        self.retention: float | None = None
        self._retention_due = 0.0
        self.failures: Failures = Failures()
        self._now = 0.0
        self._asked = Asked((), place)
        self._fates = Fates()

    def begin(self, asked: Asked, fates: Fates, now: float) -> None:
        """Begin a poll."""
        self._asked, self._fates, self._now = asked, fates, now
        self.failures = Failures()
        self.is_stood_in = self.lacks_listing = False

    def shards(self) -> Mapping[int, str] | None:
        """Return the statuses of the shards; None where they cannot be told."""
        if self.denied and self._now < self._ask_again_at:
            return None
        listed = answer(lambda: self._world.shards(*self._place), self._refused("ListShards"))
        if not isinstance(listed, Refused):
            for row in listed:
                if self._created.get(row.shard, row.created) != row.created:
                    self._forget(row.shard)
            self._created = {row.shard: row.created for row in listed}
            self._statuses = {row.shard: row.status for row in listed}
            self._listed_at = self._now
        elif self._is_denial(listed):
            self._statuses = None
        elif self._now - self._listed_at > STALE_AFTER:
            self.lacks_listing = self._statuses is not None
            return None
        else:
            self.is_stood_in = self._statuses is not None
        return self._statuses

    def ends(self, wanted: Iterable[int]) -> dict[int, int]:
        """Return the ends of shards; none without the right to them."""
        for shard, cursor in self._asked.times:
            if self._refused("GetCursorTime", shard) is None:
                self._times[shard, cursor] = (self._retained(shard, cursor), self._now)
        found: dict[int, int] = {}
        withheld = False
        for shard in sorted(wanted):
            is_asked = shard in self._asked.ends
            if not is_asked and shard in self._ends and self._is_readonly(shard):
                found[shard] = self._ends[shard]  # it was final, whatever became of the shard
                continue
            refused = self._refused("GetCursor", shard) if is_asked else None
            end = answer(partial(self._world.end_cursor, *self._place, shard), refused)
            if not isinstance(end, Refused):
                found[shard] = self._ends[shard] = end
            elif is_asked:
                self._is_denial(end)
                withheld = withheld or self.denied
        if withheld:
            return {}
        if found:
            self.denied = False
        return found

    def verdict(self, row: CheckpointRow, end: int, *, readonly: bool) -> Verdict | None:
        """Say what is unread of a shard; None where its cursors could not be read."""
        shard, start = row.shard, position(row.checkpoint)
        if row.checkpoint and start is None:
            return Verdict(at=self._now, unread=None, readonly=readonly)
        if start is not None and start >= end:
            return Verdict(at=self._now, unread=0, lag=0.0, readonly=readonly)
        oldest = None if start is None else self._time(shard, start, lasts=FRESH_SECONDS)
        first = self._first(shard, end) if oldest is None else None
        refused = self._refusal(shard, start, end, first)
        if refused is not None:
            self._is_denial(refused)
            return None
        if isinstance(first, _First) and start is None:
            # A remembered end may be that of a logstore that was there before this one.
            unread = max(0, end - first.cursor)
            received = first.received if unread else None
            return Verdict(at=self._now, unread=unread, oldest=received, readonly=readonly)
        start = start or 0
        newest = self._time(shard, end - 1)
        read = None if oldest is None else self._time(shard, start - 1)
        if isinstance(first, _First):
            oldest = first.received
        # Where the last log group that was read has expired, the oldest unread one stands in.
        read = oldest if read is None else read
        return Verdict(
            at=self._now,
            unread=end - start,
            lag=None if newest is None or read is None else max(0.0, newest - read),
            oldest=oldest,
            readonly=readonly,
            expired=first is not None,
        )

    def end(self) -> None:
        """Learn the retention time, where it was asked for or should have been."""
        if not self._asked.retention and self._now < self._retention_due:
            return
        self._retention_due = self._now + REFRESH
        refused = self._refused("GetLogStore")
        logstore = answer(lambda: self._world.logstore(*self._place), refused)
        if not isinstance(logstore, Refused):
            self.retention = logstore.ttl_days * _DAY_SECONDS
        elif logstore.fate is Fate.DENIED:
            self.retention = None

    def _refusal(
        self, shard: int, start: int | None, end: int, first: _First | Refused | None
    ) -> Refused | None:
        """Return what became of a request that the verdict needs, if it failed."""
        cursors = [] if start is None else [start, start - 1, end - 1]
        if isinstance(first, _First):
            cursors.append(first.cursor)
        if any((shard, cursor) in self._asked.times for cursor in cursors):
            refused = self._refused("GetCursorTime", shard)
            if refused is not None:
                return refused
        return first if isinstance(first, Refused) else None

    def _first(self, shard: int, end: int) -> _First | Refused:
        known = self._firsts.get(shard)
        is_asked = shard in self._asked.begins
        if known is not None and not is_asked:
            is_empty = known.received is None and known.end == end
            is_young = known.received is not None and self._now - known.at < FRESH_SECONDS
            if is_empty or is_young:
                return known
        refused = self._refused("GetCursor", shard) if is_asked else None
        cursor = answer(partial(self._world.begin_cursor, *self._place, shard), refused)
        if isinstance(cursor, Refused):
            return cursor
        received = self._retained(shard, cursor) if cursor < end else None
        first = _First(cursor=cursor, received=received, end=end, at=self._now)
        self._firsts[shard] = first
        return first

    def _time(self, shard: int, cursor: int, *, lasts: float = float("inf")) -> int | None:
        """Return when a log group came in; None if it is not there, and not remembered."""
        received = self._retained(shard, cursor)
        known, at = self._times.get((shard, cursor), (None, self._now))
        return known if received is None and self._now - at < lasts else received

    def _retained(self, shard: int, cursor: int) -> int | None:
        try:
            return self._world.cursor_time(*self._place, shard, encode_cursor(cursor))
        except ServiceError:
            return None

    def _is_readonly(self, shard: int) -> bool:
        return self._statuses is not None and self._statuses.get(shard) == "readonly"

    def _forget(self, shard: int) -> None:
        """Forget another shard of this number, of a logstore that was there before this one."""
        self._ends.pop(shard, None)
        self._firsts.pop(shard, None)
        self._times = {key: time for key, time in self._times.items() if key[0] != shard}

    def _refused(self, operation: str, shard: int | None = None) -> Refused | None:
        return self._fates.of(operation, *self._place, shard=shard)

    def _is_denial(self, refused: Refused) -> bool:
        """Take note of a request that failed, and tell whether for lack of the right."""
        if refused.fate is not Fate.DENIED:
            self.failures[(*self._place, "", refused.code)] += 1
            return False
        self.denied = True
        self._ask_again_at = self._now + REFRESH
        return True
