"""The operations of the API, and their responses as JSON documents."""

import json
from collections.abc import Callable, Sequence

from exporter.simulator.calls import Call, integer
from exporter.simulator.cursors import encode_cursor, is_base64
from exporter.simulator.errors import ServiceError, parameter_invalid
from exporter.simulator.pulling import pull_logs
from exporter.simulator.putting import put_logs
from exporter.simulator.wire import Request
from exporter.simulator.world import World

MAX_PAGE = 500


def perform(world: World, call: Call, request: Request) -> object:
    """Perform an operation, and return the JSON document of its response.

    The result is None for no body, and a Response if the body is not JSON.
    """
    perform_one = _OPERATIONS.get(call.operation)
    if perform_one is None:
        raise ServiceError(
            404 if request.method == "GET" else 405,
            "InvalidAction",
            "the simulator does not know this operation",
        )
    return perform_one(world, call, request)


def _list_projects(world: World, _: Call, request: Request) -> object:
    wanted = request.query.get("projectName", "")
    projects = [
        {
            "projectName": row.name,
            "status": "Normal",
            "owner": "",
            "description": "",
            "region": row.region,
            "createTime": str(row.created),
            "lastModifyTime": str(row.created),
        }
        for row in world.projects()
        if wanted in row.name
    ]
    return _page(projects, request, key="projects", default=100)


def _list_logstores(world: World, call: Call, request: Request) -> object:
    wanted = request.query.get("logstoreName", "")
    names = [name for name in world.logstores(call.project) if wanted in name]
    return _page(names, request, key="logstores", default=MAX_PAGE)


def _get_logstore(world: World, call: Call, _: Request) -> object:
    row = world.logstore(call.project, call.logstore)
    return {
        "logstoreName": row.name,
        "ttl": row.ttl_days,
        "shardCount": row.shard_count,
        "enable_tracking": False,
        "appendMeta": False,
        "autoSplit": False,
        "maxSplitShard": 0,
        "createTime": row.created,
        "lastModifyTime": row.created,
    }


def _list_shards(world: World, call: Call, _: Request) -> object:
    return [
        {
            "shardID": row.shard,
            "status": row.status,
            "inclusiveBeginKey": row.inclusive_begin_key,
            "exclusiveEndKey": row.exclusive_end_key,
            "createTime": row.created,
        }
        for row in world.shards(call.project, call.logstore)
    ]


def _get_cursor(world: World, call: Call, request: Request) -> object:
    place = call.project, call.logstore, _shard(call)
    match request.query.get("from", ""):
        case "begin":
            cursor = world.begin_cursor(*place)
        case "end":
            cursor = world.end_cursor(*place)
        case since:
            instant = integer(since)
            if instant is None:
                raise parameter_invalid("from must be begin, end or unix seconds")
            cursor = world.cursor_since(*place, instant)
    return {"cursor": encode_cursor(cursor)}


def _get_cursor_time(world: World, call: Call, request: Request) -> object:
    cursor = request.query.get("cursor", "")
    time = world.cursor_time(call.project, call.logstore, _shard(call), cursor)
    return {"cursor_time": time}


def _pull_logs(world: World, call: Call, request: Request) -> object:
    return pull_logs(world, call, _shard(call), request)


def _list_groups(world: World, call: Call, _: Request) -> object:
    rows = world.groups(call.project, call.logstore)
    return [{"name": row.name, "timeout": row.timeout, "order": row.order} for row in rows]


def _create_group(world: World, call: Call, request: Request) -> object:
    body = _fields(request)
    name, timeout, order = body.get("consumerGroup"), body.get("timeout"), body.get("order", False)
    if not isinstance(name, str) or not name or not isinstance(timeout, int):
        message = "consumerGroup or timeout is of error format"
        raise ServiceError(400, "JsonInfoInvalid", message)
    world.create_group(call.project, call.logstore, name, timeout=timeout, order=bool(order))
    return None


