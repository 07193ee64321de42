"""The shards of a consumer group as rows.

Rows are built only when they are read, so thousands of groups stay cheap.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import overload

from msgspec import Struct

from exporter.evaluation.shard import stalled_seconds, stalled_since, state
from exporter.model.progress import Cause, ShardProgress, State
from exporter.model.shards import UNREADABLE

_NOT_MOVING = frozenset({State.STALLED, State.EXPIRED})


class ShardRow(Struct, frozen=True, kw_only=True):
    """One shard of a group. Times are in seconds, and None if unknown."""

    shard: int
    state: State
    likely_cause: Cause | None = None
    """The likely cause of the stall; None if the shard is not stalled."""
    consumer: str
    checkpoint: str | None
    """The cursor up to which the group has read; None if it has none or it could not be read."""
    updated_at: float | None
    """When the checkpoint was last written, in Unix seconds of the server's clock."""
    age_seconds: float | None
    lag_seconds: float | None
    unread_log_groups: int | None
    stalled_seconds: float | None
    stalled_since: float | None = None
    """When the stall began, in Unix seconds of the server's clock; None in any other state."""


class ShardRows(Sequence[ShardRow]):
    """The rows of a group's shards, built when one of them is read."""

    def __init__(
        self,
        shards: Sequence[ShardProgress],
        causes: Mapping[int, Cause],
        *,
        now: float,
        stall_after: float,
        interval: float,
    ) -> None:
        self._shards = shards
        self._causes = causes
        self._now = now
        self._stall_after = stall_after
        self._interval = interval
        self._rows: Sequence[ShardRow] | None = None

    def __len__(self) -> int:
        return len(self._shards)

    @overload
    def __getitem__(self, index: int) -> ShardRow: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ShardRow]: ...
    def __getitem__(self, index: int | slice) -> ShardRow | Sequence[ShardRow]:
        return self._built()[index]

    def __iter__(self) -> Iterator[ShardRow]:
        return iter(self._built())

    def _built(self) -> Sequence[ShardRow]:
        if self._rows is None:
            self._rows = [self._row(shard) for shard in self._shards]
        return self._rows

    def _row(self, shard: ShardProgress) -> ShardRow:
        found = state(shard, self._now, stall_after=self._stall_after)
        is_stalled = found is State.STALLED
        return ShardRow(
            shard=shard.shard,
            state=found,
            likely_cause=self._causes.get(shard.shard, Cause.UNKNOWN) if is_stalled else None,
            consumer=shard.consumer,
            checkpoint=None if shard.checkpoint in {"", UNREADABLE} else shard.checkpoint,
            updated_at=shard.updated_at,
            age_seconds=age(shard, self._now),
            lag_seconds=shard.lag_seconds,
            unread_log_groups=shard.unread,
            stalled_seconds=stalled_seconds(shard, self._now, interval=self._interval),
            stalled_since=stalled_since(shard) if found in _NOT_MOVING else None,
        )


def age(shard: ShardProgress, now: float) -> float | None:
    """Return the age of the checkpoint of a shard in seconds; None if unknown."""
    return time_since(shard.updated_at, now)


def time_since(instant: float | None, now: float) -> float | None:
    """Return the seconds since an instant; None if that is unknown."""
    # Clocks differ and can be set back, so an instant can be in the future. Its age is 0.
    return None if instant is None else max(0.0, now - instant)
