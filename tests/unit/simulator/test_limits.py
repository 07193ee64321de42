"""Limits of the service that are switched on: quotas, cached metadata, the time of the end."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from msgspec import structs

from exporter.simulator.calls import Call
from exporter.simulator.cursors import encode_cursor
from exporter.simulator.errors import ServiceError
from exporter.simulator.quotas import READS, WRITES, QuotaCounter, Quotas
from exporter.simulator.server import Simulator
from exporter.simulator.world import World
from tests.support.held_clock import HeldClock
from tests.support.simulator_client import Client
from tests.support.simulator_worlds import LOGSTORE, PROJECT, START, small_world

SHARD = (PROJECT, LOGSTORE, 0)
SHARD_CALL = Call(operation="GetCursor", project=PROJECT, logstore=LOGSTORE, shard=0)
END = "/logstores/orders/shards/{}?type=cursor&from=end"
SHARDS = "/logstores/orders/shards"


@contextmanager
def served(
    *, quotas: Quotas | None = None, cache_seconds: float = 0.0
) -> Iterator[tuple[HeldClock, World, Client]]:
    held, world = small_world(shards=2)
    world.create_project("other")
    world.create_logstore("other", LOGSTORE)
    with (
        Simulator(world, quotas=quotas or Quotas(), cache_seconds=cache_seconds) as simulator,
        Client(simulator=simulator, wall=held.wall) as client,
    ):
        yield held, world, client


def code(client: Client, path: str, project: str = PROJECT) -> str:
    """Return the error code of a response, "" if it is not an error."""
    client.project = project
    response = client.send(path)
    if response.status_code == 200:
        return ""
    assert response.status_code == 403
    return str(response.json()["errorCode"])


def test_reads_of_a_shard_are_limited_per_second() -> None:
    with served(quotas=Quotas(reads_per_shard=2)) as (held, _, client):
        codes = [code(client, END.format(0)) for _ in range(3)]
        assert codes == ["", "", "ShardReadQuotaExceed"]
        assert code(client, END.format(1)) == code(client, SHARDS) == ""
        held.advance(1.0)
        assert code(client, END.format(0)) == ""


def test_quota_of_a_second_is_not_renewed_by_a_request_of_the_second_before() -> None:
    counter = QuotaCounter(Quotas(metadata_per_project=1))
    call = Call(operation="ListShards", project=PROJECT)
    counter.check(call, START)
    for now in (START - 0.001, START + 0.999):
        with pytest.raises(ServiceError, match="403 MetaOperationQpsLimitExceeded"):
            counter.check(call, now)
    counter.check(call, START + 1.0)


@pytest.mark.parametrize(
    "other",
    [
        Call(operation="PullLogs", project="other", logstore=LOGSTORE, shard=0),
        Call(operation="PullLogs", project=PROJECT, logstore="other", shard=0),
        Call(operation="PullLogs", project=PROJECT, logstore=LOGSTORE, shard=1),
    ],
)
def test_quota_of_a_shard_counts_every_read_of_this_shard_only(other: Call) -> None:
    counter = QuotaCounter(Quotas(reads_per_shard=3, metadata_per_project=0))
    for operation in ("GetCursor", "GetCursorTime", "PullLogs"):
        counter.check(structs.replace(SHARD_CALL, operation=operation), START)
    counter.check(other, START)
    for operation in ("GetCursor", "GetCursorTime", "PullLogs"):
        with pytest.raises(ServiceError, match="403 ShardReadQuotaExceed"):
            counter.check(structs.replace(SHARD_CALL, operation=operation), START)


@pytest.mark.parametrize("operation", ["GetCheckPoint", "HeartBeat", "ListProject", "ListShards"])
def test_quota_of_metadata_counts_operations_that_neither_read_nor_write(operation: str) -> None:
    counter = QuotaCounter(Quotas(reads_per_project=3, metadata_per_project=1))
    for counted in (*READS, *WRITES, operation):
        counter.check(structs.replace(SHARD_CALL, operation=counted), START)
    with pytest.raises(ServiceError, match="403 MetaOperationQpsLimitExceeded"):
        counter.check(Call(operation=operation, project=PROJECT), START)
    with pytest.raises(ServiceError, match="403 ReadQuotaExceed"):
        counter.check(SHARD_CALL, START)
    counter.check(structs.replace(SHARD_CALL, operation="PutLogs"), START)


def test_reads_of_a_project_are_limited_over_all_shards() -> None:
    with served(quotas=Quotas(reads_per_project=2)) as (_, _, client):
        codes = [code(client, END.format(shard)) for shard in (0, 1, 0)]
        assert codes == ["", "", "ReadQuotaExceed"]
        assert code(client, SHARDS) == code(client, END.format(0), "other") == ""


def test_operations_on_metadata_have_a_quota_without_reads() -> None:
    with served(quotas=Quotas(metadata_per_project=1)) as (_, _, client):
        assert [code(client, END.format(0)) for _ in range(2)] == ["", ""]
        codes = [code(client, path) for path in (SHARDS, "/logstores")]
        assert codes == ["", "MetaOperationQpsLimitExceeded"]
        assert code(client, SHARDS, "other") == ""


def test_cached_lists_show_changes_late_but_checkpoints_immediately() -> None:
    with served(cache_seconds=60.0) as (held, world, client):
        group = "/logstores/orders/consumergroups/billing"

        def shards(path: str) -> int:
            return len(client.get(path).json())

        assert (shards(SHARDS), shards(group)) == (2, 2)
        world.split_shard(*SHARD)
        held.advance(59.0)
        assert (shards(SHARDS), shards(group)) == (2, 4)
        held.advance(1.0)
        assert (shards(SHARDS), shards(group)) == (4, 4)


def test_every_list_is_cached_apart_from_all_others() -> None:
    projects, logstores = (PROJECT, "other"), (LOGSTORE, "second")

    def documents(client: Client) -> list[object]:
        found = []
        for client.project in (None, *projects):
            found.append(client.get("/" if client.project is None else "/logstores").json())
            paths = [
                f"/logstores/{logstore}{path}"
                for logstore in logstores
                for path in ("", "/consumergroups", "/shards")
                if client.project is not None
            ]
            found += [client.get(path).json() for path in paths]
        return found

    def change(shard: int) -> None:
        world.create_project(f"project-{shard}")
        for project in projects:
            world.create_logstore(project, f"{project}-{shard}")
            for logstore in logstores:
                world.split_shard(project, logstore, shard)
                world.create_group(project, logstore, f"{project}-{logstore}-{shard}")

    with (
        served(cache_seconds=60.0) as (held, world, client),
        Simulator(world) as simulator,
        Client(simulator=simulator, wall=held.wall) as current,
    ):
        for project in projects:
            world.create_logstore(project, "second", shards=3)
        change(0)
        before = documents(client)
        assert before == documents(current)
        change(1)
        held.advance(59.0)
        assert documents(client) == before
        held.advance(1.0)
        after = documents(client)
        assert after == documents(current)
        assert [old for old, new in zip(before, after, strict=True) if old == new] == []


def test_cache_keeps_pages_apart_and_no_errors() -> None:
    with served(cache_seconds=60.0) as (_, world, client):
        assert client.get("/logstores/new").status_code == 404
        assert client.get("/logstores", size=1).json()["logstores"] == ["orders"]
        world.create_logstore(PROJECT, "new")
        assert client.get("/logstores/new").status_code == 200
        assert client.get("/logstores", size=2).json()["logstores"] == ["new", "orders"]


@pytest.mark.parametrize("count", [0, 3])
def test_time_of_the_end_may_be_the_current_time(count: int) -> None:
    held, world = small_world()
    world.write(*SHARD, count=count)
    held.advance(100.0)
    end = world.end_cursor(*SHARD)
    with pytest.raises(ServiceError, match="InvalidCursor"):
        world.cursor_time(*SHARD, encode_cursor(end))
    world.times_end = True
    assert world.cursor_time(*SHARD, encode_cursor(end)) == int(held.wall())
    with pytest.raises(ServiceError, match="InvalidCursor"):
        world.cursor_time(*SHARD, encode_cursor(end + 1))
