"""Known cursors of one logstore, and their times. Nothing here sends requests.

The receive time of a log group never changes, so a time that was read is kept while polls use it.
"""

from collections.abc import Collection, Mapping

from msgspec import Struct

from exporter.evaluation.rates import LEAP
from exporter.model.progress import Bracket, ShardEnd
from exporter.model.shards import Shard
from exporter.polling.end_history import EndHistory

LEAST_RETENTION = 86_400.0
"""The shortest retention time that SLS offers, in seconds."""


class Begin(Struct, frozen=True, kw_only=True):
    """The first retained log group of a shard, read at an instant of the service's clock."""

    cursor: int
    end: int
    """The end of the shard at that time; equal to ``cursor`` if the shard was empty."""
    read_at: float


class ShardCursors:
    """Known cursors of one shard."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard.shard
        self.created_at = shard.created_at
        self.begin: Begin | None = None
        self.end: ShardEnd | None = None
        """The newest end."""
        self.is_end_final = False
        """Whether two readings since the shard became read-only found the same end.

        A server that does not know of the change yet may still accept writes after the first.
        """
        self.end_read_at: float | None = None
        """The time at which the newest end was read, by the service's clock."""
        self.has_end_moved = True
        """Whether the newest end differs from the previous one."""
        self.has_start = False
        """Whether the first log group within ``stall_after`` has ever been determined."""
        self._history = EndHistory(created_at=shard.created_at)
        self._times: dict[int, int | None] = {}
        self._used: dict[int, int | None] = {}

    def add_end(self, end: ShardEnd, *, sent_at: float, received_at: float) -> None:
        """Add the end, read between two instants of the service's clock.

        An end that went backwards or leaped belongs to a shard that was created again.
        """
        if self.end is not None and not 0 <= end.cursor - self.end.cursor <= LEAP:
            self.forget_times()
        self.has_end_moved = self.end is None or end.cursor != self.end.cursor
        self.is_end_final = end.readonly and end == self.end
        self.end, self.end_read_at = end, received_at
        self._history.add_end(end.cursor, sent_at=sent_at, received_at=received_at)

    def add_begin(self, begin: Begin) -> None:
        """Add the first log group. A refused time of a log group that is retained is forgotten."""
        self.begin = begin
        for known in (self._times, self._used):
            for cursor in [each for each, time in known.items() if time is None]:
                if cursor >= begin.cursor:
                    del known[cursor]

    def add_time(self, cursor: int, time: int | None) -> None:
        """Add the receive time of a log group, None if the service refused it."""
        self._times[cursor] = self._used[cursor] = time
        if time is not None:
            self._history.add_time(cursor, time)

    def add_first_since(self, time: int, cursor: int) -> None:
        """Add the first log group that was received at or after a whole second."""
        is_begin = self.begin is not None and cursor <= self.begin.cursor
        self._history.add_first_since(time, cursor, is_begin=is_begin)

    def add_checkpoint(self, cursor: int, updated_at: float) -> None:
        """Add that all log groups before a checkpoint existed when it was written."""
        self._history.add_read_before(cursor, updated_at)

    def forget_times(self) -> None:
        """Forget all receive times, and the first log group."""
        self._history = EndHistory(created_at=self.created_at)
        self._times, self._used = {}, {}
        self.begin, self.has_start = None, False

    def bracket(self, cursor: int) -> Bracket:
        """Return the bounds of the receive time of a log group, equal ones if it was read."""
        time = self._times.get(cursor)
        if time is None:
            return self._history.bracket(cursor)
        self._used[cursor] = time
        return Bracket(time, time, time)

    def has_read(self, cursor: int) -> bool:
        """Return whether the time of a log group was read, even if the service refused it."""
        return cursor in self._times

    def has_expired(self, cursor: int) -> bool:
        """Return whether the log group at a cursor is known to have expired."""
        return self.begin is not None and cursor < self.begin.cursor

    def is_refused(self, cursor: int) -> bool:
        """Return whether the service refused the time of a log group.

        Only a later reading of the first log group proves that it has expired: a server that is
        behind refuses the times of new log groups as well.
        """
        if self._times.get(cursor, 0) is not None:
            return False
        self._used[cursor] = None
        return True

    @property
    def is_begin_refused(self) -> bool:
        """True if the service refused the time of the first log group, which may have expired."""
        return self.begin is not None and self.is_refused(self.begin.cursor)

    def is_young(self, cursor: int, now: float) -> bool:
        """Return whether a log group is known to be too young to have expired."""
        return self._history.bracket(cursor).earliest > now - LEAST_RETENTION

    def end_poll(self) -> None:
        """Forget the times that this poll did not use."""
        self._times, self._used = self._used, {}


class CursorCache:
    """The cursors of the shards of one logstore."""

    def __init__(self) -> None:
        self._shards: dict[int, ShardCursors] = {}
        self.trusts_since: bool | None = None
        """Whether GetCursor with a time was found to be exact; None before that was tested."""
        self.passed = 0
        """Number of readings of GetCursor with a time that were verified."""

    def of(self, shard: Shard) -> ShardCursors:
        """Return the cursors of a shard, without those of an earlier shard of the same number."""
        known = self._shards.get(shard.shard)
        if known is None or known.created_at != shard.created_at:
            known = self._shards[shard.shard] = ShardCursors(shard)
        return known

    def distrust_since(self) -> None:
        """Forget all times, since they may come from GetCursor with a time."""
        self.trusts_since = False
        for cursors in self._shards.values():
            end = cursors.end
            cursors.forget_times()
            cursors.end = end

    def end_poll(self, listed: Mapping[int, Shard] | Collection[int]) -> None:
        """Forget times that this poll did not use, and shards that no longer exist."""
        self._shards = {shard: known for shard, known in self._shards.items() if shard in listed}
        for known in self._shards.values():
            known.end_poll()
