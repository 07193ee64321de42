"""The judge: pure functions from what a poll read to where a shard stands.

Age alone lies. A consumer that has nothing to read writes no checkpoint, so its last write grows
old while all is well; a writer that repeats itself looks fresh while nothing moves. What counts is
whether unread data exists and since when nothing has moved.
"""

from math import ceil, floor

from msgspec.structs import replace

from exporter.model.progress import ShardEnd, ShardProgress, State, Unread
from exporter.model.shards import Checkpoint, decode_cursor

_IMPRECISION = 1e-3  # of a tenth of a second: more than floats of this century lack


def evaluate(
    checkpoint: Checkpoint,
    *,
    previous: ShardProgress | None,
    end: ShardEnd | None,
    unread: Unread,
    seen_at: float,
) -> ShardProgress:
    """Judge one shard from its checkpoint, what the poll before found, and the shard's end.

    Without an end (no right to read it, or it could not be read) only ages are known. ``unread``
    matters only for a shard that is behind; ``seen_at`` is the time of this poll.
    """
    shard, cursor, updated_at, consumer = checkpoint
    is_consumed = cursor != ""
    count = None
    if end is not None:
        start = decode_cursor(cursor) if is_consumed else unread.first_cursor
        count = None if start is None else max(0, end.cursor - start)
    moved_at = lag_seconds = None
    if is_consumed:
        moved_at = last_move(checkpoint, previous, seen_at)
        lag_seconds = None if count is None else _lag(count, unread)
    # By position, in the order of the fields: by name it takes twice as long.
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
        is_consumed and bool(count) and unread.expired,
        None if end is None else seen_at,
        seen_at,
    )


def is_behind(checkpoint: Checkpoint, end: ShardEnd) -> bool:
    """Tell whether the times of unread log groups matter.

    They do where nothing was consumed yet and where the checkpoint is before the end; a checkpoint
    that cannot be read tells nothing.
    """
    if not checkpoint.cursor:
        return True
    start = decode_cursor(checkpoint.cursor)
    return start is not None and start < end.cursor


def carry_over(
    progress: ShardProgress, previous: ShardProgress, *, now: float, max_age: float
) -> ShardProgress:
    """Keep an earlier verdict on unread data, if not older than ``max_age`` seconds.

    For a poll that read the checkpoint but failed to read the end: an alarm must neither fire nor
    end because of that.
    """
    if previous.judged_at is None or now - previous.judged_at > max_age:
        return progress
    return replace(
        progress,
        unread=previous.unread,
        lag_seconds=previous.lag_seconds,
        oldest_unread_at=previous.oldest_unread_at,
        readonly=previous.readonly,
        expired=previous.expired,
        judged_at=previous.judged_at,
    )


def stalled_seconds(
    progress: ShardProgress, now: float, *, interval: float = float("inf")
) -> float | None:
    """Return for how long nothing has moved although unread data exists; 0 when caught up.

    The formula is now - max(when the checkpoint last moved, when the oldest unread log group was
    received): data that has only just come in is not a stall. After a reading the value counts on
    for one ``interval`` at most, so that a late poll is not a stall. None if it is not known.
    """
    if not progress.is_consumed or progress.unread is None:
        return None
    if progress.unread == 0:
        return 0.0
    since = stalled_since(progress)
    return None if since is None else elapsed_seconds(since, min(now, progress.read_at + interval))


def elapsed_seconds(since: float, now: float) -> float:
    """Return the whole tenths of a second between two instants, in seconds, 0 if there are none.

    It is never more than has passed, and less than a fifth of a second less.
    """
    return max(0, last_tenth(now) - first_tenth(since)) / 10


def first_tenth(instant: float) -> int:
    """Return the first tenth of a second that is not before an instant (unix seconds)."""
    return ceil(instant * 10 - _IMPRECISION)


def last_tenth(instant: float) -> int:
    """Return the last tenth of a second that is not after an instant (unix seconds)."""
    return floor(instant * 10 + _IMPRECISION)


def stalled_since(progress: ShardProgress) -> float | None:
    """Return since when nothing has moved in a shard that is behind, else None."""
    if not progress.unread or not progress.is_consumed:
        return None
    moved_at, oldest_unread_at = progress.moved_at, progress.oldest_unread_at
    if moved_at is None or oldest_unread_at is None:
        return oldest_unread_at if moved_at is None else moved_at
    return max(moved_at, oldest_unread_at)


def state(progress: ShardProgress, now: float, *, stall_after: float) -> State:
    """Name where the shard stands at an instant.

    Stalled is said only of what a poll has seen: stalled_seconds goes on counting between polls,
    in which a consumer that commits as rarely as ``stall_after`` may have moved.
    """
    if not progress.checkpoint:
        return State.UNCONSUMED
    if progress.unread is None:  # as the end is not known
        return State.UNKNOWN
    if progress.unread == 0:
        return State.FINISHED if progress.readonly else State.CAUGHT_UP
    if progress.expired:
        return State.EXPIRED
    seen_at = min(now, progress.read_at)
    since = stalled_since(progress)
    if since is None:  # as both times are not known
        return State.UNKNOWN
    return State.STALLED if elapsed_seconds(since, seen_at) > stall_after else State.CONSUMING


def last_move(
    checkpoint: Checkpoint, previous: ShardProgress | None, seen_at: float
) -> float | None:
    """Return when a checkpoint last took another value, as far as polls can tell."""
    if previous is not None and previous.checkpoint == checkpoint.cursor:
        # A newer updateTime on the same value is a rewrite, not progress.
        return previous.moved_at
    if checkpoint.updated_at is not None:
        # One that lies ahead would keep a dead consumer fresh until its time has come.
        return min(checkpoint.updated_at, seen_at)
    return None if previous is None else seen_at


def _lag(count: int, unread: Unread) -> float | None:
    """Return SLS's own lag: receive time of the newest log minus that of the last consumed one.

    Source: the samples of the CloudMonitor metric ConsumerGroupFallBehind in the vendor's
    documentation. Where the last consumed log has expired, the oldest unread one stands in.
    """
    if count == 0:
        return 0.0
    consumed_at = unread.oldest_at if unread.consumed_at is None else unread.consumed_at
    if consumed_at is None or unread.newest_at is None:
        return None
    return max(0.0, round(unread.newest_at - consumed_at, 1))
