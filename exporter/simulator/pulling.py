"""The operation PullLogs: log groups from a cursor on, optionally filtered by a query."""

from collections.abc import Callable, Mapping

from exporter.simulator.calls import Call, integer
from exporter.simulator.compression import compress_lz4, compress_zstd
from exporter.simulator.cursors import encode_cursor
from exporter.simulator.errors import parameter_invalid
from exporter.simulator.log_groups import encode_log_groups
from exporter.simulator.views import LogGroupRow, PulledRows
from exporter.simulator.wire import Request, Response
from exporter.simulator.world import World

MAX_COUNT = 1000
_QUERIES: Mapping[str, Callable[[LogGroupRow], bool]] = {
    "*": lambda _: True,
    "* | where true": lambda _: True,
    "* | where false": lambda _: False,
    "* | where cursor % 2 = 0": lambda row: row.cursor % 2 == 0,
}
"""The queries that the simulator knows, and which log groups pass them."""
_COMPRESSIONS = {"lz4": compress_lz4, "zstd": compress_zstd}


def pull_logs(world: World, call: Call, shard: int, request: Request) -> Response:
    """Return log groups in a protocol buffer, with the next cursor in the headers."""
    count = integer(request.query.get("count", str(MAX_COUNT)))
    if not count or count > MAX_COUNT:
        raise parameter_invalid(f"count must be a number from 1 to {MAX_COUNT}")
    query = request.query.get("query")
    if query is not None and query not in _QUERIES:
        raise parameter_invalid("the simulator does not know this query")
    pulled = world.pull(
        call.project,
        call.logstore,
        shard,
        request.query.get("cursor", ""),
        end_cursor=request.query.get("end_cursor"),
        count=count,
    )
    rows = pulled.rows
    if query is not None:
        rows = [row for row in rows if _QUERIES[query](row)]
    body = encode_log_groups(rows)
    headers = {
        "Content-Type": "application/x-protobuf",
        "x-log-bodyrawsize": str(len(body)),
        "x-log-count": str(len(rows)),
        **_position(pulled),
    }
    if query is not None:
        headers["x-log-rawdatacount"] = str(len(pulled.rows))
        headers["x-log-rawdatasize"] = str(len(encode_log_groups(pulled.rows)))
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
