"""Pure functions from the steps between two polls to the totals of a consumer group."""

from collections.abc import Iterable, Mapping

from exporter.evaluation.owners import has_new_owner
from exporter.model.progress import ShardProgress, Totals
from exporter.model.shards import decode_cursor

LEAP = 10_000_000_000
"""No shard gets or consumes so many log groups between two polls.

Cursors begin near the creation of a shard in nanoseconds, so a step that is larger leads from a
shard to another one that was created later. Or the earlier cursor was not one of the shard.
"""


def advanced(
    totals: Totals, previous: Mapping[int, ShardProgress], shards: Iterable[ShardProgress]
) -> Totals:
    """Return the totals after a poll, from those before it and the progress before and after.

    The first poll of a shard counts nothing, since nothing is known of the time before it.
    """
    consumed, written = totals.consumed, totals.written
    owner_changes, resets = totals.owner_changes, totals.checkpoint_resets
    for shard in shards:
        if written is None and shard.end is not None:
            written = 0
        before = previous.get(shard.shard)
        if before is None or before is shard or _is_recreated(before, shard):
            continue
        step = _checkpoint_step(before, shard)
        consumed += _log_groups(step)
        resets += step < 0
        owner_changes += has_new_owner(before, shard)
        if written is not None and before.end is not None and shard.end is not None:
            written += _log_groups(shard.end - before.end)
    return Totals(
        consumed=consumed, written=written, owner_changes=owner_changes, checkpoint_resets=resets
    )


def _is_recreated(before: ShardProgress, shard: ShardProgress) -> bool:
    """Return whether the end of a shard went backwards, so that it is another shard."""
    return before.end is not None and shard.end is not None and shard.end < before.end


def _log_groups(step: int) -> int:
    """Return the log groups in a step of a cursor; 0 if it goes backwards or leaps."""
    return max(0, step) if step <= LEAP else 0


def _checkpoint_step(before: ShardProgress, shard: ShardProgress) -> int:
    """Return the log groups by which a checkpoint advanced; negative if it was set back."""
    if before.checkpoint == shard.checkpoint:
        return 0
    start, reached = decode_cursor(before.checkpoint), decode_cursor(shard.checkpoint)
    return 0 if start is None or reached is None else reached - start
