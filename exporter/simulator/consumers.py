"""Consumers of one group: their shards, and the times at which they write checkpoints.

A consumer writes a checkpoint at its flush times, and only if it changed since its last write, as
all official consumer libraries do. States are computed where possible instead of simulated.
"""

from collections.abc import Collection
from typing import TypedDict

from msgspec import Struct, field

from exporter.simulator.cursors import decode_cursor, encode_cursor
from exporter.simulator.errors import consumer_not_exist, consumer_not_match
from exporter.simulator.membership import Membership
from exporter.simulator.shard import Shard, ticks


class Checkpoint(Struct, frozen=True, kw_only=True):
    """A checkpoint with the time (Unix seconds) and the owner of its last write."""

    text: str
    updated_at: float
    consumer: str


class PaceOptions(TypedDict, total=False):
    """The fields of ``Pace``, as keyword arguments."""

    flush_interval: float
    max_rate: float | None
    rewrite: bool
    writes_as: str | None
    behind: float


class Pace(Struct, frozen=True, kw_only=True):
    """The read rate and the flush times of a consumer.

    - flush_interval: in seconds.
    - max_rate: log groups per second and shard. Without it, everything is read.
    - rewrite: whether an unchanged checkpoint is written again.
    - writes_as: the owner in its checkpoints, if not its own name ("" for Flink).
    - behind: age in seconds of a log group when it is read.
    """

    flush_interval: float = 60.0
    max_rate: float | None = None
    rewrite: bool = False
    writes_as: str | None = None
    behind: float = 0.0


class Reader:
    """One consumer that reads one shard. Only its flush times depend on the clock."""

    def __init__(
        self, shard: Shard, *, pace: Pace, started: float, now: float, saved: int | None
    ) -> None:
        end = shard.log.end(now)
        self._shard = shard
        self._pace = pace
        self._started = started
        # The service refuses a checkpoint ahead of the end, and the library starts again.
        self._saved = saved if saved is not None and saved <= end else None
        self._frozen = False
        self._tick = 0
        self._position = 0
        self._read_at = now
        self._allowance = 0.0
        self._start(now)

    def catch_up(self, now: float) -> tuple[int, float] | None:
        """Read and flush up to an instant; return the last (index, time) written, if any."""
        tick = self._ticks(now)
        if self._frozen or tick <= self._tick:
            return None
        written = self._read_paced(tick) if self._pace.max_rate else self._read_all(tick)
        self._tick = tick
        return written

    def finish(self, now: float) -> tuple[int, float] | None:
        """Read and flush one last time between two flush times, as a library at shutdown."""
        if self._frozen:
            return None
        index = self._advance(now) if self._pace.max_rate else self._readable(now)
        return self._write(index, now)

    def freeze(self) -> None:
        """Stop reading this shard, as a consumer that fails permanently on one log group."""
        self._frozen = True

    def thaw(self, now: float) -> None:
        """Continue from the last checkpoint."""
        self._frozen = False
        self._start(now)

    def _start(self, now: float) -> None:
        begin = self._shard.log.begin(now)
        self._position = begin if self._saved is None else max(begin, self._saved)
        self._tick = self._ticks(now)
        self._read_at = now
        self._allowance = 0.0

    def _read_all(self, tick: int) -> tuple[int, float] | None:
        end = self._readable(self._time(tick))
        flush = tick
        if not self._pace.rewrite:
            # The flush that wrote this value was the first one after the newest log group.
            flush = self._tick + 1
            if end:
                newest = self._shard.log.received(end - 1) + self._pace.behind
                at = self._ticks(newest)
                flush = max(flush, at if self._time(at) == newest else at + 1)
        return self._write(end, self._time(flush))

    def _read_paced(self, tick: int) -> tuple[int, float] | None:
        written = None
        for flush in range(self._tick + 1, tick + 1):
            time = self._time(flush)
            written = self._write(self._advance(time), time) or written
        return written

    def _advance(self, now: float) -> int:
        self._allowance += (self._pace.max_rate or 0.0) * (now - self._read_at)
        self._read_at = now
        whole = int(self._allowance)
        self._allowance -= whole
        end = self._readable(now)
        self._position = min(end, max(self._position, self._shard.log.begin(now)) + whole)
        if self._position == end:
            self._allowance = 0.0
        return self._position

    def _readable(self, now: float) -> int:
        return max(self._position, self._shard.log.end(now - self._pace.behind))

    def _write(self, index: int, now: float) -> tuple[int, float] | None:
        if index == self._saved and not self._pace.rewrite:
            return None
        self._saved = index
        return index, now

    def _ticks(self, now: float) -> int:
        return ticks(now, first=self._started, interval=self._pace.flush_interval)

    def _time(self, tick: int) -> float:
        return self._started + tick * self._pace.flush_interval


