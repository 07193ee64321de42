"""Responses of SLS turned into types: pure functions from JSON to values.

``json_values`` checks single values. Sources: the API reference and the vendor's SDKs.
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from exporter.base.text import LIMIT, bounded
from exporter.model.shards import Checkpoint, ConsumerGroup, Shard
from exporter.sls.errors import InvalidResponse, api_error, is_code, is_passing
from exporter.sls.json_values import (
    Parsed,
    ShapeError,
    entries_of,
    from_digits,
    integer_of,
    load_json,
    name_of,
    object_of,
    text_of,
)

if TYPE_CHECKING:  # Importing this module must not import an HTTP client.
    from exporter.http.response import Response

T = TypeVar("T")

_MAX_SHARD = 2**31 - 1
_HOST_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")
_HASH_KEY = re.compile(r"[0-9A-Fa-f]{1,32}")  # an MD5 hash
_ABSURD_AHEAD_SECONDS = 366 * 86_400.0
# By magnitude: seconds below 1e11, then milliseconds, microseconds, nanoseconds.
_UNITS = (
    (10**11, 1),
    (10**14, 10**3),
    (10**17, 10**6),
    (10**20, 10**9),
)


class Refusal(Struct, frozen=True, kw_only=True):
    """The body of an error response."""

    code: str
    message: str


class Page(Struct, frozen=True, kw_only=True):
    """One page of a listing of names, with the number of names in all pages, None if unknown."""

    names: Parsed[str]
    count: int
    total: int | None


def read_checkpoints(body: bytes, now: float) -> Parsed[Checkpoint]:
    """Read the body of a response to GetCheckPoint."""
    return checkpoints(load_json(body), now=now)


def checkpoints(answer: object, *, now: float) -> Parsed[Checkpoint]:
    """Read the array of GetCheckPoint. If a shard is listed twice, its newest write counts."""
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


def consumer_groups(answer: object) -> Parsed[ConsumerGroup]:
    """Read ListConsumerGroup: an array, or an object around it as old documents show."""
    if isinstance(answer, dict):
        answer = answer.get("consumerGroups")
    return entries_of(answer, _consumer_group)


def shards(answer: object) -> Parsed[Shard]:
    """Read ListShards, whose entries name the shard ``shardID``."""
    return entries_of(answer, _shard)


def cursor(answer: object) -> str:
    """Read GetCursor; a cursor is base64 of a decimal number."""
    return text_of(object_of(answer), "cursor", limit=256)


def cursor_time(answer: object) -> int:
    """Read GetCursorTime: unix seconds, a number or (one document says) a string of digits."""
    return integer_of(object_of(answer), "cursor_time", low=0, high=2**53)


def retention_days(answer: object) -> int:
    """Read the retention time, ``ttl`` in days, from GetLogStore. It is at least a day."""
    return integer_of(object_of(answer), "ttl", low=1, high=2**31)


def logstore_names(answer: object) -> Page:
    """Read one page of ListLogStores."""
    return _page(answer, "logstores", name_of)


def project_names(answer: object) -> Page:
    """Read one page of ListProject."""
    return _page(answer, "projects", _project)


def parsed(response: "Response", operation: str, parse: Callable[[bytes], T]) -> T:
    """Return the parsed body of a response. Raises an SlsError if the response is an error."""
    request_id = response.headers.get("x-log-requestid", "")
    try:
        if response.status == HTTPStatus.OK:
            return parse(response.body)
        error = refusal(load_json(response.body))
    except ShapeError as shape:
        raise InvalidResponse(
            str(shape),
            operation=operation,
            status=response.status,
            request_id=request_id,
            # Proxies respond like this while the server behind them is unavailable.
            retryable=is_passing(response.status),
        ) from shape
    raise api_error(
        operation=operation,
        status=response.status,
        code=error.code,
        message=error.message,
        request_id=request_id,
    )


def refusal(answer: object) -> Refusal:
    """Read the body of an error. A code that is not safe as a label is not from SLS.

    Services and their proxies spell the fields ``errorCode``, ``error_code`` or ``Code``, the last
    also within ``Error``.
    """
    fields = _without_spelling(object_of(answer))
    within = fields.get("error")
    if isinstance(within, dict):
        fields |= _without_spelling(within)
    code = text_of(fields, "errorcode", limit=256) or text_of(fields, "code", limit=256)
    if not is_code(code):
        raise ShapeError("the error has no errorCode")
    # An invalid message must not hide the code.
    messages = (fields.get("errormessage"), fields.get("message"))
    message = next((each for each in messages if isinstance(each, str)), "")
    return Refusal(code=code, message=bounded(message))


def read_update_time(value: object, *, now: float) -> float | None:
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


def _without_spelling(fields: dict[str, object]) -> dict[str, object]:
    """Return the fields under names in lower case without underscores."""
    return {name.lower().replace("_", ""): value for name, value in fields.items()}


def _checkpoint(entry: object, now: float) -> Checkpoint:
    fields = object_of(entry)
    return Checkpoint(
        shard=integer_of(fields, "shard", low=0, high=_MAX_SHARD),
        cursor=text_of(fields, "checkpoint", limit=LIMIT),
        updated_at=read_update_time(fields.get("updateTime"), now=now),
        consumer=text_of(fields, "consumer", limit=LIMIT),
    )


def _consumer_group(entry: object) -> ConsumerGroup:
    fields = object_of(entry)
    return ConsumerGroup(
        name=name_of(fields.get("name")),
        timeout_seconds=_timeout(fields),
        order=fields.get("order") is True,
    )


def _timeout(fields: dict[str, object]) -> int | None:
    """Return the timeout of a group, None if it is not usable: the group exists regardless."""
    try:
        return integer_of(fields, "timeout", low=0, high=2**31)
    except ShapeError:
        return None


def _shard(entry: object) -> Shard:
    fields = object_of(entry)
    created_at = from_digits(fields.get("createTime"))
    return Shard(
        shard=integer_of(fields, "shardID", low=0, high=_MAX_SHARD),
        status=text_of(fields, "status", limit=32).lower(),
        created_at=created_at if type(created_at) is int else None,
        begin_key=_key(fields.get("inclusiveBeginKey")),
        end_key=_key(fields.get("exclusiveEndKey")),
    )


def _key(value: object) -> int | None:
    """Return a hash key, None if it is not usable: the shard exists regardless."""
    is_key = isinstance(value, str) and _HASH_KEY.fullmatch(value)
    return int(str(value), 16) if is_key else None


def _project(entry: object) -> str:
    # The name becomes part of the host of requests, so it must not contain anything else.
    name = name_of(object_of(entry).get("projectName"))
    if not _HOST_LABEL.fullmatch(name):
        raise ShapeError("expected the name of a project, got one that no host can have")
    return name


def _page(answer: object, key: str, parse: Callable[[object], str]) -> Page:
    fields = object_of(answer)
    total, listed = _size(fields, "total"), fields.get(key)
    if listed is None and 0 in {total, _size(fields, "count")}:
        listed = []
    names = entries_of(listed, parse)
    return Page(names=names, count=len(names.entries) + len(names.faults), total=total)


def _size(fields: dict[str, object], key: str) -> int | None:
    """Return a number of names, None if it is absent."""
    return None if fields.get(key) is None else integer_of(fields, key, low=0, high=2**31)
