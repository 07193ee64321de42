"""The identification of requests: the operation that each one calls, and its objects."""

import re

from msgspec import Struct

from exporter.simulator.wire import Request

_MAX_SHARD_DIGITS = 9
_GROUPS = re.compile(r"/logstores/([^/]+)/consumergroups")
_GROUP = re.compile(r"/logstores/([^/]+)/consumergroups/([^/]+)")
_SHARDS = re.compile(r"/logstores/([^/]+)/shards")
_SHARD = re.compile(r"/logstores/([^/]+)/shards/([^/]+)")
_LOGSTORE = re.compile(r"/logstores/([^/]+)")
_READS = {
    "cursor": "GetCursor",
    "cursor_time": "GetCursorTime",
    "log": "PullLogs",
    "logs": "PullLogs",  # the Go library writes it so
}
"""The operations that read from a shard, by their type."""
_ROUTES = frozenset({"lb", "route"})
"""The names in the place of a shard with which PutLogs lets the service choose one."""


class Call(Struct, frozen=True, kw_only=True):
    """An operation and its objects. Objects that a request does not name are empty or None."""

    operation: str
    project: str = ""
    logstore: str = ""
    consumer_group: str = ""
    shard: int | None = None
    cursor: str | None = None


def identify(request: Request, project: str) -> Call:
    """Return the operation that a request calls, "" if it is unknown."""
    path, query, method = request.path.rstrip("/"), request.query, request.method
    if not project:
        known = (method, path) == ("GET", "")
        return Call(operation="ListProject" if known else "")
    logstore = group = ""
    shard = query.get("shard")
    names: dict[str, str] = {}
    if path == "/logstores":
        names = {"GET": "ListLogStores"}
    elif match := _GROUPS.fullmatch(path):
        logstore = match[1]
        names = {"GET": "ListConsumerGroup", "POST": "CreateConsumerGroup"}
    elif match := _GROUP.fullmatch(path):
        logstore, group = match[1], match[2]
        posts = {"heartbeat": "HeartBeat", "checkpoint": "UpdateCheckPoint"}
        names = {
            "GET": "GetCheckPoint",
            "POST": posts.get(query.get("type", ""), ""),
            "PUT": "UpdateConsumerGroup",
            "DELETE": "DeleteConsumerGroup",
        }
    elif match := _SHARDS.fullmatch(path):
        logstore = match[1]
        names = {"GET": "ListShards"}
    elif match := _SHARD.fullmatch(path):
        logstore, shard = match[1], match[2]
        names = {
            "GET": _READS.get(query.get("type", ""), ""),
            "POST": "PutLogs" if shard in _ROUTES else "",
        }
    elif match := _LOGSTORE.fullmatch(path):
        logstore = match[1]
        # The vendor's SDK for Go writes to the logstore itself.
        names = {"GET": "GetLogStore", "POST": "PutLogs"}
    return Call(
        operation=names.get(method, ""),
        project=project,
        logstore=logstore,
        consumer_group=group,
        shard=integer(shard),
        cursor=query.get("cursor", query.get("from")),
    )


def integer(text: str | None) -> int | None:
    """Return the number in a text, or None if it is missing or not a number."""
    if text is None or not text.isdecimal() or len(text) > 2 * _MAX_SHARD_DIGITS:
        return None
    return int(text)
