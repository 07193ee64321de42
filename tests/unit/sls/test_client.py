"""The operations: against the simulated service, page by page, and the skew of clocks."""

from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

import pytest

from exporter.config.schema import Signature
from exporter.model.credentials import Credentials
from exporter.model.shards import Checkpoint, ConsumerGroup, Shard
from exporter.simulator.server import DEFAULT_CREDENTIALS, Simulator
from exporter.simulator.world import World
from exporter.sls.errors import AccessDenied, BadRequest, InvalidCursor, NotFound
from exporter.sls.operations import OPERATION_NAMES
from tests.support.held_clock import HeldClock
from tests.support.misbehaving import Behaviour, Turn, answer, misbehaving
from tests.support.simulator_worlds import START, small_world
from tests.support.sls_client import rig


@pytest.fixture
def world() -> tuple[HeldClock, World]:
    return small_world(shards=2, ttl_days=7)


@pytest.mark.parametrize("signature", ["v1", "v4"])
@pytest.mark.parametrize("token", [None, "CAIS+/==x"])
def test_every_operation_is_understood_by_the_service(
    world: tuple[HeldClock, World], signature: Signature, token: str | None
) -> None:
    held, simulated = world
    simulated.write("shop", "orders", 0, 10)
    held.advance(60)
    end = simulated.end_cursor("shop", "orders", 0)
    simulated.update_checkpoint("shop", "orders", "billing", 0, end - 3, consumer="host-1")
    keys = Credentials(access_key_id="id", access_key_secret="secret", security_token=token)
    with (
        Simulator(simulated, credentials=[keys]) as simulator,
        rig(
            simulator.endpoint, clock=held.clock, signature=signature, credentials=lambda: keys
        ) as made,
        rig(
            simulator.endpoint,
            project=None,
            clock=held.clock,
            signature=signature,
            credentials=lambda: keys,
        ) as account,
    ):
        client = made.client
        checkpoint, unconsumed = client.get_checkpoints("orders", "billing").entries
        assert client.list_consumer_groups("orders").entries == (
            ConsumerGroup(name="billing", timeout_seconds=60, order=False),
        )
        assert client.list_shards("orders").entries == (
            Shard(
                shard=0,
                status="readwrite",
                created_at=1_700_000_000,
                begin_key=0,
                end_key=1 << 127,
            ),
            Shard(
                shard=1,
                status="readwrite",
                created_at=1_700_000_000,
                begin_key=1 << 127,
                end_key=(1 << 128) - 1,
            ),
        )
        cursor = client.get_cursor("orders", 0, "begin")
        assert client.get_cursor_time("orders", 0, cursor) == START
        assert client.get_retention_days("orders") == 7
        assert client.list_logstores().entries == ("orders",)
        assert account.client.list_projects().entries == ("shop",)
        assert set(made.notes.projects) == {(simulator.endpoint, "shop")}
        assert set(account.notes.projects) == {(simulator.endpoint, "")}
    assert (checkpoint.shard, checkpoint.consumer) == (0, "host-1")
    assert checkpoint.updated_at == START + 60
    assert unconsumed == Checkpoint(shard=1, cursor="", updated_at=None, consumer="")
    ended = made.notes.ended + account.notes.ended
    assert [code for _, code in ended] == [None] * 8
    assert {operation for operation, _ in ended} == set(OPERATION_NAMES)


