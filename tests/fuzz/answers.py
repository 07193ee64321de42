"""Targets: bodies of API responses, and the state for any checkpoint and cursor."""

from collections.abc import Callable

from exporter.evaluation.shard import evaluate, stalled_seconds, state
from exporter.model.progress import ShardEnd, ShardProgress, Unread
from exporter.model.shards import Checkpoint, decode_cursor, encode_cursor
from exporter.sls import json_values, responses
from exporter.sls.json_values import MAX_ENTRIES, Parsed, ShapeError
from exporter.sls.operations import OPERATIONS
from exporter.sls.responses import Page
from tests.fuzz.checks import require, require_showable
from tests.fuzz.reader import NUMBERS, Reader

NOW = 1_700_000_000.0
KEYS = (
    *("shard", "checkpoint", "updateTime", "consumer", "name", "timeout", "order", "shardID"),
    *("status", "cursor", "cursor_time", "ttl", "logstores", "projects", "projectName", "total"),
    *("count", "consumerGroups", "errorCode", "errorMessage"),
)
_READERS: tuple[Callable[[bytes, float], object], ...] = (
    *(operation.read for operation in OPERATIONS),
    json_values.of_json(responses.refusal),
)
_INSTANTS = (None, 0.0, -1.0, 1e-300, NOW, NOW + 1e9, 1e300)
_CURSORS = ("", "MQ==", "MA==", "LTE=", "MS4w", "OTIyMzM3MjAzNjg1NDc3NTgwNw==", "4pyT", "MQ")


def bodies(data: bytes) -> None:
    """Parse any body with the parser of any operation."""
    reader = Reader(data)
    read = reader.pick(_READERS)
    try:
        found = read(reader.body(KEYS), NOW)
    except ShapeError as error:
        require_showable(str(error), 256)
        return
    if isinstance(found, Page):
        require(0 <= found.count <= MAX_ENTRIES, "a page has no such size")
        require(found.total is None or found.total >= 0, "a listing has no such size")
        found = found.names
    if isinstance(found, Parsed):
        require(len(found.entries) <= MAX_ENTRIES, "more entries than a response can have")
        for entry in (*found.entries, *found.faults):
            require_showable(str(entry), 1000)
    else:
        require_showable(str(found), 1000)


def checkpoints(data: bytes) -> None:
    """Evaluate any checkpoint against any end, by any clock."""
    reader = Reader(data)
    text = reader.text() if reader.below(2) else reader.pick(_CURSORS)
    value = decode_cursor(text)
    if value is not None:
        require(0 <= value < 2**63, "not a cursor of 63 bits")
        require(decode_cursor(encode_cursor(value)) == value, "a cursor changes when written")
    updated_at = responses.read_update_time(reader.pick(NUMBERS), now=NOW)
    require(updated_at is None or 0 < updated_at < NOW + 4e7, "an absurd time")
    checkpoint = Checkpoint(shard=0, cursor=text, updated_at=updated_at, consumer="")
    previous: ShardProgress | None = None
    for _ in range(2):
        end = decode_cursor(reader.pick(_CURSORS))
        known = None if end is None else ShardEnd(cursor=end, readonly=reader.below(2) == 1)
        unread = Unread(
            oldest_at=reader.pick(_INSTANTS),
            consumed_at=reader.pick(_INSTANTS),
            newest_at=reader.pick(_INSTANTS),
            first_cursor=decode_cursor(reader.pick(_CURSORS)),
            expired=reader.below(2) == 1,
        )
        previous = evaluate(checkpoint, previous=previous, end=known, unread=unread, seen_at=NOW)
        require((previous.unread or 0) >= 0, "a negative number of log groups")
        if known is not None and text and previous.unread:
            require(value is not None and value < known.cursor, "unread logs before the checkpoint")
        require((previous.lag_seconds or 0.0) >= 0, "a negative lag")
        for now in (NOW, 0.0, 1e12):
            stalled = stalled_seconds(previous, now)
            require(stalled is None or 0 <= stalled < float("inf"), "an absurd stall")
            state(previous, now, stall_after=300.0)
