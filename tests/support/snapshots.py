"""Snapshots built by hand, with defaults for everything that a test does not need."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from exporter.model.names import GroupKey, TargetKey
from exporter.model.progress import Cause, ShardProgress
from exporter.model.shards import ConsumerGroup
from exporter.model.snapshot import (
    DEFAULT_SETTINGS,
    Failure,
    GroupSettings,
    GroupSnapshot,
    GroupStatus,
    Instant,
    Labels,
    TargetStatus,
)
from exporter.sls.remedies import NO_CURSOR_ACCESS

ENDPOINT = "https://example.com"
KEY = TargetKey(ENDPOINT, "shop", "orders")


_CAUGHT_UP = ShardProgress(
    shard=0,
    consumer="worker-1",
    checkpoint="MTA=",
    updated_at=900.0,
    moved_at=900.0,
    unread=0,
    lag_seconds=0.0,
    oldest_unread_at=None,
    readonly=False,
    expired=False,
    evaluated_at=1000.0,
    read_at=1000.0,
)


def shard(number: int = 0, **changes: Any) -> ShardProgress:  # noqa: ANN401  any field
    """Build a shard that has caught up, except for the changes."""
    return replace(_CAUGHT_UP, shard=number, **changes)


def group(
    *shards: ShardProgress,
    name: str = "billing",
    failure: Failure | None = None,
    listing: ConsumerGroup | None = None,
    has_snapshot: bool = True,
    key: TargetKey = KEY,
    hidden: frozenset[int] = frozenset(),
    causes: Mapping[int, Cause] | None = None,
    settings: GroupSettings = DEFAULT_SETTINGS,
    retention_seconds: float | None = None,
) -> GroupStatus:
    """Build a group that was polled at 1000 by the server's clock and 50 by the exporter's."""
    polled = Instant(server=1000.0, monotonic=50.0)
    snapshot = GroupSnapshot(polled=polled, shards=shards, hidden=hidden, causes=causes or {})
    return GroupStatus(
        key=GroupKey(*key, name),
        last_success=1000.0 if has_snapshot else None,
        failure=failure,
        snapshot=snapshot if has_snapshot else None,
        interval=60.0,
        stale_after=180.0,
        settings=settings,
        retention_seconds=retention_seconds,
        listing=listing,
    )


def with_unnamed(status: GroupStatus, unnamed: int) -> GroupStatus:
    """Return a group with some more shards that no response names."""
    assert status.snapshot is not None
    return replace(status, snapshot=replace(status.snapshot, unnamed=unnamed))


def target(
    *groups: GroupStatus,
    key: TargetKey = KEY,
    shards_by_status: dict[str, int] | None = None,
    retention_seconds: float | None = None,
    cursor_access: bool | None = True,
    retention_access: bool | None = None,
    labels: Labels = (),
    shard_failure: Failure | None = None,
) -> TargetStatus:
    """Build a logstore."""
    return TargetStatus(
        key=key,
        groups=groups,
        polled_monotonic=50.0,
        stale_after=180.0,
        shards_by_status=shards_by_status,
        retention_seconds=retention_seconds,
        cursor_access=cursor_access,
        retention_access=retention_access,
        labels=labels,
        shard_failure=shard_failure,
        cursor_remedy=None if cursor_access else NO_CURSOR_ACCESS,
    )
