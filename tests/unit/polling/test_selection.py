"""Listings of shards that fail, lack entries or are empty: no shard is left out in silence.

``sls_consumer_group_shards`` counts shards that no response names as unknown, and the alert
SLSConsumerShardsUnknown compares this value.
"""

import json
from collections.abc import Callable, Iterator, Mapping

import pytest

from exporter.metrics.values import shards_by_state
from exporter.model.shards import Shard
from exporter.polling.selection import LISTING_FAILED, NOT_LISTED, ShardListing
from exporter.polling.targets import GroupTarget
from tests.support.faults import Body, Changed, ErrorAnswer
from tests.support.polling import STALE_AFTER, Bench, bench
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
NEW = "new"
INTERVAL = 60.0
POLLS_KEPT = int(STALE_AFTER / INTERVAL)

Break = Callable[[Bench], object]
States = Mapping[str, int]


def corrupt(*kept: int) -> Break:
    """Return a change after which only some of two entries of the listing are valid."""

    def change(entries: list[dict[str, object]]) -> list[object]:
        return [entry if entry["shardID"] in kept else {"shardID": "one"} for entry in entries]

    return lambda made: made.simulator.faults.add(Changed(change=change), operation="ListShards")


def respond(operation: str, answer: list[object]) -> Break:
    return lambda made: made.simulator.faults.add(
        Body(text=json.dumps(answer)), operation=operation
    )


def fail(operation: str) -> Break:
    broken = ErrorAnswer(status=500, code="InternalServerError")
    return lambda made: made.simulator.faults.add(broken, operation=operation)


def deny(operation: str) -> Break:
    return lambda made: made.simulator.deny(operation)


# The permission to read cursors has its own metric and alert: sls_exporter_cursor_access.
FROM_THE_START: Mapping[str, tuple[Break, States, States]] = {
    "nothing fails": (lambda _: None, {"unconsumed": 2}, {"caught_up": 2}),
    "listing fails": (fail("ListShards"), {"unknown": 1}, {"unknown": 2}),
    "listing denied": (deny("ListShards"), {"unknown": 1}, {"unknown": 2}),
    "cursors denied": (deny("GetCursor"), {"unknown": 1}, {"unknown": 2}),
    "one entry corrupt": (
        corrupt(0),
        {"unconsumed": 1, "unknown": 1},
        {"caught_up": 1, "unknown": 1},
    ),
    "all entries corrupt": (corrupt(), {"unknown": 2}, {"unknown": 2}),
    "listing empty": (respond("ListShards", []), {"unknown": 1}, {"unknown": 1}),
}


def counts(made: Bench, name: str) -> States:
    """Return the numbers of shards in the states that occur."""
    group = made.group(name)
    assert group.up
    found = shards_by_state(group, group.snapshot)
    return {state: int(number) for (state,), number in found.items() if number}


@pytest.fixture
def made() -> Iterator[Bench]:
    """Let one group have caught up on two shards, and another one have no checkpoint at all."""
    with bench(shards=2, groups=(GroupTarget(name=NEW), GroupTarget(name=GROUP))) as made:
        made.world.create_group(*STORE, NEW, empty_until_heartbeat=True)
        made.world.start_consumer(*STORE, GROUP, "c1", shards=[0, 1])
        for shard in range(2):
            made.world.write(*STORE, shard, 3)
        made.held.advance(INTERVAL)
        yield made


@pytest.mark.parametrize(
    ("fault", "never_consumed", "consumed"), FROM_THE_START.values(), ids=FROM_THE_START
)
def test_group_counts_shards_that_no_response_names_as_unknown(
    made: Bench, fault: Break, never_consumed: States, consumed: States
) -> None:
    fault(made)
    for _ in range(POLLS_KEPT + 1):
        made.poll(after=INTERVAL)
    assert (counts(made, NEW), counts(made, GROUP)) == (never_consumed, consumed)
    made.simulator.faults.clear()
    made.simulator.allow("ListShards")
    made.simulator.allow("GetCursor")
    made.poll(after=300.0)
    assert (counts(made, NEW), counts(made, GROUP)) == ({"unconsumed": 2}, {"caught_up": 2})


def test_group_with_corrupt_checkpoints_is_unknown_if_shards_are_not_listed(made: Bench) -> None:
    fail("ListShards")(made)
    respond("GetCheckPoint", [7])(made)
    made.poll()
    assert (counts(made, NEW), counts(made, GROUP)) == ({"unknown": 1}, {"unknown": 1})


def test_group_without_checkpoints_is_unknown_if_shards_are_not_requested() -> None:
    with bench(lag=False, groups=(GroupTarget(name=NEW),)) as made:
        made.world.create_group(*STORE, NEW, empty_until_heartbeat=True)
        made.poll()
        assert counts(made, NEW) == {"unknown": 1}


def test_group_is_unknown_while_its_first_listing_is_awaited(made: Bench) -> None:
    made.poll()
    first = next(group for group in made.published if group.key.consumer_group == NEW)
    assert first.snapshot is not None
    assert (first.snapshot.shards, first.snapshot.unnamed) == ((), 1)


@pytest.mark.parametrize("fault", [fail("ListShards"), corrupt(0)], ids=["failing", "corrupt"])
def test_shards_that_were_named_before_are_counted_once(made: Bench, fault: Break) -> None:
    made.poll()
    fault(made)
    for _ in range(2 * POLLS_KEPT):
        made.poll(after=INTERVAL)
        for name in (NEW, GROUP):
            assert sum(counts(made, name).values()) == 2


def listing(*shards: int, missing: int = 0) -> ShardListing:
    """Return a new listing."""
    found = {number: Shard(shard=number, status="readwrite") for number in shards}
    return ShardListing(shards=found, is_new=True, missing=missing)


@pytest.mark.parametrize(
    ("listing", "known", "watched", "expected"),
    [
        (listing(0, 1), {0, 1}, None, 0),
        (listing(0, 1, missing=1), {0, 1}, None, 1),
        (listing(0, missing=2), {0, 1}, None, 1),
        (listing(0, missing=1), {0, 1, 2}, None, 0),
        (listing(0, missing=1), {0}, {0}, 0),
        (listing(0, missing=1), {0}, {0, 1}, 1),
        (listing(0, missing=3), {0}, {0, 1, 2}, 2),
        (listing(0), (), {7}, 0),
        (listing(), (), None, 1),
        (LISTING_FAILED, (), {7}, 1),
        (LISTING_FAILED, {7}, None, 0),
        (NOT_LISTED, (), None, 1),
        (NOT_LISTED, {0, 1}, None, 0),
    ],
)
def test_unnamed_shards_are_those_missing_that_may_be_watched_and_are_not_known(
    listing: ShardListing, known: set[int], watched: set[int] | None, expected: int
) -> None:
    assert listing.unnamed(known, None if watched is None else frozenset(watched)) == expected
