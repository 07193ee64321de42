"""The simulator over real HTTP: operations, virtual hosts, errors, signatures, permissions."""

import http.client
import json
import socket
import ssl
from urllib.parse import urlsplit

import pytest
import requests
import trustme

from exporter.simulator.server import Simulator
from exporter.simulator.world import World
from tests.support.held_clock import HeldClock
from tests.support.simulator_client import Client, error_of
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT

GROUP_PATH = "/logstores/orders/consumergroups/billing"
SHARD_PATH = "/logstores/orders/shards/0"
BIRTH = "MTcwMDAwMDAwMDAwMDAwMDAwMA=="  # 1700000000000000000
TEN_LATER = "MTcwMDAwMDAwMDAwMDAwMDAxMA=="  # 1700000000000000010


def test_get_checkpoint_returns_a_bare_array_with_microseconds(
    client: Client, held: HeldClock, world: World
) -> None:
    world.write(PROJECT, LOGSTORE, 0, count=10)
    world.start_consumer(PROJECT, LOGSTORE, GROUP, "c1", shards=[0])
    held.advance(100.5)
    response = client.get(GROUP_PATH)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == [
        {
            "shard": 0,
            "checkpoint": TEN_LATER,
            "updateTime": 1_700_000_060_000_000,
            "consumer": "c1",
        }
    ]


def test_get_checkpoint_of_a_shard_returns_that_shard_or_nothing_if_unknown(
    client: Client,
) -> None:
    assert [entry["shard"] for entry in client.get(GROUP_PATH, shard=0).json()] == [0]
    assert client.get(GROUP_PATH, shard=9).json() == []
    assert error_of(client.get(GROUP_PATH, shard=-1)) == (400, "ParameterInvalid")


def test_list_consumer_group_returns_settings(client: Client, world: World) -> None:
    world.create_group(PROJECT, LOGSTORE, "etl-1", timeout=30, order=True)
    assert client.get("/logstores/orders/consumergroups").json() == [
        {"name": "billing", "timeout": 60, "order": False},
        {"name": "etl-1", "timeout": 30, "order": True},
    ]


def test_list_shards_returns_status_keys_and_times(
    client: Client, held: HeldClock, world: World
) -> None:
    held.advance(10.0)
    world.split_shard(PROJECT, LOGSTORE, 0)
    assert client.get("/logstores/orders/shards").json() == [
        {
            "shardID": 0,
            "status": "readonly",
            "inclusiveBeginKey": "00000000000000000000000000000000",
            "exclusiveEndKey": "ffffffffffffffffffffffffffffffff",
            "createTime": 1_700_000_000,
        },
        {
            "shardID": 1,
            "status": "readwrite",
            "inclusiveBeginKey": "00000000000000000000000000000000",
            "exclusiveEndKey": "80000000000000000000000000000000",
            "createTime": 1_700_000_010,
        },
        {
            "shardID": 2,
            "status": "readwrite",
            "inclusiveBeginKey": "80000000000000000000000000000000",
            "exclusiveEndKey": "ffffffffffffffffffffffffffffffff",
            "createTime": 1_700_000_010,
        },
    ]


def test_get_cursor_knows_begin_end_and_unix_seconds(
    client: Client, held: HeldClock, world: World
) -> None:
    world.set_producer(PROJECT, LOGSTORE, 0, 1.0)
    held.advance(20.0)
    world.set_producer(PROJECT, LOGSTORE, 0, None)

    def cursor(since: str | int) -> str:
        document = client.get(SHARD_PATH, type="cursor", **{"from": since}).json()
        assert set(document) == {"cursor"}
        return str(document["cursor"])

    assert cursor("begin") == BIRTH
    assert cursor("end") == "MTcwMDAwMDAwMDAwMDAwMDAyMA=="
    assert cursor(1_700_000_011) == TEN_LATER


