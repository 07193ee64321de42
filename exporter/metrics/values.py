"""The values of metrics that need more than a field of a snapshot."""

from math import inf

from exporter.evaluation.shard import stalled_since, state
from exporter.metrics.family import Column, Shards, Values
from exporter.model.progress import Cause, State
from exporter.model.snapshot import GroupSnapshot, GroupStatus


def stalled_instants(shards: Shards) -> Column:
    """Return the instants since which shards have stalled, infinity for those that caught up."""
    return [
        inf if shard.unread == 0 and shard.is_consumed else stalled_since(shard) for shard in shards
    ]


def shards_by_state(group: GroupStatus, snapshot: GroupSnapshot | None) -> Values:
    """Count shards by their state at the poll: a stall counts once a poll has seen it."""
    if snapshot is None:
        return {}
    now = snapshot.polled.server
    states = [
        state(shard, now, stall_after=group.settings.stall_after) for shard in snapshot.shards
    ]
    states += [State.UNKNOWN] * snapshot.unnamed
    # The hash of an enum, which a Counter needs, takes longer than counting each.
    return {(each.value,): states.count(each) for each in State}


def stalled_by_cause(group: GroupStatus, snapshot: GroupSnapshot | None) -> Values:
    """Count the shards that were stalled at the poll by the likely cause."""
    if snapshot is None:
        return {}
    now, stall_after = snapshot.polled.server, group.settings.stall_after
    # A reload may change stall_after, and with it the number of stalled shards, before a poll.
    causes = [
        snapshot.causes.get(shard.shard, Cause.UNKNOWN)
        for shard in snapshot.shards
        if state(shard, now, stall_after=stall_after) is State.STALLED
    ]
    return {(each.value,): causes.count(each) for each in Cause}


def oldest_unconsumed(_: GroupStatus, snapshot: GroupSnapshot | None) -> Values:
    """Return the receive time of the oldest log group in the shards without a checkpoint."""
    if snapshot is None:
        return {}
    waiting = [shard.oldest_unread_at for shard in snapshot.shards if not shard.is_consumed]
    return {(): min((at for at in waiting if at is not None), default=None)}


def listed_settings(group: GroupStatus, _: GroupSnapshot | None) -> Values:
    """Return the settings of a group that was listed, as labels."""
    if group.listing is None:
        return {}
    order = "true" if group.listing.order else "false"
    timeout = group.listing.timeout_seconds
    return {(order, "" if timeout is None else str(timeout)): 1}
