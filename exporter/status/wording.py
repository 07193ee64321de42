"""The wording of durations, counts and states on the status page."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import inf
from types import MappingProxyType

from exporter.model.progress import Cause, Outlook, State
from exporter.status.shard_rows import ShardRow

STATE_NAMES: Mapping[State, str] = MappingProxyType(
    {
        State.EXPIRED: "data lost",
        State.STALLED: "stalled",
        State.UNKNOWN: "unknown",
        State.UNCONSUMED: "unconsumed",
        State.CONSUMING: "consuming",
        State.CAUGHT_UP: "caught up",
        State.FINISHED: "finished",
    }
)
STATE_MEANINGS: Mapping[State, str] = MappingProxyType(
    {
        State.EXPIRED: "logs after the checkpoint were deleted before they were read",
        State.STALLED: "there is unread data, and the checkpoint has not moved for too long",
        State.UNKNOWN: "cannot be determined: the shard or its end could not be read",
        State.UNCONSUMED: "no checkpoint was ever saved",
        State.CONSUMING: "there is unread data, and the checkpoint moves",
        State.CAUGHT_UP: "everything is read",
        State.FINISHED: "nothing is left to read, and nothing will come: the shard is read-only",
    }
)
CAUSE_NAMES: Mapping[Cause, str] = MappingProxyType(
    {
        Cause.WAITING_FOR_PARENT: "waits for its parent",
        Cause.OWNER_CHANGING: "owner changes",
        Cause.SHARD_STUCK: "shard is stuck",
        Cause.OWNER_STUCK: "owner is stuck",
        Cause.GROUP_SILENT: "group is silent",
        Cause.UNKNOWN: "unknown",
    }
)
CAUSE_REMEDIES: Mapping[Cause, str] = MappingProxyType(
    {
        Cause.WAITING_FOR_PARENT: "Look at the parent shard first. The consumer reads this shard"
        " after the parent.",
        Cause.OWNER_CHANGING: "Look for consumers that restart, or that process data for longer"
        " than the timeout of the group.",
        Cause.SHARD_STUCK: "Look in the log of the consumer for errors about this shard. It"
        " probably cannot process one log group.",
        Cause.OWNER_STUCK: "Save the evidence that the runbook lists, then restart this consumer."
        " If it has gone, look at the consumer that has its shards now.",
        Cause.GROUP_SILENT: "Check that the consumers run and reach SLS, and what all of them wait"
        " for. Then restart them.",
        Cause.UNKNOWN: "Look in the logs of the consumers. The evidence is not clear yet.",
    }
)
LOSS_REMEDY = (
    "Make the consumers read again, and raise the retention time of the logstore until they have"
    " caught up."
)
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
_ROUND_FROM = 100


def duration(seconds: float | None) -> str:
    """Return a duration in its largest unit and the next smaller one; a dash if unknown."""
    if seconds is None:
        return "-"
    whole = round(seconds)
    for (size, unit), (next_size, next_unit) in pairwise(_UNITS):
        if whole >= size:
            count, left = divmod(whole, size)
            rest = left // next_size
            return f"{count}{unit} {rest}{next_unit}" if rest else f"{count}{unit}"
    return f"{whole}s"


def shard_numbers(shard: ShardRow) -> Sequence[str]:
    """Return the stall, the lag, the unread log groups and the age of a shard."""
    unread = shard.unread_log_groups
    return (
        duration(shard.stalled_seconds),
        duration(shard.lag_seconds),
        "-" if unread is None else f"{unread:,}",
        duration(shard.age_seconds),
    )


def prediction(outlook: Outlook) -> str:
    """Return when a group has caught up or loses data; no text if unknown, or if it keeps up."""
    loss, catch_up = outlook.data_loss_seconds, outlook.catch_up_seconds
    if loss == 0:
        return "loses data now"
    if loss is not None:
        return f"loses data in {duration(loss)} at this speed"
    if catch_up == inf:
        return "never catches up at this speed"
    return f"caught up in {duration(catch_up)}" if catch_up else ""


def rate(per_second: float) -> str:
    """Return a rate in log groups per second, with three digits or all digits of an integer."""
    return f"{per_second:,.0f}/s" if per_second >= _ROUND_FROM else f"{per_second:.3g}/s"