def test_get_cursor_time_is_a_number_of_seconds(
    client: Client, held: HeldClock, world: World
) -> None:
    world.set_producer(PROJECT, LOGSTORE, 0, 1.5)
    held.advance(60.0)
    response = client.get(SHARD_PATH, type="cursor_time", cursor=TEN_LATER)
    assert response.json() == {"cursor_time": 1_700_000_016}


@pytest.mark.parametrize("cursor", [BIRTH, TEN_LATER, "nonsense", ""])
def test_get_cursor_time_refuses_cursors_without_a_log_group(client: Client, cursor: str) -> None:
    response = client.get(SHARD_PATH, type="cursor_time", cursor=cursor)
    assert error_of(response) == (400, "InvalidCursor")


def test_list_logstores_pages_up_to_500(client: Client, world: World) -> None:
    for number in range(1100):
        world.create_logstore(PROJECT, f"l{number:04}", shards=1)
    pages = [client.get("/logstores", offset=offset, size=500).json() for offset in (0, 500, 1000)]
    assert [(page["count"], page["total"]) for page in pages] == [
        (500, 1101),
        (500, 1101),
        (101, 1101),
    ]
    names = [name for page in pages for name in page["logstores"]]
    assert (names[0], names[500], names[-1]) == ("l0000", "l0500", "orders")
    assert client.get("/logstores", offset=2000, size=500).json() == {
        "count": 0,
        "total": 1101,
        "logstores": [],
    }
    assert error_of(client.get("/logstores", offset=0, size=501)) == (400, "ParameterInvalid")


def test_list_project_is_served_without_a_project_in_the_host(client: Client, world: World) -> None:
    world.create_project("another", region="cn-hangzhou")
    client.project = None
    document = client.get("/", offset=0, size=500).json()
    assert (document["count"], document["total"]) == (2, 2)
    assert [(row["projectName"], row["region"], row["status"]) for row in document["projects"]] == [
        ("another", "cn-hangzhou", "Normal"),
        ("shop", "cn-shanghai", "Normal"),
    ]


def test_get_logstore_returns_retention_and_number_of_shards(client: Client, world: World) -> None:
    world.split_shard(PROJECT, LOGSTORE, 0)
    document = client.get("/logstores/orders").json()
    assert (document["logstoreName"], document["ttl"], document["shardCount"]) == ("orders", 7, 2)


def test_update_checkpoint_and_heartbeat_and_the_life_of_a_group(client: Client) -> None:
    groups = "/logstores/orders/consumergroups"
    body = b'{"consumerGroup": "new", "timeout": 20, "order": false}'
    assert client.send(groups, method="POST", body=body).status_code == 200
    again = client.send(groups, method="POST", body=body)
    assert error_of(again) == (400, "ConsumerGroupAlreadyExist")
    heartbeat = client.send(
        f"{groups}/new",
        method="POST",
        params={"type": "heartbeat", "consumer": "c1"},
        body=b"[]",
    )
    assert heartbeat.json() == [0]
    update = client.send(
        f"{groups}/new",
        method="POST",
        params={"type": "checkpoint", "consumer": "c1", "forceSuccess": "true"},
        body=b'{"shard": 0, "checkpoint": "anything"}',
    )
    assert (update.status_code, update.content) == (200, b"")
    (entry,) = client.get(f"{groups}/new").json()
    assert entry == {
        "shard": 0,
        "checkpoint": "anything",
        "updateTime": 1_700_000_000_000_000,
        "consumer": "c1",
    }
    assert client.send(f"{groups}/new", method="DELETE").status_code == 200
    assert error_of(client.get(f"{groups}/new")) == (404, "ConsumerGroupNotExist")


