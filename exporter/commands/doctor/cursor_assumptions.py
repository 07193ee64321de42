"""Evaluations of assumptions about cursors and their times."""

from collections.abc import Iterator

from exporter.commands.doctor.observations import LogstoreReplies, ShardReplies
from exporter.commands.doctor.recording import Reply
from exporter.commands.doctor.seen import Evidence, is_denied, observed, outcome
from exporter.model.shards import decode_cursor

_NEAR_SECONDS = 120.0  # from the server's current time
_AHEAD_SECONDS = 5.0
_FEW = "no examined shard has enough log groups"


@observed(nothing=_FEW)
def consecutive(replies: LogstoreReplies) -> Evidence:
    """Yield whether positions between BEGIN and END have log groups, in the order of time."""
    for shard in replies.cursors.values():
        if any(_is_unreadable(reply) for reply in (shard.begin, shard.end)):
            yield False, "a cursor is not base64 of a number"
        elif shard.unexpired is not None and shard.unexpired < 0:
            yield False, "END is before BEGIN"
        elif shard.middle is not None:
            times = [shard.time_in_middle, shard.time_before_end]
            if not shard.has_begin_expired:
                times.insert(0, shard.time_at_begin)
            values = [reply.value for reply in times if reply is not None]
            if any(reply is None or is_denied(reply) for reply in times):
                continue
            known = [value for value in values if value is not None]
            if len(known) < len(times):
                yield False, "a position between BEGIN and END has no log group"
            elif known != sorted(known):
                yield False, "times decrease from BEGIN to END"
            else:
                yield True, "positions from BEGIN to END-1 have log groups in the order of time"


@observed(nothing="no checkpoint in an examined shard")
def end_after_checkpoint(replies: LogstoreReplies) -> Evidence:
    """Yield whether all checkpoints are at or before the END that was read after them."""
    after = before = unreadable = 0
    for entry in replies.entries:
        shard = replies.cursors.get(entry.shard)
        if shard is None or shard.last is None or not entry.cursor:
            continue
        position = decode_cursor(entry.cursor)
        if position is None:
            unreadable += 1
        elif position > shard.last:
            after += 1
        else:
            before += 1
    if after:
        yield False, f"{after} of {after + before} checkpoints are after END"
    if unreadable:
        yield False, f"{unreadable} checkpoints are not cursors"
    if before:
        yield True, f"{before} checkpoints are at or before END"


@observed(nothing=_FEW)
def time_before_end(replies: LogstoreReplies) -> Evidence:
    """Yield the time at END-1 of shards with data."""
    for shard in _with_data(replies):
        reply, begin = shard.time_before_end, shard.time_at_begin
        if reply is None or is_denied(reply):
            continue
        if reply.value is None:
            yield False, outcome(reply)
        elif reply.value > reply.now + _AHEAD_SECONDS:
            yield False, "a time in the future"
        elif begin is not None and begin.value is not None and reply.value < begin.value:
            yield False, "a time before that of BEGIN"
        else:
            yield True, "a time that is not in the future"


@observed(nothing="no examined shard has data whose END stays during the requests")
def time_at_end(replies: LogstoreReplies) -> Evidence:
    """Yield the time at END of shards with data."""
    for shard in _with_data(replies):
        reply, newest = shard.time_at_end, shard.time_before_end
        if reply is None or is_denied(reply):
            continue
        if reply.value is None:
            yield _is_invalid(reply), outcome(reply)
        elif newest is not None and newest.value is not None and reply.value < newest.value:
            yield False, "a time before that of END-1"
        elif shard.is_end_current:
            is_now = abs(reply.now - reply.value) <= _NEAR_SECONDS
            yield True, "about the current time" if is_now else "a time not before that of END-1"


@observed(nothing=_FEW)
def time_before_begin(replies: LogstoreReplies) -> Evidence:
    """Yield the response for the position before BEGIN of shards with data."""
    for shard in _with_data(replies):
        reply = shard.time_before_begin
        if reply is not None and not is_denied(reply):
            yield _is_invalid(reply), outcome(reply)


@observed(nothing="no examined shard is without data")
def time_without_data(replies: LogstoreReplies) -> Evidence:
    """Yield the times of shards without data."""
    for shard in replies.cursors.values():
        if shard.unexpired != 0:
            continue
        for place, reply in (("END", shard.time_at_end), ("END-1", shard.time_before_end)):
            if reply is None or is_denied(reply):
                continue
            if place == "END" and not shard.is_end_current:
                continue
            if reply.value is None:
                text = f"{outcome(reply)} at {place}"
                yield _is_invalid(reply), text
            elif abs(reply.now - reply.value) <= _NEAR_SECONDS:
                yield True, f"the current time at {place}"
            else:
                yield False, f"another time at {place}"


@observed(nothing=_FEW)
def cursor_by_time(replies: LogstoreReplies) -> Evidence:
    """Yield whether the cursor of a time is at or before a log group that was received then."""
    for shard in replies.cursors.values():
        reply = shard.found_by_time
        if reply is None or is_denied(reply) or shard.middle is None or shard.first is None:
            continue
        found = decode_cursor(reply.value or "")
        if found is None:
            yield False, outcome(reply) if reply.error else "a cursor that is not a number"
        elif found > shard.middle:
            yield False, "a later log group"
        elif found < shard.first:
            yield False, "a position before BEGIN"
        else:
            yield True, "a log group at or before the one whose time was requested"


def _with_data(replies: LogstoreReplies) -> Iterator[ShardReplies]:
    return (shard for shard in replies.cursors.values() if (shard.unexpired or 0) > 0)


def _is_unreadable(reply: Reply[str]) -> bool:
    return reply.value is not None and decode_cursor(reply.value) is None


def _is_invalid(reply: Reply[int]) -> bool:
    return reply.code == "InvalidCursor"
