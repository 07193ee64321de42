"""PutLogs: log groups that the vendor's SDK writes, compressed or not, and those it refuses."""

import contextlib
import time
import zlib
from collections.abc import Iterator

import lz4.block
import pytest
from aliyun.log import LogClient, LogItem
from aliyun.log.logexception import LogException
from aliyun.log.putlogsrequest import PutLogsRequest
from hypothesis import given
from hypothesis import strategies as st

from exporter.simulator.calls import identify
from exporter.simulator.errors import ServiceError
from exporter.simulator.log_groups import check_log_group
from exporter.simulator.putting import MAX_RAW_SIZE, put_logs
from exporter.simulator.quotas import Quotas
from exporter.simulator.server import DEFAULT_CREDENTIALS, Simulator
from exporter.simulator.wire import Request
from exporter.simulator.world import World
from tests.support.simulator_worlds import LOGSTORE, PROJECT, small_world

PLACE = (PROJECT, LOGSTORE)
PROTOBUF = "application/x-protobuf"


def field(number: int, value: bytes) -> bytes:
    assert len(value) < 128
    return bytes([number << 3 | 2, len(value)]) + value


CONTENT = field(1, b"key") + field(2, b"value")
LOG = b"\x08\x01" + field(2, CONTENT)
LOG_GROUP = field(1, LOG) + field(3, b"topic")


@pytest.fixture
def world() -> World:
    world = World(wall=time.time)
    world.create_project(PROJECT)
    world.create_logstore(*PLACE, shards=2)
    return world


@pytest.fixture(params=["v1", "v4"])
def client(request: pytest.FixtureRequest, world: World) -> Iterator[LogClient]:
    # Writes do not count as operations on metadata.
    with Simulator(world, quotas=Quotas(metadata_per_project=0)) as simulator:
        client = LogClient(
            simulator.endpoint,
            DEFAULT_CREDENTIALS.access_key_id,
            DEFAULT_CREDENTIALS.access_key_secret,
            auth_version=request.param,
            region="cn-shanghai",
        )
        vars(client)["_isRowIp"] = True
        with contextlib.closing(vars(client)["_session"]):
            yield client


def written(world: World) -> list[int]:
    """Return the number of log groups in each shard."""
    shards = [(*PLACE, row.shard) for row in world.shards(*PLACE)]
    return [world.end_cursor(*shard) - world.begin_cursor(*shard) for shard in shards]


def put(client: LogClient, *, hash_key: str | None = None, compress: bool = True) -> None:
    logs = [LogItem(contents=[("message", "日志" * 50)]) for _ in range(3)]
    client.put_logs(
        PutLogsRequest(*PLACE, "topic", "source", logs, hashKey=hash_key, compress=compress)
    )


@pytest.mark.parametrize("compress", [True, False])
def test_sdk_writes_log_groups_to_the_emptiest_shard(
    client: LogClient, world: World, *, compress: bool
) -> None:
    world.write(*PLACE, 0, count=2)
    for _ in range(3):
        put(client, compress=compress)
    assert written(world) == [3, 2]


def test_sdk_writes_log_groups_to_the_shard_of_a_hash_key(client: LogClient, world: World) -> None:
    for hash_key in ("0" * 32, f"8{'0' * 31}", f"7{'f' * 31}", "f" * 32, "F" * 32):
        put(client, hash_key=hash_key)
    assert written(world) == [2, 3]
    with pytest.raises(LogException) as refused:
        put(client, hash_key="1")
    assert refused.value.get_error_code() == "ParameterInvalid"
    assert written(world) == [2, 3]


def test_sdk_writes_nothing_to_a_read_only_shard(client: LogClient, world: World) -> None:
    world.split_shard(*PLACE, 0)
    for _ in range(3):
        put(client)
    put(client, hash_key="0" * 32)
    assert written(world) == [0, 1, 2, 1]


def test_log_group_that_was_put_can_be_pulled(client: LogClient, world: World) -> None:
    put(client)
    begin = client.get_begin_cursor(*PLACE, 0).get_cursor()
    assert client.pull_logs(*PLACE, 0, begin).get_loggroup_count() == 1
    assert written(world) == [1, 0]


def test_sdk_gets_the_code_for_a_missing_logstore(client: LogClient) -> None:
    request = PutLogsRequest(PROJECT, "none", "", "source", [LogItem(contents=[("a", "b")])])
    with pytest.raises(LogException) as refused:
        client.put_logs(request)
    assert refused.value.get_error_code() == "LogStoreNotExist"