@pytest.mark.parametrize(
    ("project", "path", "code"),
    [
        ("nowhere", GROUP_PATH, "ProjectNotExist"),
        ("shop", "/logstores/none/consumergroups/billing", "LogStoreNotExist"),
        ("shop", "/logstores/none/shards", "LogStoreNotExist"),
        ("shop", "/logstores/none", "LogStoreNotExist"),
        ("shop", "/logstores/orders/consumergroups/none", "ConsumerGroupNotExist"),
    ],
)
def test_missing_object_is_404_with_its_own_code(
    client: Client, project: str, path: str, code: str
) -> None:
    client.project = project
    assert error_of(client.send(path)) == (404, code)


@pytest.mark.parametrize("kind", ["cursor&from=end", "cursor_time&cursor=MQ==", "log&cursor=MQ=="])
def test_missing_shard_is_400_for_reads_and_404_for_checkpoints(client: Client, kind: str) -> None:
    read = client.send(f"/logstores/orders/shards/7?type={kind}")
    assert error_of(read) == (400, "ShardNotExist")
    params = {"type": "checkpoint", "forceSuccess": "true"}
    body = b'{"shard": 7, "checkpoint": "MQ=="}'
    written = client.send(GROUP_PATH, method="POST", params=params, body=body)
    assert error_of(written) == (404, "ShardNotExist")


def test_checkpoint_without_a_consumer_is_written_only_by_force(client: Client) -> None:
    def post(body: bytes, **params: str) -> requests.Response:
        return client.send(GROUP_PATH, method="POST", params=params, body=body)

    assert error_of(post(b"[]", type="heartbeat")) == (400, "ParameterInvalid")
    assert post(b"[]", type="heartbeat", consumer="").json() == [0]
    body = b'{"shard": 0, "checkpoint": "MQ=="}'
    for params in ({}, {"consumer": ""}, {"forceSuccess": "false"}):
        refused = post(body, type="checkpoint", **params)
        assert error_of(refused) == (404, "ConsumerNotExist")
    for force in ("true", "True"):
        assert post(body, type="checkpoint", forceSuccess=force).status_code == 200
    assert client.get(GROUP_PATH).json()[0]["consumer"] == ""


@pytest.mark.parametrize("text", ["%", "MQ=", "MQ==\n", "日志"])
def test_checkpoint_that_is_not_base64_is_refused(client: Client, text: str) -> None:
    params = {"type": "checkpoint", "forceSuccess": "true"}
    body = json.dumps({"shard": 0, "checkpoint": text}).encode()
    response = client.send(GROUP_PATH, method="POST", params=params, body=body)
    assert error_of(response) == (400, "InvalidShardCheckPoint")
    assert client.get(GROUP_PATH).json()[0]["checkpoint"] == ""


def test_unknown_path_or_method_is_an_error_of_the_service(client: Client) -> None:
    assert error_of(client.get("/dashboards")) == (404, "InvalidAction")
    assert error_of(client.send("/logstores", method="PUT")) == (405, "InvalidAction")


def test_invalid_body_is_400(client: Client) -> None:
    for kind, body, code in (
        ("checkpoint", b"{", "PostBodyInvalid"),
        ("checkpoint", b"[]", "PostBodyInvalid"),
        ("checkpoint", b'{"shard": "0"}', "ParameterInvalid"),
        ("heartbeat", b"{}", "PostBodyInvalid"),
    ):
        params = {"type": kind, "consumer": "c1"}
        response = client.send(GROUP_PATH, method="POST", params=params, body=body)
        assert error_of(response) == (400, code)
    groups = "/logstores/orders/consumergroups"
    for body in (b'{"consumerGroup": "new"}', b'{"consumerGroup": "", "timeout": 20}'):
        response = client.send(groups, method="POST", body=body)
        assert error_of(response) == (400, "JsonInfoInvalid")
    for body in (b'{"timeout": "20"}', b'{"order": 1}', b"{}"):
        response = client.send(GROUP_PATH, method="PUT", body=body)
        assert error_of(response) == (400, "ParameterInvalid")