def test_refusals_of_the_service_are_told_apart(world: tuple[HeldClock, World]) -> None:
    held, simulated = world
    with (
        Simulator(simulated) as simulator,
        rig(simulator.endpoint, clock=held.clock) as made,
        rig(simulator.endpoint, clock=held.clock, project="nothing") as elsewhere,
        rig(
            simulator.endpoint,
            clock=held.clock,
            credentials=lambda: Credentials(
                access_key_id=DEFAULT_CREDENTIALS.access_key_id, access_key_secret="wrong"
            ),
        ) as denied,
    ):
        with pytest.raises(NotFound, match=r"404 ProjectNotExist: .* \(request id "):
            elsewhere.client.get_checkpoints("orders", "billing")
        with pytest.raises(NotFound, match="404 LogStoreNotExist: "):
            made.client.get_checkpoints("nothing", "billing")
        with pytest.raises(NotFound, match="404 ConsumerGroupNotExist: "):
            made.client.get_checkpoints("orders", "nothing")
        with pytest.raises(InvalidCursor, match="400 InvalidCursor: "):
            made.client.get_cursor_time("orders", 0, "MQ==")
        with pytest.raises(BadRequest, match="400 ShardNotExist: "):
            made.client.get_cursor("orders", 9, "end")
        with pytest.raises(AccessDenied, match="401 SignatureNotMatch: "):
            denied.client.list_shards("orders")


def test_request_that_is_too_old_is_refused_and_reports_the_skew(
    world: tuple[HeldClock, World],
) -> None:
    _, simulated = world
    ours = HeldClock(START - 3600)
    with (
        Simulator(simulated) as simulator,
        rig(simulator.endpoint, clock=ours.clock) as made,
        pytest.raises(BadRequest, match="400 Request"),
    ):
        made.client.list_shards("orders")
    assert [seconds for _, seconds in made.notes.skews] == [3600.0]
    assert made.notes.ignored_times == []


# Pages


def listing(names: Sequence[str]) -> Behaviour:
    """List names as ListLogStores does, by offset and size."""

    def respond(turn: Turn) -> None:
        query = parse_qs(urlsplit(turn.target).query)
        offset, size = int(query["offset"][0]), int(query["size"][0])
        page = [f'"{name}"' for name in names[offset : offset + size]]
        body = f'{{"count":{len(page)},"total":{len(names)},"logstores":[{",".join(page)}]}}'
        turn.send(answer(body.encode()))

    return respond


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (1, 1), (500, 1), (501, 2), (1234, 3)])
def test_listings_are_read_page_by_page(count: int, requests: int) -> None:
    names = [f"store-{number}" for number in range(count)]
    with misbehaving(listing(names)) as server, rig(server.endpoint) as made:
        assert made.client.list_logstores().entries == tuple(names)
    assert [request.target for request in server.requests] == [
        f"/logstores?offset={500 * page}&size=500" for page in range(requests)
    ]


def test_a_bad_name_is_left_out_of_a_listing_and_told() -> None:
    body = b'{"count":3,"total":3,"logstores":["a", 7, "b"]}'
    with misbehaving(lambda turn: turn.send(answer(body))) as server, rig(server.endpoint) as made:
        listed = made.client.list_logstores()
    assert listed.entries == ("a", "b")
    assert listed.faults == ("expected a name, got a number",)


# Clock skew


def test_network_latency_is_not_reported_as_skew() -> None:
    held = HeldClock(START)

    def answer_after_a_while(turn: Turn) -> None:
        held.advance(9)
        turn.send(answer(b"[]", f"x-log-time: {START + 4:.0f}"))

    with (
        misbehaving(answer_after_a_while) as server,
        rig(server.endpoint, clock=held.clock) as made,
    ):
        made.client.list_shards("orders")
    assert made.notes.skews == [(server.endpoint, 0.0)]


def test_an_update_time_is_judged_by_the_servers_clock() -> None:
    # The bound is a year ahead of the server's clock. The update exceeds it by the client's clock.
    ours = HeldClock(START - 600)
    updated_at = START + 366 * 86_400 - 60
    body = b'[{"shard":0,"checkpoint":"MQ==","updateTime":%d000000,"consumer":"a"}]' % updated_at
    data = answer(body, f"x-log-time: {START:.0f}")
    with (
        misbehaving(lambda turn: turn.send(data)) as server,
        rig(server.endpoint, clock=ours.clock) as made,
    ):
        assert made.client.get_checkpoints("orders", "billing").entries[0].updated_at == updated_at
