"""Pure functions from the progress of two polls to the changes of owners.

The owner of a shard is the name in its checkpoint. A write without a name does not show who owns
the shard, so a name that appears or disappears is not a change.
"""

from collections.abc import Iterable, Mapping

from exporter.model.progress import OwnerChange, ShardProgress

OwnerChanges = Mapping[int, tuple[OwnerChange, ...]]
"""The recent changes of each shard that has any, the oldest first."""

_KEPT = 2
"""Number of changes to remember per shard."""
_KEPT_STALLS = 3
"""Time to remember a change, as a multiple of ``stall_after``."""


def has_new_owner(previous: ShardProgress, shard: ShardProgress) -> bool:
    """Return whether the owner of a shard differs from that in the previous poll."""
    names = {previous.consumer, shard.consumer}
    return len(names) > 1 and "" not in names


def owner_changes(
    known: OwnerChanges,
    previous: Mapping[int, ShardProgress],
    shards: Iterable[ShardProgress],
    *,
    now: float,
    stall_after: float,
) -> OwnerChanges:
    """Return the recent changes of owners after a poll, from those that were known before it."""
    kept_from = now - _KEPT_STALLS * stall_after
    changes = {
        shard: recent
        for shard, each in known.items()
        if (recent := tuple(change for change in each if change.at >= kept_from))
    }
    for shard in shards:
        before = previous.get(shard.shard)
        if before is not None and has_new_owner(before, shard):
            change = OwnerChange(_changed_at(before, shard), before.consumer, before.moved_at)
            changes[shard.shard] = (*changes.get(shard.shard, ()), change)[-_KEPT:]
    return changes


def _changed_at(previous: ShardProgress, shard: ShardProgress) -> float:
    """Return the time of the write by the new owner, or of the poll if there was no write."""
    updated_at = shard.updated_at
    if updated_at is None or updated_at == previous.updated_at:
        return shard.read_at
    return min(updated_at, shard.read_at)
