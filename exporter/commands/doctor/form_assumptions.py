"""Evaluations of assumptions about checkpoints, lists, forms of responses and error codes."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from exporter.commands.doctor.observations import LogstoreReplies
from exporter.commands.doctor.recording import Reply
from exporter.commands.doctor.seen import (
    Seen,
    entries_of,
    fields_of,
    is_denied,
    not_seen,
    outcome,
    seen,
)
from exporter.model.shards import Checkpoint, Shard
from exporter.sls.errors import canonical_code
from exporter.sls.json_values import Parsed

_UNITS = ((10**11, "seconds"), (10**14, "milliseconds"), (10**17, "microseconds"))
_DEFAULT_TIMEOUT_SECONDS = 60
_ALIVE_TIMEOUTS = 10  # a consumer saves about once per minute, with heartbeats more often


def update_time_unit(replies: LogstoreReplies) -> Seen:
    """Return the units of all updateTimes."""
    wrong: list[str] = []
    good: list[str] = []
    for entry in _raw_entries(replies):
        value = entry.get("updateTime")
        if isinstance(value, str) and value.isdecimal():
            wrong.append("it is a string")
            value = int(value[:20])
        if type(value) is not int or value <= 0:
            continue
        unit = next((name for limit, name in _UNITS if value < limit), "nanoseconds")
        (good if unit == "microseconds" else wrong).append(f"{unit}, {len(str(value))} digits")
    return seen(wrong, good, nothing="no checkpoint has an updateTime")


def unused_group(replies: LogstoreReplies) -> Seen:
    """Return the form of GetCheckPoint for groups that have never saved a checkpoint."""
    wrong: list[str] = []
    good: list[str] = []
    for reply in _successful(replies):
        entries = entries_of(reply.document)
        if reply.document == []:
            good.append("an empty list")
        elif entries and not any(entry.get("checkpoint") for entry in entries):
            texts = {type(entry.get("checkpoint")).__name__ for entry in entries}
            absent = any("checkpoint" not in entry for entry in entries)
            if texts == {"str"}:
                good.append("an empty checkpoint for each shard")
            else:
                wrong.append("entries without a checkpoint" if absent else "null as checkpoint")
    return seen(wrong, good, nothing="all examined groups have checkpoints")


def owner_without_checkpoint(replies: LogstoreReplies) -> Seen:
    """Return whether shards without a checkpoint name an owner, while the group is alive."""
    wrong: list[str] = []
    good: list[str] = []
    for group, reply in replies.checkpoints.items():
        entries = _entries(reply)
        empty = [entry for entry in entries if not entry.cursor]
        if any(entry.consumer for entry in empty):
            wrong.append("shards without a checkpoint have an owner")
        timeout = replies.timeouts.get(group) or _DEFAULT_TIMEOUT_SECONDS
        limit = reply.now - _ALIVE_TIMEOUTS * timeout
        is_alive = any(entry.consumer and (entry.updated_at or 0) >= limit for entry in entries)
        if empty and is_alive:
            good.append("shards without a checkpoint have no owner, although consumers are alive")
    return seen(wrong, good, nothing="no group has consumers and a shard without a checkpoint")


def expired_shards(replies: LogstoreReplies) -> Seen:
    """Return whether checkpoints list shards that have expired, which ListShards leaves out."""
    listed = _listed(replies.shards) | _listed(replies.shards_again)
    if not listed:
        return not_seen("no shards are listed")
    newest = max(listed)  # New shards are numbered in order, so each missing number has expired.
    missing = newest + 1 - len(listed)
    if not missing:
        return not_seen("no shard has expired")
    if not _all_entries(replies):
        return not_seen("no checkpoint is listed")
    found = {entry.shard for entry in _all_entries(replies) if entry.shard < newest} - listed
    if found:
        return Seen("not held", f"{len(found)} of {missing} expired shards are listed")
    return Seen("held", f"none of {missing} expired shards is listed")


def shard_listing(replies: LogstoreReplies) -> Seen:
    """Return whether lists of shards are older than checkpoints or than each other."""
    first, again = _listed(replies.shards), _listed(replies.shards_again)
    if not first or not again:
        return not_seen("shards could not be listed twice")
    newest = max(first | again)
    if any(entry.shard > newest for entry in _all_entries(replies)):
        return Seen("not held", "checkpoints have shards that are not listed yet")
    if max(again) < max(first):
        return Seen("not held", "a second list is older than the first one")
    if not _all_entries(replies):
        return not_seen("no checkpoint is listed")
    return Seen("held", "two lists contain all new shards of the checkpoints")


def forms(replies: LogstoreReplies) -> Seen:
    """Return whether the JSON of responses has the documented form."""
    wrong: list[str] = []
    good: list[str] = []
    for reply in replies.all:
        if reply.error is not None and reply.error.code == "invalid_response":
            wrong.append(f"{reply.operation.name} cannot be read")
        if isinstance(reply.value, Parsed) and reply.value.faults:
            wrong.append(f"{reply.operation.name} has entries that cannot be read")
        if reply.operation.name == "GetCursorTime" and reply.error is None:
            value = fields_of(reply.document).get("cursor_time")
            if isinstance(value, str):
                wrong.append("cursor_time is a string")
            else:
                good.append("cursor_time is a number")
        if reply.operation.name == "GetCheckPoint" and reply.error is None:
            good.append("GetCheckPoint is an array")
    if isinstance(replies.group_listing, dict):
        wrong.append("ListConsumerGroup is an object")
    elif isinstance(replies.group_listing, list):
        good.append("ListConsumerGroup is an array")
    return seen(wrong, good, nothing="no response can be read")


def headers(replies: LogstoreReplies) -> Seen:
    """Return whether responses have the headers that the exporter reads."""
    found = [reply for reply in replies.all if reply.status is not None]
    if not found:
        return not_seen("there is no response")
    lacking = [
        f"{count} of {len(found)} responses have no {name}"
        for name in ("x-log-requestid", "x-log-time")
        if (count := sum(not reply.headers.get(name) for reply in found))
    ]
    return seen(lacking, [f"{len(found)} responses have both"], nothing="")


def code_of_cursor(replies: LogstoreReplies) -> Seen:
    """Return the code of a position that has no log group."""
    refused = [
        reply
        for shard in replies.cursors.values()
        for reply in (shard.time_before_begin, shard.time_before_end, shard.time_at_end)
        if reply is not None and reply.error is not None
    ]
    return _code(refused, "InvalidCursor", {HTTPStatus.BAD_REQUEST})


def code_of_group(replies: LogstoreReplies) -> Seen:
    """Return the code of a consumer group that does not exist."""
    return _code([replies.unknown_group], "ConsumerGroupNotExist", {HTTPStatus.NOT_FOUND})


def code_of_logstore(replies: LogstoreReplies) -> Seen:
    """Return the code of a logstore that does not exist."""
    return _code([replies.unknown_logstore], "LogStoreNotExist", {HTTPStatus.NOT_FOUND})


def code_of_shard(replies: LogstoreReplies) -> Seen:
    """Return the code of a shard that does not exist."""
    statuses = {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}
    found = [] if replies.unknown_shard is None else [replies.unknown_shard]
    return _code(found, "ShardNotExist", statuses)


def _code(replies: Sequence[Reply[Any]], expected: str, statuses: set[HTTPStatus]) -> Seen:
    wrong: list[str] = []
    good: list[str] = []
    for reply in replies:
        if is_denied(reply):
            continue
        is_good = canonical_code(reply.code or "") == expected and reply.status in statuses
        (good if is_good else wrong).append(_described(reply))
    return seen(wrong, good, nothing="there is no such response")


def _described(reply: Reply[Any]) -> str:
    """Return a status and a code, and the name of its field if that is not the documented one."""
    fields = fields_of(reply.document)
    other = "" if reply.error is None or "errorCode" in fields else ", not in errorCode"
    return f"{outcome(reply)}{other}"


def _successful(replies: LogstoreReplies) -> Sequence[Reply[Parsed[Checkpoint]]]:
    return [reply for reply in replies.checkpoints.values() if reply.error is None]


def _raw_entries(replies: LogstoreReplies) -> Sequence[Mapping[str, object]]:
    return [entry for reply in _successful(replies) for entry in entries_of(reply.document)]


def _entries(reply: Reply[Parsed[Checkpoint]]) -> Sequence[Checkpoint]:
    return reply.value.entries if reply.value is not None else ()


def _all_entries(replies: LogstoreReplies) -> Sequence[Checkpoint]:
    return [entry for reply in replies.checkpoints.values() for entry in _entries(reply)]


def _listed(reply: Reply[Parsed[Shard]] | None) -> set[int]:
    if reply is None or reply.value is None:
        return set()
    return {shard.shard for shard in reply.value.entries}
