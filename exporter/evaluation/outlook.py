"""Pure functions from the positions of a consumer group to when it will have caught up.

The speed of a consumer in a shard is the rate at which the receive time of the data that it reads
advances. At 1 it keeps its distance from the newest data, and at 2 it catches up by one second per
second. docs/truth.md explains the formulas and how exact they are.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import NamedTuple

from exporter.evaluation.shard import elapsed_seconds, stalled_since
from exporter.model.progress import (
    UNKNOWN_OUTLOOK,
    Outlook,
    Position,
    ShardProgress,
    Track,
    Unread,
)

_SPAN_POLLS = 5
"""Number of polling intervals from which on a speed is known."""
_KEPT_SPANS = 3
_INEXACT = 0.25
"""The largest error of a position, as a share of the span."""
_SMALL_ERROR = 0.1
"""The largest error of a speed that counts as 1 if it may be above or below 1."""
_WHOLE_SECOND = 1.0
_KEEPS_UP = Outlook(catch_up_seconds=0.0)


class Timing(NamedTuple):
    """The durations in seconds that a speed depends on."""

    interval: float
    stall_after: float

    @property
    def span(self) -> float:
        """The shortest time between two positions from which a speed is computed."""
        return max(_SPAN_POLLS * self.interval, self.stall_after)


class Speed(NamedTuple):
    """The speed of a consumer, in seconds of data per second, and its largest error."""

    value: float
    error: float


def position_of(shard: ShardProgress, unread: Unread, timing: Timing) -> Position | None:
    """Return the position of a shard that is behind; None if it is not known exactly enough."""
    at, time = shard.moved_at, unread.consumed_at
    if not shard.unread or shard.expired or at is None or time is None:
        return None
    is_exact = unread.consumed_error <= _INEXACT * timing.span
    is_behind = shard.read_at - time > timing.stall_after
    return Position(at, time, unread.consumed_error) if is_exact and is_behind else None


def tracks_after(
    known: Mapping[int, Track],
    positions: Mapping[int, Position],
    shards: Iterable[ShardProgress],
    timing: Timing,
) -> Mapping[int, Track]:
    """Return the positions to remember after a poll, by shard, from those known before it.

    A shard that is not behind has none.
    """
    tracks: dict[int, Track] = {}
    for shard in shards:
        track = known.get(shard.shard, ())
        position = positions.get(shard.shard)
        if position is not None:
            tracks[shard.shard] = extended(track, position, timing)
        elif track and not _is_near_end(shard, timing):
            tracks[shard.shard] = track
    return tracks


def extended(track: Track, position: Position, timing: Timing) -> Track:
    """Return a track with one more position, without those that are too old.

    A track begins again at a position that is older data, since the checkpoint was set back.
    """
    kept = [each for each in track if each.at >= position.at - _KEPT_SPANS * timing.span]
    if not kept or position.time + position.error < kept[-1].time - kept[-1].error:
        return (position,)
    last = kept[-1]
    if position.at <= last.at:
        return (*kept[:-1], min(last, position, key=lambda each: each.error))
    if len(kept) > 1 and last.at - kept[-2].at < timing.span:
        kept.pop()
    return (*kept, position)


def speed_of(track: Track, now: float, timing: Timing) -> Speed | None:
    """Return the mean speed over a track; None if it is too short or too old.

    A position is that of a written checkpoint at the time of the write. So it does not matter when
    between two writes the polls happened, and whether polls were missed.
    """
    if not track:
        return None
    first, last = track[0], track[-1]
    elapsed = last.at - first.at
    if elapsed < timing.span or now - last.at > 2 * timing.span:
        return None
    error = first.error + last.error + 2 * _WHOLE_SECOND
    return Speed((last.time - first.time) / elapsed, error / elapsed)


def shard_outlook(
    shard: ShardProgress, track: Track, *, now: float, timing: Timing, retention: float | None
) -> Outlook:
    """Return when a consumer will have caught up in a shard, and when it will lose data.

    A consumer that is behind by ``stall_after`` at most keeps up: it may commit that rarely.
    """
    if not shard.is_consumed or shard.unread is None:
        return UNKNOWN_OUTLOOK
    if _is_near_end(shard, timing):
        return _KEEPS_UP
    oldest_at = _oldest_at(shard, track)
    if oldest_at is None:
        return UNKNOWN_OUTLOOK
    since = stalled_since(shard)
    is_stalled = since is not None and elapsed_seconds(since, now) > timing.stall_after
    speed = Speed(0.0, 0.0) if is_stalled else speed_of(track, now, timing)
    if speed is None:
        return UNKNOWN_OUTLOOK
    age = now - oldest_at
    left = None if retention is None else max(0.0, retention - age)
    found = _at_speed(speed, age, left)
    # Nothing is written to a read-only shard, so even a slow consumer reaches its end.
    if shard.readonly and shard.lag_seconds is not None and speed.value > 0:
        finished = shard.lag_seconds / speed.value
        if found.data_loss_seconds is None or finished < found.data_loss_seconds:
            return Outlook(catch_up_seconds=finished)
    return found


def group_outlook(
    shards: Sequence[ShardProgress],
    tracks: Mapping[int, Track],
    *,
    now: float,
    timing: Timing,
    retention: float | None,
) -> Outlook:
    """Return the outlook of a group, which is that of its worst shard.

    The time to catch up is not known if it is not known for the shard that is furthest behind.
    """
    unread = [
        (shard, tracks.get(shard.shard, ()))
        for shard in shards
        if shard.is_consumed and shard.unread != 0
    ]
    if not unread:
        return _KEEPS_UP if any(shard.unread == 0 for shard in shards) else UNKNOWN_OUTLOOK
    found = [shard_outlook(*each, now=now, timing=timing, retention=retention) for each in unread]
    times = [each.catch_up_seconds for each in found if each.catch_up_seconds is not None]
    losses = [each.data_loss_seconds for each in found if each.data_loss_seconds is not None]
    oldest = [_oldest_at(*each) for each in unread]
    ages = [inf if at is None else now - at for at in oldest]
    furthest = found[ages.index(max(ages))]
    longest = max(times, default=None)
    is_known = furthest.catch_up_seconds is not None or longest == inf
    return Outlook(
        catch_up_seconds=longest if is_known else None,
        data_loss_seconds=min(losses, default=None),
    )


def _at_speed(speed: Speed, age: float, left: float | None) -> Outlook:
    """Return the outlook of a consumer that keeps its speed, ``left`` before it loses data."""
    value, error = speed
    if value - error > 1:
        return Outlook(catch_up_seconds=age / (value - 1))
    if value + error < 1:
        loss = None if left is None else left / (1 - value)
        return Outlook(catch_up_seconds=inf, data_loss_seconds=loss)
    return Outlook(catch_up_seconds=inf) if error <= _SMALL_ERROR else UNKNOWN_OUTLOOK


def _oldest_at(shard: ShardProgress, track: Track) -> float | None:
    """Return when the oldest unread data was received, or the last consumed data if unknown."""
    if shard.oldest_unread_at is None and track:
        return track[-1].time
    return shard.oldest_unread_at


def _is_near_end(shard: ShardProgress, timing: Timing) -> bool:
    """Return whether a shard has no unread data, or none that is older than ``stall_after``."""
    if shard.unread == 0:
        return True
    oldest_at = shard.oldest_unread_at
    return oldest_at is not None and shard.read_at - oldest_at <= timing.stall_after
