"""Answers of SLS turned into types: pure functions from JSON to values.

What may be wrong with them is the matter of ``shapes``. Sources: the API reference and the vendor's
SDKs.
"""

import re
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from msgspec import Struct

from exporter.sls.errors import is_code
from exporter.sls.shapes import (
    MAX_ENTRIES,
    Parsed,
    ShapeError,
    entries_of,
    from_digits,
    integer_of,
    name_of,
    object_of,
    text_of,
)
from exporter.text import LIMIT, bounded

_MAX_SHARD = 2**31 - 1
_HOST_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")
_ABSURD_AHEAD_SECONDS = 366 * 86_400.0
_MICROSECONDS, _MICROSECONDS_FROM, _MICROSECONDS_BELOW = 10**6, 10**14, 10**17
# By magnitude: seconds below 1e11, then milliseconds, microseconds, nanoseconds.
_UNITS = (
    (10**11, 1),
    (_MICROSECONDS_FROM, 10**3),
    (_MICROSECONDS_BELOW, _MICROSECONDS),
    (10**20, 10**9),
)
_CHECKPOINT_FIELDS = itemgetter("shard", "checkpoint", "updateTime", "consumer")


class Checkpoint(NamedTuple):
    """The saved progress of a consumer group in one shard, as the service tells it.

    A tuple, as many are made at once, column by column, and taken apart.
    """

    shard: int
    cursor: str
    """Position of the next log group to read, base64; empty if the shard was never consumed."""
    updated_at: float | None
    """When the checkpoint was last written, unix seconds; None if the service does not say."""
    consumer: str
    """The last owner; empty where the writer gave no name."""


class Shard(Struct, frozen=True, kw_only=True):
    """One shard of a logstore."""

    shard: int
    status: str
    """``readwrite`` or ``readonly``."""
    created_at: int | None = None
    """Unix seconds; None if the service does not say."""


class ConsumerGroup(Struct, frozen=True, kw_only=True):
    """A consumer group as it is listed."""

    name: str
    timeout_seconds: int
    order: bool


class Refusal(Struct, frozen=True, kw_only=True):
    """The body of an error answer."""

    code: str
    message: str


class Page(Struct, frozen=True, kw_only=True):
    """One page of a listing of names, with the number of names in all pages."""

    names: Parsed[str]
    count: int
    total: int


_NEW_CHECKPOINT = partial(tuple.__new__, Checkpoint)
"""Makes one of a tuple of its fields, without a call into Python for each."""


def checkpoints(answer: Any, *, now: float) -> Parsed[Checkpoint]:  # noqa: ANN401  JSON
    """Read GetCheckPoint's bare array; a shard that is listed twice keeps its newest write."""
    regular = _regular_checkpoints(answer, now)
    if regular is not None:
        return Parsed(entries=regular)
    parsed = entries_of(answer, lambda entry: _checkpoint(entry, now))
    newest: dict[int, Checkpoint] = {}
    faults = list(parsed.faults)
    for entry in parsed.entries:
        known = newest.setdefault(entry.shard, entry)
        if known is not entry:
            faults.append(f"shard {entry.shard} is listed twice")
            if (entry.updated_at or 0.0) > (known.updated_at or 0.0):
                newest[entry.shard] = entry
    return Parsed(entries=tuple(newest.values()), faults=tuple(faults))


def consumer_groups(answer: Any) -> Parsed[ConsumerGroup]:  # noqa: ANN401  JSON
    """Read ListConsumerGroup: an array, or an object around it as old documents show."""
    if isinstance(answer, dict):
        answer = answer.get("consumerGroups")
    return entries_of(answer, _consumer_group)


def shards(answer: Any) -> Parsed[Shard]:  # noqa: ANN401  JSON
    """Read ListShards, whose entries name the shard ``shardID``."""
    return entries_of(answer, _shard)


def cursor(answer: Any) -> str:  # noqa: ANN401  JSON
    """Read GetCursor; a cursor is base64 of a decimal number."""
    return text_of(object_of(answer), "cursor", limit=256)


def cursor_time(answer: Any) -> int:  # noqa: ANN401  JSON
    """Read GetCursorTime: unix seconds, a number or (one document says) a string of digits."""
    return integer_of(object_of(answer), "cursor_time", low=0, high=2**53)


