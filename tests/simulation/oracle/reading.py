"""Data of one poll about the shards of a logstore: their list, their ends, and unread data.

The documents allow the exporter to keep some of it:

- The end of a read-only shard stays after two polls have found it.
- The end of a shard whose owner no filter names may be older.
- The last successfully read list of shards stays until ``stale_after``.
- A missing permission and the retention time stay until the next discovery would be due.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from math import floor, inf

from exporter.simulator.errors import ServiceError
from exporter.simulator.server import RequestRecord
from exporter.simulator.views import CheckpointRow
from exporter.simulator.world import World
from tests.simulation.oracle.account import REFRESH, STALE_AFTER
from tests.simulation.oracle.comparing import exactly
from tests.simulation.oracle.fates import Fate, Fates, Refused, answer
from tests.simulation.oracle.listings import Failures, Place
from tests.simulation.oracle.others import KEPT_SECONDS, End, Rests, may_be_stalled
from tests.simulation.oracle.unread import UnreadData
from tests.simulation.oracle.verdicts import Alternatives, Stand, Verdict, kept, moved_at, position

_DAY_SECONDS = 86_400.0


class Asked:
    """The cursors and times that a poll requested from one logstore, to know which ones failed.

    A poll may choose its requests freely, except for the retention time and the ends.
    """

    def __init__(self, records: Iterable[RequestRecord], place: Place) -> None:
        own = [record for record in records if (record.project, record.logstore) == place]
        self.retention = any(record.operation == "GetLogStore" for record in own)
        # A retry is the same request.
        self.cursors = dict.fromkeys(
            (record.operation, record.shard, record.cursor or "")
            for record in own
            if record.operation in {"GetCursor", "GetCursorTime"} and record.shard is not None
        )
        self.ends = {shard for _, shard, cursor in self.cursors if cursor == "end"}


class Reading:
    """The stored data about one logstore, independent of the watched groups."""

    def __init__(self, world: World, place: Place) -> None:
        self._world = world
        self._place = place
        self._statuses: Mapping[int, str] | None = None
        self._listed_at = 0.0
        self._created: dict[int, int] = {}
        self._ends: dict[int, End] = {}
        self._rests = Rests()
        self.resting: set[int] = set()
        """Shards of owners that no filter names whose end this poll need not read."""
        self.withheld: Mapping[int, End] = {}
        """Ends that this poll read, although a permission was missing for other requests."""
        self._ask_again_at = 0.0
        self._is_read = False
        self.denied = False
        self.is_stood_in = False
        """Whether an earlier listing of shards replaces one that failed."""
        self.lacks_listing = False
        """Whether the last successful listing of shards is too old to replace a failed one."""
        self.is_unlisted = False
        """Whether the shards are not known, since the listing failed for another reason."""
        self.retention: float | None = None
        self.retention_access: bool | None = None
        """Whether the newest request for the retention time succeeded; None before the first."""
        self._retention_due = 0.0
        self.failures: Failures = Failures()
        self._failed: set[int] = set()
        self._now = 0.0
        self._asked = Asked((), place)
        self._fates = Fates()

    def begin(self, asked: Asked, fates: Fates, now: float) -> None:
        """Begin a poll."""
        self._asked, self._fates, self._now = asked, fates, now
        self.failures = Failures()
        self._failed = set()
        self.withheld = {}
        self.is_stood_in = self.lacks_listing = self.is_unlisted = self._is_read = False

    def shards(self) -> Mapping[int, str] | None:
        """Return the statuses of the shards; None if they are unknown."""
        if self.denied and self._now < self._ask_again_at:
            return None
        self._is_read = True
        listed = answer(lambda: self._world.shards(*self._place), self._refused("ListShards"))
        if not isinstance(listed, Refused):
            for row in listed:
                if self._created.get(row.shard, row.created) != row.created:
                    self._ends.pop(row.shard, None)  # another logstore was there before
            self._created = {row.shard: row.created for row in listed}
            self._ends = {shard: self._ends[shard] for shard in self._ends.keys() & self._created}
            self._rests.keep_only(self._created)
            self._statuses = {row.shard: row.status for row in listed}
            self._listed_at = self._now
        elif self._is_denial(listed):
            self._statuses = None
        elif self._now - self._listed_at > STALE_AFTER:
            self.lacks_listing = self._statuses is not None
            self.is_unlisted = True
            return None
        else:
            self.is_stood_in = self._statuses is not None
        return self._statuses

    def ends(self, wanted: Iterable[int], others: Mapping[int, bool]) -> dict[int, End]:
        """Return the ends of shards, or none without permission to read them.

        ``others`` are those of owners that no filter names, with whether each may be stalled.
        """
        withheld = self._note_failures()
        found: dict[int, End] = {}
        final = {shard: end for shard, end in self._ends.items() if self._is_final(shard)}
        self.resting = self._rests.begin_poll(
            {shard: others[shard] for shard in others.keys() - final},
            asked=self._asked.ends,
        )
        for shard in sorted(set(wanted) - self.resting):
            is_asked = shard in self._asked.ends
            if not is_asked and shard in final:
                found[shard] = final[shard]  # even if the shard has been deleted
                continue
            refused = self._refused("GetCursor", shard) if is_asked else None
            end = answer(partial(self._world.end_cursor, *self._place, shard), refused)
            if not isinstance(end, Refused):
                readonly = self._is_readonly(shard)
                before = self._ends.get(shard)
                is_same = before is not None and (before.cursor, before.readonly) == (end, True)
                known = End(
                    cursor=end, read_at=self._now, readonly=readonly, is_final=readonly and is_same
                )
                found[shard] = known
                if is_asked:
                    self._ends[shard] = known
        if withheld:
            self.withheld = found
            return {}
        if found:
            self.denied = False
        return found

    def is_created_since(self, shard: int, read_at: float) -> bool:
        """Return whether this poll's listing shows that a shard was created after a reading.

        A creation has whole seconds.
        """
        is_listed = self._listed_at == self._now and not self.is_stood_in
        return is_listed and self._created.get(shard, -inf) >= floor(read_at)

    def is_certain(self, shard: int) -> bool:
        """Return whether nothing about a shard failed or was left out."""
        return not (shard in self._failed or self.is_stood_in or shard in self.resting)

    def end_at_rest(self, shard: int) -> End | None:
        """Return the last known end of a shard that this poll need not read, if it is young."""
        end = self._ends.get(shard)
        return end if end is not None and self._now - end.read_at <= KEPT_SECONDS else None

    def while_resting(self, row: CheckpointRow, before: Stand | None) -> Alternatives:
        """Return each possible ``Verdict`` on a shard whose end was not read in this poll."""
        end, moved = self.end_at_rest(row.shard), moved_at(row, before, now=self._now)
        if end is not None:
            return tuple(
                replace(verdict, at=min(verdict.at, end.read_at)) if verdict else None
                for verdict in self.verdicts(row, before, end, kept_for=KEPT_SECONDS)
            )
        if self._rests.has_asked(row.shard) or may_be_stalled(row.checkpoint, moved, self._now):
            return kept(before, now=self._now, kept_for=KEPT_SECONDS)
        nothing = exactly(0)
        return (Verdict(at=-inf, unread=nothing, lag=nothing, readonly=False),)

    def verdicts(
        self, row: CheckpointRow, before: Stand | None, known: End, *, kept_for: float
    ) -> Alternatives:
        """Return each possible ``Verdict`` on a shard whose end is known.

        Earlier results are kept for ``kept_for`` seconds.
        """
        shard, start = row.shard, position(row.checkpoint)
        end, readonly = known.cursor, known.readonly
        if row.checkpoint and start is None:
            return (Verdict(at=self._now, unread=None, readonly=readonly),)
        if start is not None and start >= end:
            return (Verdict(at=self._now, unread=exactly(0), lag=exactly(0), readonly=readonly),)
        found: list[Verdict | None] = []
        certain = self.is_certain(shard)
        if not certain:
            found += kept(before, now=self._now, kept_for=kept_for)
        try:
            data = UnreadData(self._world, self._place, shard, end=end, readonly=readonly)
        except ServiceError:  # the shard has vanished
            return tuple(found)
        if start is None:
            found.append(data.never_consumed(is_stood_in=self.is_stood_in))
        else:
            moved = moved_at(row, before, now=self._now)
            found += data.after(start, moved, certain=certain)
        return tuple(found)

    def end(self) -> None:
        """Store the retention time if it was requested or should have been."""
        is_due = self._is_read and self._now >= self._retention_due
        if not self._asked.retention and not is_due:
            return
        self._retention_due = self._now + REFRESH
        refused = self._refused("GetLogStore")
        logstore = answer(lambda: self._world.logstore(*self._place), refused)
        self.retention_access = not isinstance(logstore, Refused)
        if not isinstance(logstore, Refused):
            self.retention = logstore.ttl_days * _DAY_SECONDS
        elif logstore.fate is Fate.DENIED:
            self.retention = None

    def _note_failures(self) -> bool:
        """Count failed requests about cursors. Return whether a permission is missing."""
        withheld = False
        for operation, shard, cursor in self._asked.cursors:
            outcome = answer(
                partial(self._read, operation, shard or 0, cursor),
                self._refused(operation, shard),
            )
            is_injected = self._refused(operation, shard) is not None
            if isinstance(outcome, Refused) and (is_injected or outcome.code != "InvalidCursor"):
                self._failed.add(shard or 0)
                if outcome.code != "InvalidCursor":
                    withheld = self._is_denial(outcome) or withheld
        return withheld

    def _read(self, operation: str, shard: int, cursor: str) -> int:
        if operation == "GetCursorTime":
            return self._world.cursor_time(*self._place, shard, cursor)
        return self._world.end_cursor(*self._place, shard)

    def _is_final(self, shard: int) -> bool:
        return self._ends[shard].is_final and self._is_readonly(shard)

    def _is_readonly(self, shard: int) -> bool:
        return self._statuses is not None and self._statuses.get(shard) == "readonly"

    def _refused(self, operation: str, shard: int | None = None) -> Refused | None:
        return self._fates.of(operation, *self._place, shard=shard)

    def _is_denial(self, refused: Refused) -> bool:
        """Count a failed request, and return whether a missing permission was the reason."""
        if refused.fate is not Fate.DENIED:
            self.failures[(*self._place, "", refused.code)] += 1
            return False
        self.denied = True
        self._ask_again_at = self._now + REFRESH
        return True
