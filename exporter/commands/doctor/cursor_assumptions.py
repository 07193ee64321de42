"""Evaluations of assumptions about cursors and their times."""

from collections.abc import Iterator

from exporter.commands.doctor.observations import LogstoreReplies, ShardReplies
from exporter.commands.doctor.recording import Reply
from exporter.commands.doctor.seen import Seen, is_denied, outcome, seen
from exporter.model.shards import decode_cursor

_NEAR_SECONDS = 120.0  # from the server's current time
_AHEAD_SECONDS = 5.0
_FEW = "no examined shard has enough log groups"


def consecutive(replies: LogstoreReplies) -> Seen:
    """Return whether positions between BEGIN and END have log groups, in the order of time."""
    wrong: list[str] = []
    good: list[str] = []
    for shard in replies.cursors.values():
        if any(_is_unreadable(reply) for reply in (shard.begin, shard.end)):
            wrong.append("a cursor is not base64 of a number")
        elif shard.unexpired is not None and shard.unexpired < 0:
            wrong.append("END is before BEGIN")
        elif shard.middle is not None:
            times = shard.time_at_begin, shard.time_in_middle, shard.time_before_end
            values = [reply.value for reply in times if reply is not None]
            if any(reply is None or is_denied(reply) for reply in times):
                continue
            known = [value for value in values if value is not None]
            if len(known) < len(times):
                wrong.append("a position between BEGIN and END has no log group")
            elif known != sorted(known):
                wrong.append("times decrease from BEGIN to END")
            else:
                good.append("BEGIN, the middle and END-1 have log groups in the order of time")
    return seen(wrong, good, nothing=_FEW)


def end_after_checkpoint(replies: LogstoreReplies) -> Seen:
    """Return whether all checkpoints are at or before the END that was read after them."""
    wrong, good = 0, 0
    unreadable = 0
    for reply in replies.checkpoints.values():
        for entry in reply.value.entries if reply.value is not None else ():
            shard = replies.cursors.get(entry.shard)
            if shard is None or shard.last is None or not entry.cursor:
                continue
            position = decode_cursor(entry.cursor)
            if position is None:
                unreadable += 1
            elif position > shard.last:
                wrong += 1
            else:
                good += 1
    bad = [f"{wrong} of {wrong + good} checkpoints are after END"] if wrong else []
    bad += [f"{unreadable} checkpoints are not cursors"] if unreadable else []
    text = f"{good} checkpoints are at or before END"
    return seen(bad, [text] if good else [], nothing="no checkpoint in an examined shard")


def time_before_end(replies: LogstoreReplies) -> Seen:
    """Return the time at END-1 of shards with data."""
    wrong: list[str] = []
    good: list[str] = []
    for shard in _with_data(replies):
        reply, begin = shard.time_before_end, shard.time_at_begin
        if reply is None or is_denied(reply):
            continue
        if reply.value is None:
            wrong.append(outcome(reply))
        elif reply.value > reply.now + _AHEAD_SECONDS:
            wrong.append("a time in the future")
        elif begin is not None and begin.value is not None and reply.value < begin.value:
            wrong.append("a time before that of BEGIN")
        else:
            good.append("a time that is not in the future")
    return seen(wrong, good, nothing=_FEW)


def time_at_end(replies: LogstoreReplies) -> Seen:
    """Return the time at END of shards with data."""
    wrong: list[str] = []
    good: list[str] = []
    for shard in _with_data(replies):
        reply, newest = shard.time_at_end, shard.time_before_end
        if reply is None or is_denied(reply):
            continue
        if reply.value is None:
            (good if _is_invalid(reply) else wrong).append(outcome(reply))
        elif newest is not None and newest.value is not None and reply.value < newest.value:
            wrong.append("a time before that of END-1")
        else:
            is_now = abs(reply.now - reply.value) <= _NEAR_SECONDS
            good.append("about the current time" if is_now else "a time not before that of END-1")
    return seen(wrong, good, nothing=_FEW)


def time_before_begin(replies: LogstoreReplies) -> Seen:
    """Return the response for the position before BEGIN of shards with data."""
    wrong: list[str] = []
    good: list[str] = []
    for shard in _with_data(replies):
        reply = shard.time_before_begin
        if reply is not None and not is_denied(reply):
            (good if _is_invalid(reply) else wrong).append(outcome(reply))
    return seen(wrong, good, nothing=_FEW)


def time_without_data(replies: LogstoreReplies) -> Seen:
    """Return the times of shards without data."""
    wrong: list[str] = []
    good: list[str] = []
    for shard in replies.cursors.values():
        if shard.unexpired != 0:
            continue
        for place, reply in (("END", shard.time_at_end), ("END-1", shard.time_before_end)):
            if reply is None or is_denied(reply):
                continue
            if reply.value is None:
                text = f"{outcome(reply)} at {place}"
                (good if _is_invalid(reply) else wrong).append(text)
            elif abs(reply.now - reply.value) <= _NEAR_SECONDS:
                good.append(f"the current time at {place}")
            else:
                wrong.append(f"another time at {place}")
    return seen(wrong, good, nothing="no examined shard is without data")


def cursor_by_time(replies: LogstoreReplies) -> Seen:
    """Return whether the cursor of a time is at or before a log group that was received then."""
    wrong: list[str] = []
    good: list[str] = []
    for shard in replies.cursors.values():
        reply = shard.found_by_time
        if reply is None or is_denied(reply) or shard.middle is None or shard.first is None:
            continue
        found = decode_cursor(reply.value or "")
        if found is None:
            wrong.append(outcome(reply) if reply.error else "a cursor that is not a number")
        elif found > shard.middle:
            wrong.append("a later log group")
        elif found < shard.first:
            wrong.append("a position before BEGIN")
        else:
            good.append("a log group at or before the one whose time was requested")
    return seen(wrong, good, nothing=_FEW)


def _with_data(replies: LogstoreReplies) -> Iterator[ShardReplies]:
    return (shard for shard in replies.cursors.values() if (shard.unexpired or 0) > 0)


def _is_unreadable(reply: Reply[str]) -> bool:
    return reply.value is not None and decode_cursor(reply.value) is None


def _is_invalid(reply: Reply[int]) -> bool:
    return reply.code == "InvalidCursor"
