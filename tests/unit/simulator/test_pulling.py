"""PullLogs: pages of log groups as the vendor's SDK reads them, compressed or not, filtered."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from aliyun.log import LogClient
from aliyun.log.logexception import LogException

from exporter.simulator.cursors import encode_cursor
from exporter.simulator.server import DEFAULT_CREDENTIALS, Simulator
from exporter.simulator.world import World
from tests.support.simulator_client import Client
from tests.support.simulator_worlds import LOGSTORE, PROJECT, small_world

SHARD = (PROJECT, LOGSTORE, 0)
DAY = 86400.0


@pytest.fixture
def world() -> World:
    world = World(wall=time.time)
    world.create_project(PROJECT)
    world.create_logstore(PROJECT, LOGSTORE, shards=1)
    return world


@pytest.fixture
def client(world: World) -> Iterator[LogClient]:
    with Simulator(world) as simulator:
        client = LogClient(
            simulator.endpoint,
            DEFAULT_CREDENTIALS.access_key_id,
            DEFAULT_CREDENTIALS.access_key_secret,
        )
        vars(client)["_isRowIp"] = True
        with closing(vars(client)["_session"]):
            yield client


@pytest.mark.parametrize("compress", [True, False])
def test_pull_logs_returns_log_groups_in_pages_up_to_the_end(
    client: LogClient, world: World, *, compress: bool
) -> None:
    world.write(*SHARD, count=1700)
    first, end = world.begin_cursor(*SHARD), world.end_cursor(*SHARD)
    cursor = encode_cursor(first)
    read: list[int] = []
    pages: list[int] = []
    ends: list[str] = []
    while not ends or ends[-1] == "0":
        response = client.pull_logs(*SHARD, cursor, compress=compress)
        logs = response.get_flatten_logs_json()
        read += [int(log["cursor"]) for log in logs]
        assert all(abs(log["__time__"] - time.time()) < 60 for log in logs)
        cursor = response.get_next_cursor()
        pages.append(response.get_loggroup_count())
        ends.append(response.get_header("x-log-end-of-cursor"))
        assert response.get_header("x-log-read-last-cursor") == str(read[-1])
        assert abs(int(response.get_header("x-log-cursor-time")) - time.time()) < 60
        is_compressed = "x-log-compresstype" in response.get_all_headers()
        assert is_compressed is compress
    assert read == list(range(first, end))
    assert pages == [1000, 700]
    assert cursor == encode_cursor(end)


def test_pull_logs_at_the_end_returns_the_same_cursor_without_a_time(
    client: LogClient, world: World
) -> None:
    end = encode_cursor(world.end_cursor(*SHARD))
    response = client.pull_logs(*SHARD, end)
    assert (response.get_loggroup_count(), response.get_next_cursor()) == (0, end)
    assert response.get_header("x-log-end-of-cursor") == "1"
    assert "x-log-cursor-time" not in response.get_all_headers()


def test_pull_logs_stops_at_the_count_and_before_the_end_cursor(
    client: LogClient, world: World
) -> None:
    world.write(*SHARD, count=10)
    first = world.begin_cursor(*SHARD)
    begin, stop = encode_cursor(first), encode_cursor(first + 4)
    assert client.pull_logs(*SHARD, begin, count=3).get_next_cursor() == encode_cursor(first + 3)
    response = client.pull_logs(*SHARD, begin, end_cursor=stop)
    assert (response.get_loggroup_count(), response.get_next_cursor()) == (4, stop)
    assert response.get_header("x-log-end-of-cursor") == "0"
    assert client.pull_logs(*SHARD, stop, end_cursor=begin).get_next_cursor() == stop


@pytest.mark.parametrize(
    ("query", "passed"),
    [
        ("* | where false", []),
        ("* | where cursor % 2 = 0", [0, 2, 4]),
        ("* | where true", [0, 1, 2, 3, 4]),
        ("*", [0, 1, 2, 3, 4]),
    ],
)
def test_pull_logs_with_a_query_moves_on_behind_log_groups_that_do_not_pass(
    client: LogClient, world: World, query: str, passed: list[int]
) -> None:
    world.write(*SHARD, count=5)
    begin, end = world.begin_cursor(*SHARD), world.end_cursor(*SHARD)
    assert begin % 2 == 0
    response = client.pull_logs(*SHARD, encode_cursor(begin), query=query)
    logs = response.get_flatten_logs_json()
    assert [int(log["cursor"]) - begin for log in logs] == passed
    assert response.get_loggroup_count() == len(passed)
    assert (response.get_raw_size() > 0) is bool(passed)
    assert response.get_next_cursor() == encode_cursor(end)
    assert response.get_raw_log_group_count_before_query() == 5
    everything = client.pull_logs(*SHARD, encode_cursor(begin))
    assert response.get_raw_size_before_query() == everything.get_raw_size()
    assert everything.get_raw_log_group_count_before_query() == -1  # no such header
    for pulled in (response, everything):
        assert pulled.get_header("x-log-read-last-cursor") == str(end - 1)
        assert pulled.get_header("x-log-end-of-cursor") == "1"


def test_pull_logs_refuses_what_it_cannot_read(client: LogClient, world: World) -> None:
    begin, beyond = (encode_cursor(world.begin_cursor(*SHARD) + ahead) for ahead in (0, 1))

    def code(cursor: str, end: str = beyond, count: int = 1, query: str = "*") -> str:
        with pytest.raises(LogException) as refused:
            client.pull_logs(*SHARD, cursor, count, end, query=query)
        return str(refused.value.get_error_code())

    assert code(beyond) == code("?") == code(begin, end="?") == "InvalidCursor"
    assert code(begin, count=1001) == code(begin, count=-1) == "ParameterInvalid"
    assert code(begin, query="* | where a = 1") == "ParameterInvalid"


def test_pull_of_expired_log_groups_is_an_invalid_cursor() -> None:
    held, world = small_world(ttl_days=1)
    world.write(*SHARD, count=2)
    held.advance(1.0)
    world.write(*SHARD)
    cursor = world.begin_cursor(*SHARD)
    held.advance(DAY - 1.0)
    assert [row.cursor for row in world.pull(*SHARD, encode_cursor(cursor + 2)).rows] == [
        cursor + 2
    ]
    with pytest.raises(Exception, match="InvalidCursor"):
        world.pull(*SHARD, encode_cursor(cursor + 1))


@pytest.mark.parametrize("name", ["log", "logs"])
@pytest.mark.parametrize(
    ("accepted", "compression"),
    [("lz4", "lz4"), ("zstd", "zstd"), ("gzip", None), ("identity", None)],
)
def test_pull_logs_has_two_names_and_two_compressions(
    world: World, name: str, accepted: str, compression: str | None
) -> None:
    world.write(*SHARD, count=3)
    begin, end = (encode_cursor(world.begin_cursor(*SHARD) + ahead) for ahead in (0, 3))
    with Simulator(world) as simulator, Client(simulator=simulator, project=PROJECT) as client:
        client.session.headers["Accept-Encoding"] = accepted
        path = f"/logstores/{LOGSTORE}/shards/0"
        response = client.send(path, params={"type": name, "cursor": begin})
        empty = client.send(path, params={"type": name, "cursor": end})
        operations = [request.operation for request in simulator.requests]
    assert operations == ["PullLogs", "PullLogs"]
    assert (response.status_code, response.headers["x-log-count"]) == (200, "3")
    assert response.headers.get("x-log-compresstype") == compression
    assert response.headers["Content-Type"] == "application/x-protobuf"
    assert (empty.status_code, empty.headers["x-log-count"], empty.content) == (200, "0", b"")
    assert empty.headers["x-log-bodyrawsize"] == "0"
    assert "x-log-compresstype" not in empty.headers
