"""The identification of requests: the operation that each one calls, and its objects."""

import re

from msgspec import Struct

from exporter.simulator.wire import Request

_MAX_SHARD_DIGITS = 9


class Call(Struct, frozen=True, kw_only=True):
    """An operation and its objects. Objects that a request does not name are empty or None."""

    operation: str
    project: str = ""
    logstore: str = ""
    consumer_group: str = ""
    shard: int | None = None
    cursor: str | None = None


class _Route(Struct, frozen=True):
    """The requests that call one operation."""

    method: str
    path: re.Pattern[str]
    """A path with the names of objects as groups."""
    operation: str
    type: str | None
    """The parameter ``type`` of the query; None if it does not matter."""


def _route(method: str, path: str, operation: str, type_: str | None = None) -> _Route:
    """Return a route. The names in braces are those of objects in the path."""
    pattern = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path))
    return _Route(method, pattern, operation, type_)


_LOGSTORE = "/logstores/{logstore}"
_SHARD = "/logstores/{logstore}/shards/{shard}"
_GROUPS = "/logstores/{logstore}/consumergroups"
_GROUP = "/logstores/{logstore}/consumergroups/{consumer_group}"
_ROUTES = (
    _route("GET", _SHARD, "GetCursor", "cursor"),
    _route("GET", _SHARD, "GetCursorTime", "cursor_time"),
    _route("GET", _SHARD, "PullLogs", "log"),
    _route("GET", _SHARD, "PullLogs", "logs"),  # from the vendor's library for Go
    _route("GET", _GROUP, "GetCheckPoint"),
    _route("POST", _GROUP, "HeartBeat", "heartbeat"),
    _route("POST", _GROUP, "UpdateCheckPoint", "checkpoint"),
    _route("PUT", _GROUP, "UpdateConsumerGroup"),
    _route("DELETE", _GROUP, "DeleteConsumerGroup"),
    _route("GET", _GROUPS, "ListConsumerGroup"),
    _route("POST", _GROUPS, "CreateConsumerGroup"),
    _route("GET", f"{_LOGSTORE}/shards", "ListShards"),
    _route("POST", f"{_LOGSTORE}/shards/(?:lb|route)", "PutLogs"),  # into a shard of its choice
    _route("POST", _LOGSTORE, "PutLogs"),  # from the vendor's SDK for Go
    _route("GET", _LOGSTORE, "GetLogStore"),
    _route("GET", "/logstores", "ListLogStores"),
)


def identify(request: Request, project: str) -> Call:
    """Return the operation that a request calls, "" if it is unknown."""
    path, query = request.path.rstrip("/"), request.query
    if not project:
        is_listing = (request.method, path) == ("GET", "")
        return Call(operation="ListProject" if is_listing else "")
    for route in _ROUTES:
        if (
            route.method == request.method
            and route.type in {None, query.get("type")}
            and (match := route.path.fullmatch(path))
        ):
            names = {"shard": query.get("shard"), **match.groupdict()}
            return Call(
                operation=route.operation,
                project=project,
                logstore=names.get("logstore") or "",
                consumer_group=names.get("consumer_group") or "",
                shard=integer(names["shard"]),
                cursor=query.get("cursor", query.get("from")),
            )
    return Call(operation="", project=project)


def integer(text: str | None) -> int | None:
    """Return the number in a text, or None if it is missing or not a number."""
    if text is None or not text.isdecimal() or len(text) > 2 * _MAX_SHARD_DIGITS:
        return None
    return int(text)
