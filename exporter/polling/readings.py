"""The choice of the next readings, so that few requests settle the state of every shard.

Nothing here sends a request. docs/truth.md explains the scheme and how exact the results are.
"""

from collections.abc import Collection, Iterator
from math import ceil, inf
from typing import Literal, NamedTuple

from msgspec import Struct

from exporter.evaluation.rates import LEAP
from exporter.evaluation.shard import elapsed_seconds, last_move, last_tenth
from exporter.model.progress import NOTHING_UNREAD, Bracket, ShardEnd, ShardProgress, Unread
from exporter.model.shards import Checkpoint, decode_cursor
from exporter.polling.cursor_cache import LEAST_RETENTION, ShardCursors

BEGIN_SECONDS = 300.0
"""Seconds for which a reading of the first log group of a shard is used."""


class Reading(NamedTuple):
    """One request about a shard: its first log group, the first since a second, or a time."""

    shard: int
    kind: Literal["begin", "since", "time"]
    at: int = 0
    """Unix seconds for ``since``, a cursor for ``time``."""


class Rules(Struct, frozen=True, kw_only=True):
    """The settings that determine which values are needed, in seconds."""

    interval: float
    retention: float | None


class Pair:
    """A consumer group in one shard, as a poll found it. Instants are on the service's clock."""

    __slots__ = (
        "checkpoint",
        "group",
        "is_named",
        "is_unchanged",
        "moved_at",
        "previous",
        "seen_at",
        "stall_after",
        "start",
    )

    def __init__(
        self,
        group: str,
        checkpoint: Checkpoint,
        previous: ShardProgress | None,
        seen_at: float,
        *,
        stall_after: float,
        is_named: bool = True,
    ) -> None:
        self.group = group
        self.stall_after = stall_after
        """The time in seconds after which the shard counts as stalled for this group."""
        self.is_named = is_named
        """Whether the shard is read in every poll: no filter by owners leaves its owner out."""
        self.checkpoint = checkpoint
        self.previous = previous
        self.seen_at = seen_at
        self.start = decode_cursor(checkpoint.cursor)
        self.moved_at = last_move(checkpoint, previous, seen_at)
        self.is_unchanged = previous is not None and previous.checkpoint == checkpoint.cursor

    @property
    def is_consumed(self) -> bool:
        """True if the shard was ever consumed."""
        return self.checkpoint.cursor != ""

    def is_behind(self, end: ShardEnd) -> bool:
        """Return whether there are unread log groups after a checkpoint that can be read."""
        return self.start is not None and self.start < end.cursor

    @property
    def has_moved(self) -> bool:
        """True if the checkpoint moved within ``stall_after``, so that it cannot be stalled."""
        return self.moved_at is not None and self.seen_at - self.moved_at <= self.stall_after

    @property
    def may_be_stalled(self) -> bool:
        """True if the checkpoint alone does not prove that the shard is being consumed."""
        return self.start is None or not self.has_moved

    def may_have_moved_after(self, oldest: Bracket) -> bool:
        """Return whether a move within ``stall_after`` may be after the oldest unread log group."""
        moved_at = self.moved_at
        return moved_at is not None and self.has_moved and oldest.earliest <= moved_at

    def stalled_between(self, oldest: Bracket) -> tuple[float, float]:
        """Return the shortest and longest time the checkpoint may have stalled, in seconds."""
        moved = -inf if self.moved_at is None else self.moved_at
        latest, earliest = max(moved, oldest.latest), max(moved, oldest.earliest)
        least = elapsed_seconds(min(latest, self.seen_at), self.seen_at)
        return least, inf if earliest == -inf else elapsed_seconds(earliest, self.seen_at)


