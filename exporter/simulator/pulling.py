"""The operation PullLogs: log groups from a cursor on, optionally filtered by a query."""

from exporter.simulator.calls import Call, integer
from exporter.simulator.compression import compress_lz4, compress_zstd
from exporter.simulator.cursors import encode_cursor
from exporter.simulator.errors import parameter_invalid
from exporter.simulator.log_groups import encode_log_groups
from exporter.simulator.views import PulledRows
from exporter.simulator.wire import Request, Response
from exporter.simulator.world import World

MAX_COUNT = 1000
_PASSES = {"*": True, "* | where true": True, "* | where false": False}
"""The queries that the simulator knows, and whether log groups pass them."""
_COMPRESSIONS = {"lz4": compress_lz4, "zstd": compress_zstd}


def pull_logs(world: World, call: Call, shard: int, request: Request) -> Response:
    """Return log groups in a protocol buffer, with the next cursor in the headers."""
    count = integer(request.query.get("count", str(MAX_COUNT)))
    if not count or count > MAX_COUNT:
        raise parameter_invalid(f"count must be a number from 1 to {MAX_COUNT}")
    query = request.query.get("query")
    if query is not None and query not in _PASSES:
        raise parameter_invalid("the simulator does not know this query")
    pulled = world.pull(
        call.project,
        call.logstore,
        shard,
        request.query.get("cursor", ""),
        end_cursor=request.query.get("end_cursor"),
        count=count,
    )
    raw = encode_log_groups(pulled.rows)
    passes = query is None or _PASSES[query]
    body = raw if passes else b""
    headers = {
        "Content-Type": "application/x-protobuf",
        "x-log-bodyrawsize": str(len(body)),
        "x-log-count": str(len(pulled.rows) if passes else 0),
        **_position(pulled),
    }
    if query is not None:
        headers["x-log-rawdatacount"] = str(len(pulled.rows))
        headers["x-log-rawdatasize"] = str(len(raw))
    accepted = request.headers.get("accept-encoding", "")
    compression = next((name for name in _COMPRESSIONS if name in accepted), None)
    if body and compression is not None:
        headers["x-log-compresstype"] = compression
        body = _COMPRESSIONS[compression](body)
    return Response(status=200, body=body, headers=headers)


def _position(pulled: PulledRows) -> dict[str, str]:
    headers = {
        "x-log-cursor": encode_cursor(pulled.next_cursor),
        "x-log-end-of-cursor": str(int(pulled.is_at_end)),
    }
    if pulled.rows:
        last = pulled.rows[-1]
        headers["x-log-cursor-time"] = str(int(last.received_at))
        headers["x-log-read-last-cursor"] = str(last.cursor)
    return headers