def retention_days(answer: Any) -> int:  # noqa: ANN401  JSON
    """Read the retention time, ``ttl`` in days, from GetLogStore."""
    return integer_of(object_of(answer), "ttl", low=0, high=2**31)


def logstore_names(answer: Any) -> Page:  # noqa: ANN401  JSON
    """Read one page of ListLogStores."""
    return _page(answer, "logstores", name_of)


def project_names(answer: Any) -> Page:  # noqa: ANN401  JSON
    """Read one page of ListProject."""
    return _page(answer, "projects", _project)


def refusal(answer: Any) -> Refusal:  # noqa: ANN401  JSON
    """Read the body of an error; a code that is not fit for a label is not SLS's."""
    fields = object_of(answer)
    code = text_of(fields, "errorCode", limit=256)
    if not is_code(code):
        raise ShapeError("the error has no errorCode")
    # The code counts; a message that is none must not hide it.
    message = fields.get("errorMessage")
    return Refusal(code=code, message=bounded(message) if isinstance(message, str) else "")


def instant(value: object, *, now: float) -> float | None:
    """Read an updateTime in s, ms, µs or ns, told apart by magnitude, as unix seconds.

    Zero, negative, absent and absurd values (more than a year ahead of ``now``) give None.
    """
    if type(value) is not int:
        value = from_digits(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
    if value <= 0:
        return None
    for bound, per_second in _UNITS:
        if value < bound:
            seconds = value / per_second
            return seconds if seconds <= now + _ABSURD_AHEAD_SECONDS else None
    return None


def _regular_checkpoints(
    answer: Any,  # noqa: ANN401  JSON
    now: float,
) -> tuple[Checkpoint, ...] | None:
    """Read an answer as the service sends it; None for any other.

    Column by column, which takes a tenth of the time that it takes entry by entry.
    """
    try:
        shards, cursors, times, consumers = zip(*map(_CHECKPOINT_FIELDS, answer), strict=True)
        texts = cursors + consumers
        is_regular = (
            len(set(shards)) == len(shards) <= MAX_ENTRIES
            and {*map(type, shards), *map(type, times)} == {int}
            and set(map(type, texts)) == {str}
            and min(shards) >= 0
            and max(shards) <= _MAX_SHARD
            and min(times) >= _MICROSECONDS_FROM
            and max(times) < _MICROSECONDS_BELOW
            and max(times) / _MICROSECONDS <= now + _ABSURD_AHEAD_SECONDS
            and bounded(text := "".join(texts), len(text)) == text
            and max(map(len, texts)) <= LIMIT
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    if not is_regular:
        return None
    seconds = [time / _MICROSECONDS for time in times]
    return tuple(map(_NEW_CHECKPOINT, zip(shards, cursors, seconds, consumers, strict=True)))


def _checkpoint(entry: object, now: float) -> Checkpoint:
    fields = object_of(entry)
    return Checkpoint(
        shard=integer_of(fields, "shard", low=0, high=_MAX_SHARD),
        cursor=text_of(fields, "checkpoint", limit=LIMIT),
        updated_at=instant(fields.get("updateTime"), now=now),
        consumer=text_of(fields, "consumer", limit=LIMIT),
    )


def _consumer_group(entry: object) -> ConsumerGroup:
    fields = object_of(entry)
    return ConsumerGroup(
        name=name_of(fields.get("name")),
        timeout_seconds=integer_of(fields, "timeout", low=0, high=2**31),
        order=fields.get("order") is True,
    )


def _shard(entry: object) -> Shard:
    fields = object_of(entry)
    created_at = from_digits(fields.get("createTime"))
    return Shard(
        shard=integer_of(fields, "shardID", low=0, high=_MAX_SHARD),
        status=text_of(fields, "status", limit=32).lower(),
        created_at=created_at if type(created_at) is int else None,
    )


def _project(entry: object) -> str:
    # It becomes a part of the host that requests go to, so nothing else may be smuggled in.
    name = name_of(object_of(entry).get("projectName"))
    if not _HOST_LABEL.fullmatch(name):
        raise ShapeError("expected the name of a project, got one that no host can have")
    return name


def _page(answer: object, key: str, parse: Callable[[object], str]) -> Page:
    fields = object_of(answer)
    listed = fields.get(key)
    return Page(
        names=entries_of(listed, parse),
        count=len(listed) if isinstance(listed, list) else 0,
        total=integer_of(fields, "total", low=0, high=2**31),
    )