def test_a_shard_or_an_instant_that_is_no_number_is_400(client: Client) -> None:
    bad_shard = client.send("/logstores/orders/shards/x?type=cursor&from=end")
    bad_instant = client.send(SHARD_PATH + "?type=cursor&from=noon")
    assert error_of(bad_shard) == (400, "ParameterInvalid")
    assert error_of(bad_instant) == (400, "ParameterInvalid")


def test_each_response_has_the_simulated_time_and_a_unique_request_id(
    client: Client, held: HeldClock
) -> None:
    held.advance(7.9)
    answers = [client.get(GROUP_PATH), client.get("/logstores/none")]
    assert [answer.headers["x-log-time"] for answer in answers] == ["1700000007", "1700000007"]
    assert len({answer.headers["x-log-requestid"] for answer in answers}) == 2


@pytest.mark.parametrize(
    "host",
    [
        "shop.127.0.0.1:{port}",
        "shop.127.0.0.1",
        "shop.localhost:{port}",
        "shop.cn-shanghai.log.aliyuncs.com",
        "shop.cn-shanghai-intranet.log.aliyuncs.com:80",
        "shop.sls.test",
    ],
)
def test_a_project_is_the_first_label_of_the_host(world: World, host: str) -> None:
    with Simulator(world, check_signatures=False) as simulator:
        port = urlsplit(simulator.endpoint).port
        headers = {"Host": host.format(port=port)}
        response = requests.get(simulator.endpoint + GROUP_PATH, headers=headers, timeout=10)
    assert response.status_code == 200


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:80", "localhost", "cn-shanghai.log.aliyuncs.com"]
)
def test_the_endpoint_s_own_host_names_no_project(world: World, host: str) -> None:
    with Simulator(world, check_signatures=False) as simulator:
        response = requests.get(simulator.endpoint, headers={"Host": host}, timeout=10)
    assert response.json()["total"] == 1


def test_requests_are_recorded_with_what_they_were_about(
    client: Client, simulator: Simulator
) -> None:
    client.get(GROUP_PATH, shard=0)
    client.get(SHARD_PATH, type="cursor_time", cursor=BIRTH)
    client.get("/logstores/none/shards")
    records = simulator.requests
    assert [(r.operation, r.logstore, r.consumer_group, r.shard, r.cursor) for r in records] == [
        ("GetCheckPoint", "orders", "billing", 0, None),
        ("GetCursorTime", "orders", None, 0, BIRTH),
        ("ListShards", "none", None, None, None),
    ]
    assert [record.status for record in records] == [200, 400, 404]
    assert {record.project for record in records} == {"shop"}
    assert records[0].received_at <= records[1].received_at <= records[2].received_at
    simulator.forget_requests()
    assert simulator.requests == []


def test_a_connection_serves_many_requests(client: Client, simulator: Simulator) -> None:
    for _ in range(5):
        client.get(GROUP_PATH)
    assert simulator.connections == 1


def test_simulator_serves_over_tls(world: World) -> None:
    authority = trustme.CA()
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)
    with Simulator(world, tls=server_side, check_signatures=False) as simulator:
        assert simulator.endpoint.startswith("https://127.0.0.1:")
        address = urlsplit(simulator.endpoint).netloc
        connection = http.client.HTTPSConnection(address, context=client_side, timeout=10)
        connection.request("GET", GROUP_PATH, headers={"Host": "shop.127.0.0.1"})
        assert connection.getresponse().status == 200
        connection.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / SPDY/3\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 201 + b"\r\n", b"400"),
        (b"GET /" + b"a" * 65_531, b"400"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"413"),
    ],
)
def test_input_other_than_http_is_refused_and_the_connection_closed(
    simulator: Simulator, sent: bytes, status: bytes
) -> None:
    url = urlsplit(simulator.endpoint)
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(12) == b"HTTP/1.1 " + status


def test_a_closed_simulator_has_no_endpoint(world: World) -> None:
    simulator = Simulator(world)
    simulator.start()
    simulator.close()
    with pytest.raises(RuntimeError, match="not running"):
        _ = simulator.endpoint
