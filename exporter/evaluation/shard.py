"""Pure functions from the values that a poll read to the state of a shard.

The age of a checkpoint alone is misleading. A consumer that has nothing to read writes no
checkpoint, so its last write grows old although all is well. A writer that repeats the same
checkpoint looks fresh although nothing moves. The state therefore depends on whether unread data
exists and how long nothing has moved.
"""

from math import ceil, floor

from msgspec.structs import replace

from exporter.model.progress import ShardEnd, ShardProgress, State, Unread
from exporter.model.shards import Checkpoint, decode_cursor

_IMPRECISION = 1e-3  # in tenths of a second; more than the rounding error of current Unix times


def evaluate(
    checkpoint: Checkpoint,
    *,
    previous: ShardProgress | None,
    end: ShardEnd | None,
    unread: Unread,
    seen_at: float,
) -> ShardProgress:
    """Return the progress in one shard from its checkpoint, its previous progress and its end.

    Without an end (no permission to read it, or it could not be read) only ages are known.
    ``unread`` matters only for a shard that is behind. ``seen_at`` is the time of this poll.
    Log groups that have expired are not counted as unread, since nothing can read them.
    """
    shard, cursor, updated_at, consumer = checkpoint
    is_consumed = cursor != ""
    count = None
    is_expired = False
    if end is not None:
        last_end: int | None = end.cursor
        first = unread.first_cursor
        start = decode_cursor(cursor) if is_consumed else first
        if start is not None:
            count = max(0, end.cursor - (start if first is None else max(start, first)))
            is_expired = is_consumed and unread.expired and start < end.cursor
    else:
        last_end = None if previous is None else previous.end
    moved_at = lag_seconds = None
    if is_consumed:
        moved_at = last_move(checkpoint, previous, seen_at)
        lag_seconds = None if count is None else _lag(count, unread)
    # Arguments by name would take twice as long.
    return ShardProgress(
        shard,
        consumer,
        cursor,
        updated_at if is_consumed else None,
        moved_at,
        count,
        lag_seconds,
        unread.oldest_at if count else None,
        end is not None and end.readonly,
        is_expired,
        None if end is None else seen_at,
        seen_at,
        last_end,
    )


def carry_over(
    progress: ShardProgress, previous: ShardProgress, *, now: float, max_age: float
) -> ShardProgress:
    """Keep the earlier state of unread data, if it is not older than ``max_age`` seconds.

    This is for a poll that read the checkpoint but failed to read the end. Such a failure must
    neither fire nor resolve an alert, so a stall does not grow beyond the earlier reading: its data
    may be younger than estimated, and it may be consumed by now.
    """
    if previous.evaluated_at is None or now - previous.evaluated_at > max_age:
        return progress
    return replace(
        progress,
        unread=previous.unread,
        lag_seconds=previous.lag_seconds,
        oldest_unread_at=previous.oldest_unread_at,
        readonly=previous.readonly,
        expired=previous.expired,
        evaluated_at=previous.evaluated_at,
        read_at=previous.read_at,
    )


def stalled_seconds(
    progress: ShardProgress, now: float, *, interval: float = float("inf")
) -> float | None:
    """Return for how long nothing has moved although unread data exists; 0 when caught up.

    The formula is now - max(moved, received). ``moved`` is when the checkpoint last moved, and
    ``received`` is when SLS received the oldest unread log group, so new data is not a stall.
    After a reading, the value grows for one ``interval`` at most, so a late poll is not a stall
    either. The value is None if it is not known.
    """
    if progress.is_consumed and progress.unread == 0:
        return 0.0
    since = stalled_since(progress)
    return None if since is None else elapsed_seconds(since, min(now, progress.read_at + interval))


def elapsed_seconds(since: float, now: float) -> float:
    """Return the time between two instants in seconds, in whole tenths; 0 if it is negative.

    The result is at most the exact time, and less than a fifth of a second below it.
    """
    return max(0, last_tenth(now) - first_tenth(since)) / 10


def first_tenth(instant: float) -> int:
    """Return the first tenth of a second that is not before an instant (unix seconds)."""
    return ceil(instant * 10 - _IMPRECISION)


def last_tenth(instant: float) -> int:
    """Return the last tenth of a second that is not after an instant (unix seconds)."""
    return floor(instant * 10 + _IMPRECISION)


def stalled_since(progress: ShardProgress) -> float | None:
    """Return the time from which a stall counts in a shard that is behind, otherwise None."""
    if not progress.unread or not progress.is_consumed:
        return None
    moved_at, oldest_unread_at = progress.moved_at, progress.oldest_unread_at
    if moved_at is None or oldest_unread_at is None:
        return oldest_unread_at if moved_at is None else moved_at
    return max(moved_at, oldest_unread_at)


def state(progress: ShardProgress, now: float, *, stall_after: float) -> State:
    """Return the state of the shard at an instant.

    A shard is stalled only if a poll has seen it. The value of stalled_seconds continues to grow
    between polls, in which a consumer that commits once per ``stall_after`` may have moved.

    A shard is expired until its checkpoint has passed the log groups that were lost, even if there
    is nothing left to read.
    """
    if not progress.checkpoint:
        return _state_without_checkpoint(progress)
    if progress.unread is None:  # as the end is not known
        return State.UNKNOWN
    if progress.expired:
        return State.EXPIRED
    if progress.unread == 0:
        return State.FINISHED if progress.readonly else State.CAUGHT_UP
    seen_at = min(now, progress.read_at)
    since = stalled_since(progress)
    if since is None:  # as both times are not known
        return State.UNKNOWN
    return State.STALLED if elapsed_seconds(since, seen_at) > stall_after else State.CONSUMING


def _state_without_checkpoint(progress: ShardProgress) -> State:
    """Return the state of a shard that was never consumed.

    An empty read-only shard is finished, since some consumer libraries never write a checkpoint
    there. If the end should be known and is not, unread data would be unnoticed.
    """
    if progress.unread is None and progress.is_blind:
        return State.UNKNOWN
    is_empty = progress.readonly and progress.unread == 0
    return State.FINISHED if is_empty else State.UNCONSUMED


def last_move(
    checkpoint: Checkpoint, previous: ShardProgress | None, seen_at: float
) -> float | None:
    """Return when a checkpoint last took another value, as far as polls can tell."""
    if previous is not None and previous.checkpoint == checkpoint.cursor:
        # A newer updateTime with the same value is a rewrite, not progress.
        return previous.moved_at
    if checkpoint.updated_at is not None:
        # A time in the future would make a dead consumer look fresh until then.
        return min(checkpoint.updated_at, seen_at)
    return None if previous is None else seen_at


def _lag(count: int, unread: Unread) -> float | None:
    """Return the lag as SLS defines it: receive time of the newest minus last consumed log.

    Source: the samples of the CloudMonitor metric ConsumerGroupFallBehind in the vendor's
    documentation. If the last consumed log has expired, the oldest unread one replaces it.
    """
    if count == 0:
        return 0.0
    consumed_at = unread.oldest_at if unread.consumed_at is None else unread.consumed_at
    if consumed_at is None or unread.newest_at is None:
        return None
    return max(0.0, round(unread.newest_at - consumed_at, 1))