class ShardPairs:
    """A shard whose end was read in this poll, with all its consumer groups of interest."""

    def __init__(self, cursors: ShardCursors, end: ShardEnd, rules: Rules) -> None:
        self.cursors = cursors
        self.end = end
        self.pairs: list[Pair] = []
        self._rules = rules

    @property
    def shard(self) -> int:
        """The number of the shard."""
        return self.cursors.shard

    def add(self, pair: Pair) -> None:
        """Add a consumer group and its bounds, unless its checkpoint is of an earlier shard."""
        start, updated_at = pair.start, pair.checkpoint.updated_at
        if start is not None and self.end.cursor - start > LEAP:
            return
        self.pairs.append(pair)
        if start is not None and updated_at is not None and start <= self.end.cursor:
            self.cursors.add_checkpoint(start, ceil(min(updated_at, pair.seen_at)))

    def behind(self) -> Iterator[tuple[Pair, int]]:
        """Yield the groups with unread log groups that they can read, with their cursors."""
        for pair in self.pairs:
            start = pair.start
            if start is None or not pair.is_behind(self.end) or self.cursors.has_expired(start):
                continue
            yield pair, start

    @property
    def has_unread(self) -> bool:
        """True if a group has unread log groups, even if some of them have expired."""
        return not self._is_emptied and any(pair.is_behind(self.end) for pair in self.pairs)

    def is_settled(self, pair: Pair) -> bool:
        """Return whether the state of a group in this shard is known."""
        if not pair.is_consumed:
            return self._first_known()
        start = pair.start
        if start is None or start >= self.end.cursor:
            return True
        if self.cursors.has_expired(start):
            return self._first_known() or self.cursors.is_begin_refused
        return not (self._may_have_expired(pair, start) or self._is_open(pair, start))

    def next_reading(self, asked: Collection[Reading], *, since: bool) -> Reading | None:
        """Return the next reading to settle every group; None if all are settled.

        ``asked`` contains readings not to repeat. Without ``since``, GetCursor gets no times.
        """
        return next((each for each in self._needed(since=since) if each not in asked), None)

    def _needed(self, *, since: bool) -> Iterator[Reading]:
        behind = list(self.behind())
        if behind and since and not self.cursors.has_start:
            yield self._since_stall(behind[0][0])
        if any(self._may_have_expired(pair, start) for pair, start in behind) or (
            self._needs_first() and self._is_begin_old()
        ):
            yield Reading(self.shard, "begin")
        begin = self.cursors.begin
        if begin is not None and self._needs_first() and not self._first_known():
            yield Reading(self.shard, "time", begin.cursor)
        is_open = [(pair, start) for pair, start in behind if self._is_open(pair, start)]
        is_open.sort(key=lambda each: -each[0].stalled_between(self._bracket(each[1]))[1])
        if since and len({start for _, start in is_open}) > 1:
            yield from (self._since_stall(pair) for pair, _ in is_open)
        yield from (Reading(self.shard, "time", start) for _, start in is_open)

    def unread(self, pair: Pair) -> Unread:
        """Return the unread log groups of a settled group in this shard."""
        cursors, end, start = self.cursors, self.end, pair.start
        if pair.is_consumed and (start is None or start >= end.cursor):
            return NOTHING_UNREAD
        if start is None or cursors.has_expired(start):
            begin = cursors.begin
            first = begin.cursor if begin else None
            oldest = self._first_time()
            if start is None:
                return Unread(oldest_at=oldest, first_cursor=first)
            newest = self._bracket(end.cursor - 1).estimate if oldest is not None else None
            if oldest is None and first is not None:  # A refused time may be that of new data.
                oldest = min(self._bracket(first).latest, pair.seen_at)
            return Unread(oldest_at=oldest, newest_at=newest, first_cursor=first, expired=True)
        consumed, newest_at = self._bracket(start - 1), self._bracket(end.cursor - 1)
        updated_at = pair.checkpoint.updated_at
        consumed_at = consumed.estimate
        if updated_at is not None:
            # The checkpoint may have been set ahead of the end of the shard.
            consumed_at = min(consumed_at, max(updated_at, consumed.earliest))
        lag = newest_at.estimate - consumed_at
        is_lag_known = self._is_known(lag, consumed.width + newest_at.width)
        waiting = self._bracket(start)
        return Unread(
            oldest_at=waiting.estimate if self.is_oldest_known(pair, waiting) else None,
            consumed_at=consumed_at,
            consumed_error=consumed.width,
            newest_at=newest_at.estimate if is_lag_known else None,
        )

    def stall_range(self, pair: Pair, start: int) -> tuple[float, float]:
        """Return the shortest and longest time a group may have stalled, in seconds."""
        return pair.stalled_between(self._bracket(start))

    def is_oldest_known(self, pair: Pair, oldest: Bracket) -> bool:
        """Return whether the receive time of the oldest unread log group is shown."""
        # Neither state nor stall depends on a log group that was received before a recent move.
        return not pair.may_have_moved_after(oldest) or self._is_known(
            pair.seen_at - oldest.estimate, oldest.width
        )

    def longest_wait(self, pair: Pair, start: int) -> float:
        """Return the longest time that unread data may have waited, in seconds."""
        return pair.seen_at - self._bracket(start).earliest

    def lag(self, start: int) -> tuple[float, Bracket]:
        """Return the lag of a checkpoint, and the bounds of its last consumed log group."""
        consumed = self._bracket(start - 1)
        return self._bracket(self.end.cursor - 1).estimate - consumed.estimate, consumed

    def _is_known(self, seconds: float, error: float) -> bool:
        """Return whether a duration is exact enough to be shown."""
        return error <= max(5 * self._rules.interval, seconds / 2)

    def _bracket(self, cursor: int) -> Bracket:
        return self.cursors.bracket(cursor)

    def _since_stall(self, pair: Pair) -> Reading:
        return Reading(self.shard, "since", ceil(last_tenth(pair.seen_at) / 10 - pair.stall_after))

    def _is_open(self, pair: Pair, start: int) -> bool:
        least, most = self.stall_range(pair, start)
        return least <= pair.stall_after < most

    def _may_have_expired(self, pair: Pair, start: int) -> bool:
        """Return whether the first log group has to be read to know if data was lost."""
        if self.cursors.is_refused(start):
            return True
        retention = self._rules.retention or LEAST_RETENTION
        oldest = self._bracket(start)
        if oldest.earliest >= pair.seen_at - retention + 2 * self._rules.interval:
            return False
        begin = self.cursors.begin
        # The last reading of the first log group cannot show what expired after that reading.
        due = oldest.estimate + retention
        return (
            begin is None
            or pair.seen_at - begin.read_at >= BEGIN_SECONDS
            or begin.read_at < due <= pair.seen_at
        )

    def _needs_first(self) -> bool:
        return any(
            not pair.is_consumed
            or (
                pair.start is not None
                and pair.is_behind(self.end)
                and self.cursors.has_expired(pair.start)
            )
            for pair in self.pairs
        )

    def _is_begin_old(self) -> bool:
        begin = self.cursors.begin
        if begin is None:
            return True
        if begin.cursor >= begin.end and begin.end == self.end.cursor:
            return False  # it is still empty
        age = self.pairs[0].seen_at - begin.read_at
        # It may have expired before its time was read. In the same poll, it is not read again.
        return age >= BEGIN_SECONDS or (age > 0 and self.cursors.is_begin_refused)

    def _first_known(self) -> bool:
        begin = self.cursors.begin
        if begin is None or self._is_begin_old():
            return False
        return self._is_emptied or self._first_time() is not None

    @property
    def _is_emptied(self) -> bool:
        """True if all log groups of the shard have expired."""
        begin = self.cursors.begin
        return begin is not None and begin.cursor >= self.end.cursor

    def _first_time(self) -> float | None:
        begin = self.cursors.begin
        if begin is None or self._is_emptied:
            return None
        time = self._bracket(begin.cursor)
        return None if time.width else time.estimate