def _update_group(world: World, call: Call, request: Request) -> object:
    body = _fields(request)
    timeout, order = body.get("timeout"), body.get("order")
    if not isinstance(timeout, int | None) or not isinstance(order, bool | None):
        raise parameter_invalid("timeout must be a number, order true or false")
    if timeout is None and order is None:
        raise parameter_invalid("timeout or order must be given")
    place = call.project, call.logstore, call.consumer_group
    world.update_group(*place, timeout=timeout, order=order)
    return None


def _delete_group(world: World, call: Call, _: Request) -> object:
    world.delete_group(call.project, call.logstore, call.consumer_group)
    return None


def _get_checkpoint(world: World, call: Call, request: Request) -> object:
    if "shard" in request.query and call.shard is None:
        raise parameter_invalid("shard must be a number")
    rows = world.checkpoints(call.project, call.logstore, call.consumer_group, call.shard)
    return [
        {
            "shard": row.shard,
            "checkpoint": row.checkpoint,
            "updateTime": row.update_time,
            "consumer": row.consumer,
        }
        for row in rows
    ]


def _update_checkpoint(world: World, call: Call, request: Request) -> object:
    body = _fields(request)
    shard, checkpoint = body.get("shard"), body.get("checkpoint")
    if not isinstance(shard, int) or not isinstance(checkpoint, str):
        raise parameter_invalid("shard and checkpoint must be given")
    if not is_base64(checkpoint):
        message = "shard checkpoint not encoded by base64"
        raise ServiceError(400, "InvalidShardCheckPoint", message)
    world.update_checkpoint(
        call.project,
        call.logstore,
        call.consumer_group,
        shard,
        checkpoint,
        consumer=request.query.get("consumer", ""),
        force=request.query.get("forceSuccess", "").lower() == "true",
    )
    return None


def _heart_beat(world: World, call: Call, request: Request) -> object:
    if "consumer" not in request.query:
        raise parameter_invalid("consumer must be given")
    return world.heart_beat(
        call.project,
        call.logstore,
        call.consumer_group,
        request.query["consumer"],
        _shards(request),
    )


_OPERATIONS: dict[str, Callable[[World, Call, Request], object]] = {
    "CreateConsumerGroup": _create_group,
    "DeleteConsumerGroup": _delete_group,
    "GetCheckPoint": _get_checkpoint,
    "GetCursor": _get_cursor,
    "GetCursorTime": _get_cursor_time,
    "GetLogStore": _get_logstore,
    "HeartBeat": _heart_beat,
    "ListConsumerGroup": _list_groups,
    "ListLogStores": _list_logstores,
    "ListProject": _list_projects,
    "ListShards": _list_shards,
    "PullLogs": _pull_logs,
    "PutLogs": put_logs,
    "UpdateCheckPoint": _update_checkpoint,
    "UpdateConsumerGroup": _update_group,
}


def _page(rows: Sequence[object], request: Request, *, key: str, default: int) -> dict[str, object]:
    offset = integer(request.query.get("offset", "0"))
    size = integer(request.query.get("size", str(default)))
    if offset is None or size is None or size > MAX_PAGE:
        raise parameter_invalid(f"offset and size must be numbers, size at most {MAX_PAGE}")
    page = rows[offset : offset + size]
    return {"count": len(page), "total": len(rows), key: page}


def _json(request: Request) -> object:
    try:
        document: object = json.loads(request.body)
    except ValueError:
        raise _invalid_body() from None
    return document


def _fields(request: Request) -> dict[str, object]:
    document = _json(request)
    if not isinstance(document, dict):
        raise _invalid_body()
    return document


def _shards(request: Request) -> list[int]:
    document = _json(request)
    if not isinstance(document, list):
        raise _invalid_body()
    return [shard for shard in document if isinstance(shard, int)]


def _invalid_body() -> ServiceError:
    return ServiceError(400, "PostBodyInvalid", "the body is not the JSON that is expected")


def _shard(call: Call) -> int:
    if call.shard is None:
        raise parameter_invalid("shard must be a number")
    return call.shard
