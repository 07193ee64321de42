"""The operation PutLogs: one log group of a producer, whose content is checked and not kept."""

from collections.abc import Callable, Mapping

from exporter.simulator.calls import Call, integer
from exporter.simulator.compression import decompress_lz4, inflate
from exporter.simulator.errors import ServiceError
from exporter.simulator.log_groups import check_log_group
from exporter.simulator.wire import Request
from exporter.simulator.world import World

MAX_RAW_SIZE = 10 * 1024 * 1024
_CONTENT_TYPE = "application/x-protobuf"
_DECOMPRESS: Mapping[str, Callable[[bytes, int], bytes]] = {
    "deflate": inflate,
    "lz4": decompress_lz4,
}


def put_logs(world: World, call: Call, request: Request) -> None:
    """Write a log group to the shard of the parameter ``key``, or to any shard without it."""
    content_type = request.headers.get("content-type", "")
    if not content_type:
        raise ServiceError(400, "MissingContentType", "Content-Type does not exist in http header")
    if content_type != _CONTENT_TYPE:
        message = f"Content-Type {content_type[:64]} is unsupported"
        raise ServiceError(415, "InvalidContentType", message)
    body = _raw(request)
    if len(body) > MAX_RAW_SIZE:
        raise _too_large()
    try:
        check_log_group(body)
    except UnicodeDecodeError:
        text = "Non-UTF8 characters are in logs"
        raise ServiceError(400, "InvalidEncoding", text) from None
    except ValueError:
        text = "Protobuffer content cannot parse"
        raise ServiceError(400, "PostBodyInvalid", text) from None
    world.put_log_group(call.project, call.logstore, request.query.get("key"))


def _raw(request: Request) -> bytes:
    """Return the body, decompressed."""
    kind = request.headers.get("x-log-compresstype", "")
    if not kind:
        return request.body
    decompress = _DECOMPRESS.get(kind)
    if decompress is None:
        text = f"x-log-compresstype {kind[:64]} is unsupported"
        raise ServiceError(400, "InvalidCompressType", text)
    stated = request.headers.get("x-log-bodyrawsize")
    if stated is None:
        text = "x-log-bodyrawsize does not exist in header"
        raise ServiceError(400, "MissingBodyRawSize", text)
    size = integer(stated)
    if size is None:
        raise ServiceError(400, "InvalidBodyRawSize", "x-log-bodyrawsize is invalid")
    if size > MAX_RAW_SIZE:
        raise _too_large()
    try:
        return decompress(request.body, size)
    except ValueError:
        text = "Failed to decompress logs"
        raise ServiceError(400, "PostBodyUncompressError", text) from None


def _too_large() -> ServiceError:
    return ServiceError(400, "PostBodyTooLarge", f"Body size must not exceed {MAX_RAW_SIZE}")
