"""States of shards: settled with few requests, and right even if the service returns wrong cursors.

A replacement of GetCursor with a time is an injected fault that computes another response.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from msgspec import Struct

from exporter.model.progress import State
from exporter.polling.poller import Effort
from exporter.polling.targets import GroupTarget
from exporter.simulator.cursors import encode_cursor
from exporter.simulator.wire import json_response
from exporter.simulator.world import World
from tests.support.exchange import Exchange
from tests.support.faults import ErrorAnswer
from tests.support.polling import Bench, bench
from tests.support.simulator_worlds import LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
STALL_AFTER = 300.0
INTERVAL = 60.0
WHOLE_SECOND = 1.0


# Requests of busy polls


def calls(made: Bench) -> int:
    return sum(made.calls().values())


def unread(made: Bench, group: GroupTarget) -> list[int]:
    return [line.unread or 0 for line in made.shards(group.name).values()]


@contextmanager
def busy(shards: int, groups: int, *, flush_intervals: tuple[float, ...]) -> Iterator[Bench]:
    """Set up groups that are always some seconds behind in every shard, and move."""
    targets = tuple(GroupTarget(name=f"group-{number}") for number in range(groups))
    with bench(shards=shards, groups=targets, effort=Effort(exact=0)) as made:
        for shard in range(shards):
            made.world.set_producer(*STORE, shard, 1.0 + shard / 10)
        for number, target in enumerate(targets):
            made.world.create_group(*STORE, target.name)
            made.world.start_consumer(
                *STORE,
                target.name,
                "worker",
                shards=range(shards),
                flush_interval=flush_intervals[number % len(flush_intervals)],
            )
            made.held.advance(INTERVAL / groups)
        made.held.advance(90.0)
        made.poll()
        yield made


@pytest.mark.parametrize(("shards", "groups"), [(4, 3), (8, 5), (16, 8)])
@pytest.mark.parametrize(
    "flush_intervals", [(60.0,), (31.0, 47.0, 60.0), (7.0, 61.0, 301.0)], ids=str
)
def test_busy_poll_costs_a_quarter_per_shard_and_half_per_group_more_than_one_at_rest(
    shards: int, groups: int, flush_intervals: tuple[float, ...]
) -> None:
    with busy(shards, groups, flush_intervals=flush_intervals) as made:
        assert calls(made) <= 1.25 * (2 + 2 * groups + 4 * shards), "the first poll"
        total, behind = 0, 0.0
        for _ in range(30):
            made.poll(after=INTERVAL)
            total += calls(made)
            lines = [line for target in made.poller.target.groups for line in unread(made, target)]
            behind += sum(count > 0 for count in lines) / len(lines)
        assert behind / 30 > 0.5
        at_rest = 1 + groups + shards
        assert at_rest <= total / 30 <= at_rest + shards / 4 + groups / 2


@pytest.mark.parametrize(("budget", "extra"), [(0, 2 * 8), (1_000, 8 * 5 + 8)])
def test_death_of_all_consumers_costs_few_requests_until_all_states_are_known(
    budget: int, extra: int
) -> None:
    shards, groups = 8, 5
    with busy(shards, groups, flush_intervals=(60.0,)) as made:
        for _ in range(5):
            made.poll(after=INTERVAL)
        made.effort = Effort(exact=0, budget=budget)
        for number in range(groups):
            made.world.crash_consumer(*STORE, f"group-{number}", "worker")
        made.calls()
        polls, total = 7, 0
        for _ in range(polls):
            made.poll(after=INTERVAL)
            total += calls(made)
        for number in range(groups):
            assert set(states(made, f"group-{number}").values()) == {State.STALLED}
        settings = 2  # read once in 5 minutes
        assert total <= polls * (1 + groups + shards) + settings + extra


# Responses to GetCursor with a time


Respond = Callable[[World, int, int], int]
"""A function that returns a cursor for a world, a shard and a time in Unix seconds."""


class Rejection(Struct, frozen=True, kw_only=True):
    """An error to GetCursor with a time; the regular response to all other positions."""

    def apply(self, exchange: Exchange) -> None:
        """Return the error."""
        if exchange.request.query.get("from", "").isdecimal():
            ErrorAnswer(status=400, code="ParameterInvalid").apply(exchange)
        else:
            exchange.respond(exchange.answer())


class Since(Struct, frozen=True, kw_only=True):
    """Another response to GetCursor with a time; the regular one to all other positions."""

    world: World
    respond: Respond

    def apply(self, exchange: Exchange) -> None:
        """Return the cursor."""
        query, path = exchange.request.query, exchange.request.path
        if not query.get("from", "").isdecimal():
            exchange.respond(exchange.answer())
            return
        cursor = self.respond(self.world, int(path.rpartition("/")[2]), int(query["from"]))
        exchange.respond(json_response(200, {"cursor": encode_cursor(cursor)}, {}))


STAND_INS: dict[str, Respond] = {
    "the end": lambda world, shard, _: world.end_cursor(*STORE, shard),
    "the beginning": lambda world, shard, _: world.begin_cursor(*STORE, shard),
    "one too far": lambda world, shard, time: world.cursor_since(*STORE, shard, time) + 1,
    "one too early": lambda world, shard, time: world.cursor_since(*STORE, shard, time) - 1,
    "an hour late": lambda world, shard, time: world.cursor_since(*STORE, shard, time + 3600),
    "an hour early": lambda world, shard, time: world.cursor_since(*STORE, shard, time - 3600),
    "zero": lambda *_: 0,
}
GROUPS = ("dead", "slow", "steady")


@contextmanager
def mixed(*, exact: int = 0) -> Iterator[Bench]:
    """Set up shards with consumers that died, commit rarely, or are fine, of several producers."""
    targets = tuple(GroupTarget(name=name) for name in GROUPS)
    with bench(shards=5, groups=targets, effort=Effort(exact=exact)) as made:
        for shard, every in enumerate((1.0, 7.0, 90.0, 400.0)):
            made.world.set_producer(*STORE, shard, every)
        made.world.write(*STORE, 4, 3)  # and nothing after that
        for name, flush_interval in (("dead", 20.0), ("slow", 250.0), ("steady", 10.0)):
            made.world.create_group(*STORE, name)
            made.world.start_consumer(
                *STORE, name, "worker", shards=range(5), flush_interval=flush_interval
            )
        made.held.advance(4000.0)
        made.world.crash_consumer(*STORE, "dead", "worker")
        made.held.advance(100.0)
        yield made


def states(made: Bench, group: str) -> dict[int, State]:
    return {shard: made.state(shard, group) for shard in made.shards(group)}


def is_stalled(made: Bench, group: str, shard: int) -> bool | None:
    """Return whether a shard is stalled, None if it is within a second of the threshold."""
    truth = made.world.truth(*STORE, group, shard)
    if truth.oldest_unread_at is None or truth.checkpoint == truth.end:
        return False
    assert truth.updated_at is not None
    stalled = made.held.wall() - max(truth.updated_at, truth.oldest_unread_at)
    return None if abs(stalled - STALL_AFTER) <= WHOLE_SECOND else stalled > STALL_AFTER


def expect_right_states(made: Bench) -> int:
    """Compare all states with the world; return how many were stalled."""
    stalled = 0
    for group in GROUPS:
        for shard, found in states(made, group).items():
            expected = is_stalled(made, group, shard)
            if expected is not None:
                assert (found is State.STALLED) is expected, (group, shard, found)
            assert found in {State.STALLED, State.CONSUMING, State.CAUGHT_UP}
            stalled += found is State.STALLED
    return stalled


def since_calls(made: Bench) -> int:
    """Count the requests of GetCursor with a time, and forget all requests."""
    cursors = [each.cursor for each in made.simulator.requests if each.operation == "GetCursor"]
    made.simulator.forget_requests()
    return sum(cursor is not None and cursor.isdecimal() for cursor in cursors)


def test_right_cursors_by_time_are_trusted() -> None:
    with mixed() as made:
        total = 0
        for _ in range(20):
            made.poll(after=INTERVAL)
            total += expect_right_states(made)
        assert made.observed.distrusted == 0
        assert made.poller.logstore.cursors.trusts_since is True
        assert since_calls(made) > 0
        assert total > 20


@pytest.mark.parametrize("respond", STAND_INS.values(), ids=STAND_INS.keys())
@pytest.mark.parametrize("exact", [0, 8])
def test_wrong_cursors_by_time_are_distrusted_and_states_stay_right(
    respond: Respond, exact: int
) -> None:
    with mixed(exact=exact) as made:
        made.simulator.faults.add(Since(world=made.world, respond=respond), operation="GetCursor")
        total = 0
        for _ in range(20):
            made.poll(after=INTERVAL)
            total += expect_right_states(made)
        assert total > 20
        assert made.observed.distrusted == 1
        assert made.poller.logstore.cursors.trusts_since is False
        since_calls(made)
        made.poll(after=INTERVAL)
        assert since_calls(made) == 0


def test_service_that_rejects_times_is_not_asked_again_and_states_stay_right() -> None:
    with mixed() as made:
        made.simulator.faults.add(Rejection(), operation="GetCursor")
        total = 0
        for _ in range(10):
            made.poll(after=INTERVAL)
            total += expect_right_states(made)
        assert total > 10
        assert since_calls(made) == 1
        assert made.observed.distrusted == 1
        assert made.observed.failures == []


def test_failed_proof_is_made_again_in_the_next_poll() -> None:
    with mixed() as made:
        fault = made.simulator.faults.add(
            ErrorAnswer(status=500, code="InternalServerError"), operation="GetCursorTime"
        )
        made.poll(after=INTERVAL)
        assert made.poller.logstore.cursors.trusts_since is None
        made.simulator.faults.remove(fault)
        made.poll(after=INTERVAL)
        assert made.poller.logstore.cursors.trusts_since is True
        expect_right_states(made)


def test_cursors_that_are_right_for_quiet_shards_alone_lead_to_no_wrong_state() -> None:
    targets = (GroupTarget(name="dead"),)
    with bench(shards=5, groups=targets, effort=Effort(exact=0)) as made:
        respond = STAND_INS["the end"]
        made.simulator.faults.add(Since(world=made.world, respond=respond), operation="GetCursor")
        made.world.create_group(*STORE, "dead")
        for shard in range(5):
            made.world.write(*STORE, shard, 2)
            end = made.world.end_cursor(*STORE, shard)
            made.world.update_checkpoint(*STORE, "dead", shard, end if shard > 2 else end - 1)
        made.held.advance(1000.0)
        for shard in (3, 4):
            made.world.write(*STORE, shard, 5)
        for _ in range(3):
            made.poll(after=INTERVAL)
            found = [made.state(shard, "dead") for shard in range(5)]
            assert found == [State.STALLED] * 3 + [State.CONSUMING] * 2
