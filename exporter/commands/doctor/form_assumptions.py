"""Evaluations of assumptions about checkpoints, lists, forms of responses and error codes."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from exporter.commands.doctor.observations import LogstoreReplies
from exporter.commands.doctor.recording import Reply
from exporter.commands.doctor.seen import (
    Evidence,
    Seen,
    entries_of,
    fields_of,
    is_denied,
    not_seen,
    observed,
    outcome,
)
from exporter.model.shards import Checkpoint, Shard
from exporter.sls.errors import canonical_code
from exporter.sls.json_values import Parsed

_UNITS = ((10**11, "seconds"), (10**14, "milliseconds"), (10**17, "microseconds"))
_DEFAULT_TIMEOUT_SECONDS = 60
_ALIVE_TIMEOUTS = 10  # a consumer saves about once per minute, with heartbeats more often


@observed(nothing="no checkpoint has an updateTime")
def update_time_unit(replies: LogstoreReplies) -> Evidence:
    """Yield the units of all updateTimes."""
    for entry in (each for reply in _successful(replies) for each in entries_of(reply.document)):
        value = entry.get("updateTime")
        if isinstance(value, str) and value.isdecimal():
            yield False, "it is a string"
            value = int(value[:20])
        if type(value) is not int or value <= 0:
            continue
        unit = next((name for limit, name in _UNITS if value < limit), "nanoseconds")
        yield unit == "microseconds", f"{unit}, {len(str(value))} digits"


@observed(nothing="no examined group is without a checkpoint")
def unused_group(replies: LogstoreReplies) -> Evidence:
    """Yield the form of GetCheckPoint for groups that have never saved a checkpoint."""
    for reply in _successful(replies):
        entries = entries_of(reply.document)
        if reply.document == []:
            yield True, "an empty list"
        elif entries and not any(entry.get("checkpoint") for entry in entries):
            texts = {type(entry.get("checkpoint")).__name__ for entry in entries}
            absent = any("checkpoint" not in entry for entry in entries)
            if texts == {"str"}:
                yield True, "an empty checkpoint for each shard"
            else:
                yield False, "entries without a checkpoint" if absent else "null as checkpoint"


@observed(nothing="no group has consumers and a shard without a checkpoint")
def owner_without_checkpoint(replies: LogstoreReplies) -> Evidence:
    """Yield whether shards without a checkpoint name an owner, while the group is alive."""
    for group, reply in replies.checkpoints.items():
        entries = reply.value.entries if reply.value else ()
        empty = [entry for entry in entries if not entry.cursor]
        if any(entry.consumer for entry in empty):
            yield False, "shards without a checkpoint have an owner"
        timeout = replies.timeouts.get(group) or _DEFAULT_TIMEOUT_SECONDS
        limit = reply.now - _ALIVE_TIMEOUTS * timeout
        is_alive = any(entry.consumer and (entry.updated_at or 0) >= limit for entry in entries)
        if empty and is_alive:
            yield True, "shards without a checkpoint have no owner, although consumers are alive"


def expired_shards(replies: LogstoreReplies) -> Seen:
    """Return whether checkpoints list shards that have expired, which ListShards leaves out."""
    listed = _listed(replies.shards) | _listed(replies.shards_again)
    if not listed:
        return not_seen("no shards are listed")
    newest = max(listed)  # New shards are numbered in order, so each missing number has expired.
    missing = newest + 1 - len(listed)
    if not missing:
        return not_seen("no shard has expired")
    if not replies.entries:
        return not_seen("no checkpoint is listed")
    found = {entry.shard for entry in replies.entries if entry.shard < newest} - listed
    if found:
        return Seen("not held", f"{len(found)} of {missing} expired shards are listed")
    return Seen("held", f"none of {missing} expired shards is listed")


def shard_listing(replies: LogstoreReplies) -> Seen:
    """Return whether lists of shards are older than checkpoints or than each other."""
    first, again = _listed(replies.shards), _listed(replies.shards_again)
    if not first or not again:
        return not_seen("shards could not be listed twice")
    newest = max(first | again)
    if any(entry.shard > newest for entry in replies.entries):
        return Seen("not held", "checkpoints have shards that are not listed yet")
    if max(again) < max(first):
        return Seen("not held", "a second list is older than the first one")
    if not replies.entries:
        return not_seen("no checkpoint is listed")
    return Seen("held", "two lists contain all new shards of the checkpoints")


@observed(nothing="no response can be read")
def forms(replies: LogstoreReplies) -> Evidence:
    """Yield whether the JSON of responses has the documented form."""
    for reply in replies.all:
        if reply.error is not None and reply.error.code == "invalid_response":
            yield False, f"{reply.operation.name} cannot be read"
        if isinstance(reply.value, Parsed) and reply.value.faults:
            yield False, f"{reply.operation.name} has entries that cannot be read"
        if reply.operation.name == "GetCursorTime" and reply.error is None:
            value = fields_of(reply.document).get("cursor_time")
            if isinstance(value, str):
                yield False, "cursor_time is a string"
            else:
                yield True, "cursor_time is a number"
        if reply.operation.name == "GetCheckPoint" and reply.error is None:
            yield True, "GetCheckPoint is an array"
    if isinstance(replies.group_listing, dict):
        yield False, "ListConsumerGroup is an object"
    elif isinstance(replies.group_listing, list):
        yield True, "ListConsumerGroup is an array"


@observed(nothing="there is no response")
def headers(replies: LogstoreReplies) -> Evidence:
    """Yield whether responses have the headers that the exporter reads."""
    found = [reply for reply in replies.all if reply.status is not None]
    for name in ("x-log-requestid", "x-log-time"):
        lacking = sum(not reply.headers.get(name) for reply in found)
        if lacking:
            yield False, f"{lacking} of {len(found)} responses have no {name}"
    if found:
        yield True, f"{len(found)} responses have both"


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
    found = [] if _is_missing(replies) else [replies.unknown_group]
    return _code(found, "ConsumerGroupNotExist", {HTTPStatus.NOT_FOUND})


def code_of_logstore(replies: LogstoreReplies) -> Seen:
    """Return the code of a logstore that does not exist."""
    return _code([replies.unknown_logstore], "LogStoreNotExist", {HTTPStatus.NOT_FOUND})


def code_of_shard(replies: LogstoreReplies) -> Seen:
    """Return the code of a shard that does not exist."""
    statuses = {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}
    unknown = replies.unknown_shard
    found = [] if unknown is None or _is_missing(replies) else [unknown]
    return _code(found, "ShardNotExist", statuses)


@observed(nothing="there is no such response")
def _code(replies: Sequence[Reply[Any]], expected: str, statuses: set[HTTPStatus]) -> Evidence:
    for reply in replies:
        if is_denied(reply):
            continue
        is_good = canonical_code(reply.code or "") == expected and reply.status in statuses
        yield is_good, _described(reply)


def _described(reply: Reply[Any]) -> str:
    """Return a status and a code, and the name of its field if that is not the documented one."""
    fields = fields_of(reply.document)
    other = "" if reply.error is None or "errorCode" in fields else ", not in errorCode"
    return f"{outcome(reply)}{other}"


def _is_missing(replies: LogstoreReplies) -> bool:
    """Return whether the logstore itself does not exist."""
    return any(canonical_code(reply.code or "") == "LogStoreNotExist" for reply in replies.all)


def _successful(replies: LogstoreReplies) -> Sequence[Reply[Parsed[Checkpoint]]]:
    return [reply for reply in replies.checkpoints.values() if reply.error is None]


def _listed(reply: Reply[Parsed[Shard]] | None) -> set[int]:
    if reply is None or reply.value is None:
        return set()
    return {shard.shard for shard in reply.value.entries}