def result(
    body: bytes, path: str = f"/logstores/{LOGSTORE}/shards/lb", **headers: str
) -> tuple[int, str] | int:
    """Return the status and the code of an error, or the number of written log groups."""
    _, world = small_world()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request(
        method="POST",
        path=path,
        query={},
        headers={"content-type": PROTOBUF, **sent},
        body=body,
        received_at=0.0,
    )
    call = identify(request, PROJECT)
    assert call.operation == "PutLogs"
    try:
        put_logs(world, call, request)
    except ServiceError as error:
        assert sum(written(world)) == 0
        return error.status, error.code
    return sum(written(world))


@pytest.mark.parametrize(
    "path", [f"/logstores/{LOGSTORE}{rest}" for rest in ("", "/shards/lb", "/shards/route")]
)
def test_put_logs_has_three_paths(path: str) -> None:
    assert result(LOG_GROUP, path) == 1


SIZE = str(len(LOG_GROUP))


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (LOG_GROUP, {}),
        (LOG_GROUP, {"x_log_bodyrawsize": SIZE}),
        (zlib.compress(LOG_GROUP), {"x_log_compresstype": "deflate", "x_log_bodyrawsize": SIZE}),
        (
            lz4.block.compress(LOG_GROUP, store_size=False),
            {"x_log_compresstype": "lz4", "x_log_bodyrawsize": SIZE},
        ),
    ],
)
def test_log_group_is_accepted_with_each_compression(body: bytes, headers: dict[str, str]) -> None:
    assert result(body, **headers) == 1


@pytest.mark.parametrize(
    ("headers", "refusal"),
    [
        ({"content_type": ""}, (400, "MissingContentType")),
        ({"content_type": "application/json"}, (415, "InvalidContentType")),
        ({"x_log_compresstype": "snappy"}, (400, "InvalidCompressType")),
        ({"x_log_compresstype": "lz4"}, (400, "MissingBodyRawSize")),
        (
            {"x_log_compresstype": "lz4", "x_log_bodyrawsize": "-1"},
            (400, "InvalidBodyRawSize"),
        ),
        (
            {"x_log_compresstype": "lz4", "x_log_bodyrawsize": str(MAX_RAW_SIZE + 1)},
            (400, "PostBodyTooLarge"),
        ),
        (
            {"x_log_compresstype": "lz4", "x_log_bodyrawsize": SIZE},
            (400, "PostBodyUncompressError"),
        ),
        (
            {"x_log_compresstype": "deflate", "x_log_bodyrawsize": SIZE},
            (400, "PostBodyUncompressError"),
        ),
    ],
)
def test_put_logs_refuses_wrong_headers(headers: dict[str, str], refusal: tuple[int, str]) -> None:
    assert result(LOG_GROUP, **headers) == refusal


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (bytes(MAX_RAW_SIZE + 1), "PostBodyTooLarge"),
        (b"", "PostBodyInvalid"),
        (field(3, b"topic"), "PostBodyInvalid"),  # no logs
        (field(1, b""), "PostBodyInvalid"),  # a log without a time and fields
        (field(1, b"\x08\x01"), "PostBodyInvalid"),  # a log without fields
        (field(1, field(2, CONTENT)), "PostBodyInvalid"),  # a log without a time
        (field(1, b"\x08\x01" + field(2, field(1, b"key"))), "PostBodyInvalid"),  # no value
        (b"\x08\x01", "PostBodyInvalid"),  # a number in the place of logs
        (LOG_GROUP[:-1], "PostBodyInvalid"),
        (LOG_GROUP + b"\xff" * 11, "PostBodyInvalid"),  # an endless number
        (LOG_GROUP + b"\x0b", "PostBodyInvalid"),  # a type that no longer exists
        (
            field(1, b"\x08\x01" + field(2, field(1, b"key") + field(2, b"\xff"))),
            "InvalidEncoding",
        ),
    ],
    ids=range(12),
)
def test_put_logs_refuses_invalid_log_groups(body: bytes, code: str) -> None:
    assert result(body) == (400, code)


def test_unknown_fields_of_every_type_are_skipped() -> None:
    others = b"\x70\x80\x01" + b"\x71" + bytes(8) + b"\x75" + bytes(4) + field(14, b"other")
    check_log_group(others + LOG_GROUP + others)


@given(message=st.binary(max_size=60))
def test_any_message_is_accepted_or_a_value_error(message: bytes) -> None:
    with contextlib.suppress(ValueError):
        check_log_group(message)
