"""Pure functions from the checkpoints of a consumer group to the likely cause of each stall.

A checkpoint has the name of its last writer, not of the present owner of the shard. The cause
therefore depends on which names have made progress after the stall began. docs/truth.md explains
the evidence of each cause and its limits.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from heapq import nlargest
from math import inf
from operator import itemgetter
from typing import NamedTuple

from exporter.evaluation.owners import OwnerChanges
from exporter.evaluation.shard import elapsed_seconds, stalled_since
from exporter.model.progress import Cause, OwnerChange, ShardProgress
from exporter.model.shards import Shard

_REPEATED_WITHIN = 3
"""Time within which repeated changes of owners count, as a multiple of ``stall_after``."""


class Trace(NamedTuple):
    """The last move of an owner in a shard, in Unix seconds of the server's clock."""

    consumer: str
    moved_at: float
    is_at_end: bool = False
    """Whether no unread data is left there."""


def traces(shards: Iterable[ShardProgress], changes: OwnerChanges) -> Iterator[Trace]:
    """Yield the last move in each shard, and those of its recent owners."""
    for shard in shards:
        if shard.moved_at is not None:
            yield Trace(shard.consumer, shard.moved_at, shard.unread == 0)
    for each in changes.values():
        for change in each:
            if change.moved_at is not None:
                yield Trace(change.former, change.moved_at)


def likely_causes(
    stalled: Sequence[ShardProgress],
    moves: Iterable[Trace],
    *,
    changes: OwnerChanges,
    waiting: Collection[int],
    now: float,
    stall_after: float,
) -> Mapping[int, Cause]:
    """Return the likely cause of each stalled shard.

    ``moves`` are those of the whole group. ``waiting`` contains the shards that wait for a parent.
    """
    evidence = _Evidence(moves, now=now, stall_after=stall_after)
    return {
        shard.shard: Cause.WAITING_FOR_PARENT
        if shard.shard in waiting
        else evidence.cause(shard, changes.get(shard.shard, ()))
        for shard in stalled
    }


def waiting_for_parents(
    stalled: Iterable[int], unfinished: Iterable[int], listed: Mapping[int, Shard]
) -> frozenset[int]:
    """Return the stalled shards that are younger than a parent with unread data.

    ``unfinished`` are read-only shards with unread data. A parent has a part of the shard's range
    of keys. A consumer of an ordered group begins with the shard after the parent.
    """
    parents = [listed[number] for number in unfinished if number in listed]
    children = [listed[number] for number in stalled if number in listed]
    return frozenset(
        child.shard for child in children if any(_is_parent(each, child) for each in parents)
    )


class _Latest:
    """The latest instant of each name."""

    def __init__(self) -> None:
        self._by_name: dict[str, float] = {}

    def add(self, name: str, at: float) -> None:
        """Add an instant."""
        self._by_name[name] = max(at, self._by_name.get(name, at))

    def of(self, name: str) -> float:
        """Return the latest instant of a name, minus infinity if there is none."""
        return self._by_name.get(name, -inf)

    def of_others(self, name: str) -> float:
        """Return the latest instant of all other names, minus infinity if there is none."""
        return next((at for other, at in self._leaders if other != name), -inf)

    @cached_property
    def _leaders(self) -> Sequence[tuple[str, float]]:
        return nlargest(2, self._by_name.items(), key=itemgetter(1))


class _Evidence:
    """The moves of a group by owner.

    A move proves that its owner passed over a stalled shard only if the owner would have saved
    progress there meanwhile, so it must be half of ``stall_after`` later than the last progress. A
    consumer that dies saves its last progress in all of its shards within one flush interval.
    """

    def __init__(self, moves: Iterable[Trace], *, now: float, stall_after: float) -> None:
        self._now = now
        self._stall_after = stall_after
        self._moving, self._at_end = _Latest(), _Latest()
        self._moving_behind: set[str] = set()
        for name, moved_at, is_at_end in moves:
            if self._is_recent(moved_at):
                self._moving.add(name, moved_at)
                if not is_at_end:
                    self._moving_behind.add(name)
            if is_at_end:
                self._at_end.add(name, moved_at)

    def cause(self, shard: ShardProgress, changes: Sequence[OwnerChange]) -> Cause:
        """Return the likely cause of the stall of a shard that does not wait for another one."""
        since = stalled_since(shard)
        if since is None:
            return Cause.UNKNOWN
        if self._is_owner_changing(changes, since):
            return Cause.OWNER_CHANGING
        name = shard.consumer
        passed_at = since + self._stall_after / 2
        if max(self._moving.of(name), self._at_end.of(name)) > passed_at:
            return Cause.SHARD_STUCK
        # Other consumers that have read all data since then are alive, however idle they are.
        others_move = (
            self._moving.of_others(name) > passed_at or self._at_end.of_others(name) > since
        )
        # A recent move is later than the start of any stall, but perhaps not late enough.
        if others_move:
            is_unclear = name in self._moving_behind or name == ""
            return Cause.UNKNOWN if is_unclear else Cause.OWNER_STUCK
        return Cause.UNKNOWN if self._moving_behind else Cause.GROUP_SILENT

    def _is_owner_changing(self, changes: Sequence[OwnerChange], since: float) -> bool:
        """Return whether the owner changed lately, or more than once since the stall began."""
        after = [change.at for change in changes if change.at > since]
        if not after:
            return False
        elapsed = elapsed_seconds(after[-1], self._now)
        is_repeated = len(after) > 1 and elapsed <= _REPEATED_WITHIN * self._stall_after
        return is_repeated or elapsed <= self._stall_after

    def _is_recent(self, moved_at: float) -> bool:
        return elapsed_seconds(moved_at, self._now) <= self._stall_after


def _is_parent(parent: Shard, child: Shard) -> bool:
    """Return whether a shard is older than another one and has a part of its range of keys."""
    keys = (parent.begin_key, child.end_key), (child.begin_key, parent.end_key)
    is_shared = all(begin is not None and end is not None and begin < end for begin, end in keys)
    return is_shared and _is_older(parent, child)


def _is_older(shard: Shard, other: Shard) -> bool:
    """Return whether a shard is older. Numbers of shards rise, so they decide without times."""
    at, other_at = shard.created_at, other.created_at
    if at is None or other_at is None:
        return shard.shard < other.shard
    return (at, shard.shard) < (other_at, other.shard)
