"""Synthetic statuses of any number of shards, as after polls."""

import time

from exporter.model.names import GroupKey, TargetKey
from exporter.model.progress import ShardProgress
from exporter.model.snapshot import GroupSnapshot, GroupStatus, Instant, TargetStatus

SHARDS_A_GROUP = 64


def targets(shards: int, *, idle: float = 0.0) -> tuple[TargetStatus, ...]:
    """Return logstores with one group each; the last may have fewer shards than the others.

    All shards were written to recently, except shards without unread log groups if ``idle`` is
    set. Those have been idle for ``idle`` seconds or up to twice as long.
    """
    starts = range(0, shards, SHARDS_A_GROUP)
    return tuple(
        target(number, min(SHARDS_A_GROUP, shards - start), idle=idle)
        for number, start in enumerate(starts)
    )


def target(number: int, shards: int = SHARDS_A_GROUP, *, idle: float = 0.0) -> TargetStatus:
    """Return a logstore with one group that is behind in two thirds of its shards."""
    key = TargetKey(
        "https://cn-shanghai.log.aliyuncs.com",
        "production-project",
        f"application-logstore-{number}",
    )
    now = time.monotonic()
    snapshot = GroupSnapshot(
        polled=Instant(server=1_800_000_000.0, monotonic=now),
        shards=tuple(_progress(number, shard, idle) for shard in range(shards)),
    )
    group = GroupStatus(
        key=GroupKey(*key, "consumer-group"),
        last_success=1_800_000_000.0,
        snapshot=snapshot,
        interval=86_400.0,
        stale_after=86_400.0,
    )
    return TargetStatus(key=key, groups=(group,), polled_monotonic=now, stale_after=86_400.0)


def _progress(number: int, shard: int, idle: float) -> ShardProgress:
    age = shard * 1.37 + (0.0 if shard % 3 else idle * (1 + shard / SHARDS_A_GROUP))
    return ShardProgress(
        shard=shard,
        consumer=f"consumer-{number}-{shard}",
        checkpoint="MTUyNDE1NTM3OTM3MzkwODQ5Ng==",
        updated_at=1_800_000_000.0 - age,
        moved_at=1_800_000_000.0 - age,
        unread=shard % 3,
        lag_seconds=shard * 0.9,
        oldest_unread_at=1_799_999_990.0 if shard % 3 else None,
        readonly=False,
        expired=False,
        evaluated_at=1_800_000_000.0,
        read_at=1_800_000_000.0,
    )