class Consumer(Struct, kw_only=True):
    """A consumer of a group, with its start time, its read rate and its shards."""

    name: str
    pace: Pace
    started: float
    readers: dict[int, Reader] = field(default_factory=dict)

    @property
    def writes_as(self) -> str:
        """The owner's name in the checkpoints of this consumer."""
        return self.name if self.pace.writes_as is None else self.pace.writes_as


class Group(Struct, kw_only=True):
    """A consumer group: its checkpoints by shard, its consumers and its members.

    The members are external consumers, which send heartbeats.
    """

    name: str
    timeout: int
    order: bool
    empty_until_heartbeat: bool
    checkpoints: dict[int, Checkpoint] = field(default_factory=dict)
    consumers: dict[str, Consumer] = field(default_factory=dict)
    members: Membership = field(default_factory=Membership)
    was_alive: bool = False

    def catch_up(self, now: float, shards: dict[int, Shard]) -> None:
        """Let every consumer read and flush up to an instant, and forget deleted shards."""
        for consumer in self.consumers.values():
            for shard_id in [shard_id for shard_id in consumer.readers if shard_id not in shards]:
                del consumer.readers[shard_id]
            for shard_id, reader in consumer.readers.items():
                self._save(consumer, shards[shard_id], reader.catch_up(now))
        self.members.expire(shards, timeout=self.timeout, now=now)
        for shard_id in [shard_id for shard_id in self.checkpoints if shard_id not in shards]:
            del self.checkpoints[shard_id]

    def take(self, consumer: Consumer, shard: Shard, now: float) -> None:
        """Assign a shard to a consumer, which continues from the saved checkpoint."""
        for other in self.consumers.values():
            other.readers.pop(shard.shard_id, None)
        saved = self.checkpoints.get(shard.shard_id)
        cursor = decode_cursor(saved.text) if saved is not None else None
        consumer.readers[shard.shard_id] = Reader(
            shard,
            pace=consumer.pace,
            started=consumer.started,
            now=now,
            saved=cursor - shard.birth if cursor is not None else None,
        )

    def finish(self, consumer: Consumer, shards: dict[int, Shard], now: float) -> None:
        """Let a consumer read and flush one last time."""
        for shard_id, reader in consumer.readers.items():
            self._save(consumer, shards[shard_id], reader.finish(now))

    def heart_beat(
        self, consumer: str, reported: Collection[int], shards: dict[int, Shard], now: float
    ) -> list[int]:
        """Record a heartbeat, and return the shards that this consumer should own."""
        self.was_alive = True
        return self.members.heart_beat(consumer, reported, self._ready(shards), now)

    def check_holder(self, consumer: str, shard: int) -> None:
        """Raise ServiceError unless an external consumer is alive and holds a shard."""
        if not consumer or consumer not in self.members.heartbeats:
            raise consumer_not_exist(consumer)
        if self.members.holders.get(shard) != consumer:
            raise consumer_not_match(consumer, shard)

    def _ready(self, shards: dict[int, Shard]) -> list[int]:
        """Return the shards that may be owned: in an ordered group, those after all ancestors."""
        if not self.order:
            return list(shards)
        ready: list[int] = []
        for shard in shards.values():  # A parent is listed before its children.
            parents = [shards[parent] for parent in shard.parents if parent in shards]
            if all(each.shard_id in ready and self._has_finished(each) for each in parents):
                ready.append(shard.shard_id)
        return ready

    def _has_finished(self, shard: Shard) -> bool:
        if shard.readonly_since is None:
            return False
        saved = self.checkpoints.get(shard.shard_id)
        cursor = decode_cursor(saved.text) if saved is not None else None
        end = shard.end_cursor(shard.readonly_since)
        return end == shard.birth or (cursor is not None and cursor >= end)

    def _save(self, consumer: Consumer, shard: Shard, written: tuple[int, float] | None) -> None:
        if written is not None:
            index, at = written
            self.checkpoints[shard.shard_id] = Checkpoint(
                text=encode_cursor(shard.birth + index),
                updated_at=at,
                consumer=consumer.writes_as,
            )
