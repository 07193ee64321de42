"""The operations of SLS that the exporter uses, one row each.

All of them only read. HeartBeat and UpdateCheckPoint would change what is observed.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from msgspec import Struct

from exporter.model.shards import Checkpoint, ConsumerGroup, Shard
from exporter.sls import responses
from exporter.sls.json_values import Parsed, of_json
from exporter.sls.responses import Page

T = TypeVar("T")

_NO_QUERY: Mapping[str, str] = MappingProxyType({})
_PAGE_QUERY = MappingProxyType({"offset": "{offset}", "size": "{size}"})


class Operation(Struct, Generic[T], frozen=True, kw_only=True, eq=False):
    """An operation: its request, and how its response is read.

    The path and the query contain the names of parameters in braces.
    """

    name: str
    path: str
    query: Mapping[str, str] = _NO_QUERY
    action: str
    """The action that a RAM policy must allow."""
    read: Callable[[bytes, float], T]
    """A function that reads a body, given the server's time. Raises ShapeError."""
    is_paged: bool = False
    """Whether a request returns one page of a listing, by an offset and a size."""

    def path_of(self, parameters: Mapping[str, str]) -> str:
        """Return the path with parameters in it, percent-encoded."""
        encoded = {
            name: quote(value, safe="", errors="replace") for name, value in parameters.items()
        }
        return self.path.format_map(encoded)

    def query_of(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """Return the query with parameters in it, not encoded."""
        query = {**self.query, **_PAGE_QUERY} if self.is_paged else self.query
        return {key: value.format_map(parameters) for key, value in query.items()}


GET_CHECKPOINT = Operation[Parsed[Checkpoint]](
    name="GetCheckPoint",
    path="/logstores/{logstore}/consumergroups/{consumer_group}",
    action="log:GetConsumerGroupCheckPoint",
    read=responses.read_checkpoints,
)
LIST_CONSUMER_GROUPS = Operation[Parsed[ConsumerGroup]](
    name="ListConsumerGroup",
    path="/logstores/{logstore}/consumergroups",
    action="log:ListConsumerGroup",
    read=of_json(responses.consumer_groups),
)
LIST_SHARDS = Operation[Parsed[Shard]](
    name="ListShards",
    path="/logstores/{logstore}/shards",
    action="log:ListShards",
    read=of_json(responses.shards),
)
GET_CURSOR = Operation[str](
    name="GetCursor",
    path="/logstores/{logstore}/shards/{shard}",
    query={"type": "cursor", "from": "{position}"},
    action="log:GetCursorOrData",
    read=of_json(responses.cursor),
)
GET_CURSOR_TIME = Operation[int](
    name="GetCursorTime",
    path="/logstores/{logstore}/shards/{shard}",
    query={"type": "cursor_time", "cursor": "{cursor}"},
    action="log:GetCursorOrData",
    read=of_json(responses.cursor_time),
)
GET_LOGSTORE = Operation[int](
    name="GetLogStore",
    path="/logstores/{logstore}",
    action="log:GetLogStore",
    read=of_json(responses.retention_days),
)
LIST_LOGSTORES = Operation[Page](
    name="ListLogStores",
    path="/logstores",
    action="log:ListLogStores",
    read=of_json(responses.logstore_names),
    is_paged=True,
)
LIST_PROJECTS = Operation[Page](
    name="ListProject",
    path="/",
    action="log:ListProject",
    read=of_json(responses.project_names),
    is_paged=True,
)

OPERATIONS: tuple[Operation[Any], ...] = (
    GET_CHECKPOINT,
    LIST_CONSUMER_GROUPS,
    LIST_SHARDS,
    GET_CURSOR,
    GET_CURSOR_TIME,
    GET_LOGSTORE,
    LIST_LOGSTORES,
    LIST_PROJECTS,
)
OPERATION_NAMES = tuple(operation.name for operation in OPERATIONS)
