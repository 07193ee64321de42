"""The vendor's Python SDK, unchanged, against the simulator: an independent client and signer."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from aliyun.log import LogClient
from aliyun.log.logexception import LogException

from exporter.model.credentials import Credentials
from exporter.simulator.cursors import encode_cursor
from exporter.simulator.server import Simulator
from exporter.simulator.world import World

KEY = Credentials(access_key_id="key", access_key_secret="secret")
TEMPORARY_KEY = Credentials(access_key_id="sts", access_key_secret="s", security_token="token")
PLACE = ("shop", "orders")
GROUP = (*PLACE, "billing")


@pytest.fixture
def world() -> World:
    # The SDK signs with the machine's clock.
    world = World(wall=time.time)
    world.create_project("shop")
    world.create_logstore("shop", "orders", shards=2)
    world.create_group(*GROUP)
    world.write(*PLACE, 0, count=3)
    return world


@pytest.fixture
def simulator(world: World) -> Iterator[Simulator]:
    with Simulator(world, credentials=[KEY, TEMPORARY_KEY]) as simulator:
        yield simulator


@contextmanager
def connected(
    simulator: Simulator, *, version: str, credentials: Credentials = KEY
) -> Iterator[LogClient]:
    client = LogClient(
        simulator.endpoint,
        credentials.access_key_id,
        credentials.access_key_secret,
        credentials.security_token,
        auth_version=version,
        region="cn-shanghai",
    )
    # The port misleads its check for an IP address, and it has no method to close.
    vars(client)["_isRowIp"] = True
    with closing(vars(client)["_session"]):
        yield client


@pytest.fixture(params=["v1", "v4"])
def client(request: pytest.FixtureRequest, simulator: Simulator) -> Iterator[LogClient]:
    with connected(simulator, version=request.param) as client:
        yield client


def test_sdk_reads_checkpoints(client: LogClient, world: World) -> None:
    cursor = world.end_cursor(*PLACE, 0)
    world.update_checkpoint(*GROUP, 0, cursor, consumer="c1")
    first, second = client.get_check_point(*GROUP).get_consumer_group_check_points()
    assert (first["shard"], first["checkpoint"], first["consumer"]) == (
        0,
        encode_cursor(cursor),
        "c1",
    )
    assert abs(first["updateTime"] / 1e6 - time.time()) < 60
    assert second == {"shard": 1, "checkpoint": "", "updateTime": 0, "consumer": ""}
    only = client.get_check_point(*GROUP, shard=1).get_consumer_group_check_points()
    assert [entry["shard"] for entry in only] == [1]


def test_sdk_reads_the_time_before_a_checkpoint(client: LogClient, world: World) -> None:
    world.update_checkpoint(*GROUP, 0, world.end_cursor(*PLACE, 0))
    first, _ = client.get_check_point_fixed(*GROUP).get_consumer_group_check_points()
    assert abs(first["checkpoint_previous_cursor_time"] - time.time()) < 60


def test_sdk_writes_checkpoints(client: LogClient, world: World) -> None:
    cursor = world.end_cursor(*PLACE, 0)
    client.update_check_point(*GROUP, 0, encode_cursor(cursor), consumer="sdk")
    seen = world.truth(*GROUP, 0)
    assert (seen.checkpoint, seen.owner, seen.unread) == (cursor, "sdk", 0)


def test_sdk_sends_heartbeats(client: LogClient) -> None:
    assert client.heart_beat(*GROUP, "c1").get_shards() == [0, 1]
    assert client.heart_beat(*GROUP, "c2").get_shards() == []
    assert client.heart_beat(*GROUP, "c1", [0, 1]).get_shards() == [0]
    assert client.heart_beat(*GROUP, "c1", [0]).get_shards() == [0]
    assert client.heart_beat(*GROUP, "c2").get_shards() == [1]


@pytest.mark.parametrize(
    ("consumer", "status", "code"),
    [("other", 400, "ConsumerNotMatch"), ("unknown", 404, "ConsumerNotExist")],
)
def test_sdk_writes_checkpoints_of_others_only_by_force(
    client: LogClient, world: World, consumer: str, status: int, code: str
) -> None:
    cursor = world.end_cursor(*PLACE, 0)
    assert client.heart_beat(*GROUP, "holder").get_shards() == [0, 1]
    client.heart_beat(*GROUP, "other")
    write = (*GROUP, 0, encode_cursor(cursor))
    with pytest.raises(LogException) as refused:
        client.update_check_point(*write, consumer=consumer, force_success=False)
    assert (refused.value.get_resp_status(), refused.value.get_error_code()) == (status, code)
    assert world.truth(*GROUP, 0).checkpoint is None
    client.update_check_point(*write, consumer="holder", force_success=False)
    assert world.truth(*GROUP, 0).owner == "holder"
    client.update_check_point(*write, consumer=consumer, force_success=True)
    assert world.truth(*GROUP, 0).owner == consumer


def test_sdk_updates_the_settings_of_groups(client: LogClient, world: World) -> None:
    client.update_consumer_group(*GROUP, timeout=45)
    assert world.groups(*PLACE) == [("billing", 45, False)]
    client.update_consumer_group(*GROUP, in_order=True)
    assert world.groups(*PLACE) == [("billing", 45, True)]
    with pytest.raises(LogException) as refused:
        client.update_consumer_group(*PLACE, "none", timeout=45)
    assert refused.value.get_error_code() == "ConsumerGroupNotExist"


def test_sdk_creates_lists_and_deletes_groups(client: LogClient) -> None:
    def names() -> list[str]:
        groups = client.list_consumer_group(*PLACE).get_consumer_groups()
        return [group.get_consumer_group_name() for group in groups]

    client.create_consumer_group(*PLACE, "new", 30, in_order=True)
    assert names() == ["billing", "new"]
    client.delete_consumer_group(*PLACE, "new")
    assert names() == ["billing"]


def test_sdk_lists_shards(client: LogClient) -> None:
    shards = client.list_shards(*PLACE).get_shards_info()
    assert [(shard["shardID"], shard["status"]) for shard in shards] == [
        (0, "readwrite"),
        (1, "readwrite"),
    ]


def test_sdk_finds_cursors_and_their_times(client: LogClient, world: World) -> None:
    begin = client.get_cursor(*PLACE, 0, "begin").get_cursor()
    end = client.get_cursor(*PLACE, 0, "end").get_cursor()
    assert (begin, end) == (
        encode_cursor(world.begin_cursor(*PLACE, 0)),
        encode_cursor(world.end_cursor(*PLACE, 0)),
    )
    assert client.get_cursor(*PLACE, 0, int(time.time()) - 600).get_cursor() == begin
    assert abs(client.get_cursor_time(*PLACE, 0, begin).get_cursor_time() - time.time()) < 60
    with pytest.raises(LogException) as refused:
        client.get_cursor_time(*PLACE, 0, end)
    assert refused.value.get_error_code() == "InvalidCursor"


def test_sdk_lists_logstores_and_projects(client: LogClient, world: World) -> None:
    for number in range(600):
        world.create_logstore("shop", f"l{number:03}", shards=1)
    response = client.list_logstore("shop", size=-1)
    assert len(response.get_logstores()) == 601
    assert response.get_total() == 601
    assert client.list_logstore("shop", "order").get_logstores() == ["orders"]
    projects = client.list_project().get_projects()
    assert [project["projectName"] for project in projects] == ["shop"]


def test_sdk_describes_a_logstore(client: LogClient) -> None:
    response = client.get_logstore(*PLACE)
    assert (response.get_ttl(), response.get_shard_count()) == (7, 2)


def test_sdk_gets_the_code_for_a_missing_group(client: LogClient) -> None:
    with pytest.raises(LogException) as refused:
        client.get_check_point(*PLACE, "none")
    assert refused.value.get_error_code() == "ConsumerGroupNotExist"
    assert refused.value.get_resp_status() == 404
    assert len(refused.value.get_request_id()) == 24


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_sdk_signatures_with_a_temporary_key_are_accepted(
    simulator: Simulator, version: str
) -> None:
    with connected(simulator, version=version, credentials=TEMPORARY_KEY) as client:
        assert client.list_shards(*PLACE).count == 2


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_sdk_signatures_with_a_wrong_secret_are_refused(simulator: Simulator, version: str) -> None:
    wrong = Credentials(access_key_id="key", access_key_secret="wrong")
    with (
        connected(simulator, version=version, credentials=wrong) as client,
        pytest.raises(LogException) as refused,
    ):
        client.list_shards(*PLACE)
    assert refused.value.get_error_code() == "SignatureNotMatch"
