"""Shards that a response contains in an unusable form, or whose end fails, stay visible.

An entry that cannot be read may belong to any shard that no other entry names. Such a shard keeps
its last state until ``stale_after``, and is unknown from then on. It never vanishes in silence.
"""

from collections.abc import Callable, Iterator

import pytest

from exporter.model.progress import State
from exporter.polling.targets import GroupTarget
from tests.support.faults import Body, Changed, ErrorAnswer
from tests.support.polling import STALE_AFTER, Bench, bench
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
BY = (*STORE, GROUP)
INTERVAL = 60.0
POLLS_KEPT = int(STALE_AFTER / INTERVAL)
BROKEN = ErrorAnswer(status=500, code="InternalServerError")

Entries = list[dict[str, object]]
Corrupt = Callable[[dict[str, object]], object]

CORRUPT_CHECKPOINTS: dict[str, Corrupt] = {
    "consumer is a number": lambda entry: entry | {"consumer": 17},
    "checkpoint is a list": lambda entry: entry | {"checkpoint": [1]},
    "shard is a text": lambda entry: entry | {"shard": "one"},
    "not an object": lambda _: 7,
}
CORRUPT_SHARDS: dict[str, Corrupt] = {
    "status is a number": lambda entry: entry | {"status": 17},
    "shardID is a text": lambda entry: entry | {"shardID": "one"},
    "not an object": lambda _: None,
}


def corrupting(corrupt: Corrupt, key: str) -> Changed:
    """Return the regular response in which the entry of shard 1 is corrupt."""

    def change(entries: Entries) -> list[object]:
        return [corrupt(entry) if entry[key] == 1 else entry for entry in entries]

    return Changed(change=change)


def corrupt_checkpoints(made: Bench, corrupt: Corrupt) -> None:
    made.simulator.faults.add(corrupting(corrupt, "shard"), operation="GetCheckPoint")


def corrupt_shards(made: Bench, corrupt: Corrupt) -> None:
    made.simulator.faults.add(corrupting(corrupt, "shardID"), operation="ListShards")


def states(made: Bench, name: str = GROUP) -> list[State]:
    return [made.state(shard, name) for shard in sorted(made.shards(name))]


@pytest.fixture
def stalled() -> Iterator[Bench]:
    """Let both shards stall for ten minutes."""
    with bench(shards=2) as made:
        made.world.start_consumer(*BY, "c1", shards=[0, 1])
        for shard in range(2):
            made.world.write(*STORE, shard, 5)
        made.held.advance(INTERVAL)
        made.world.crash_consumer(*BY, "c1")
        for shard in range(2):
            made.world.write(*STORE, shard)
        made.held.advance(600.0)
        yield made


def expect_kept_then_unknown(made: Bench, reason: str) -> None:
    """Poll until the shard 1 is unknown for a reason, and after that."""
    totals = made.group().totals
    for _ in range(POLLS_KEPT):
        made.poll(after=INTERVAL)
        assert states(made) == [State.STALLED, State.STALLED]
        assert made.group().up
    for _ in range(POLLS_KEPT + 1):
        failure = made.poll(after=INTERVAL).shard_failure
        assert states(made) == [State.STALLED, State.UNKNOWN]
        assert failure is not None
        assert failure.message.startswith(reason)
    assert made.group().totals == totals
    made.simulator.faults.clear()
    assert made.poll(after=INTERVAL).shard_failure is None
    assert states(made) == [State.STALLED, State.STALLED]
    assert made.group().totals == totals


@pytest.mark.parametrize("corrupt", CORRUPT_CHECKPOINTS.values(), ids=CORRUPT_CHECKPOINTS)
def test_shard_with_an_unreadable_checkpoint_keeps_its_state_then_is_unknown(
    stalled: Bench, corrupt: Corrupt
) -> None:
    stalled.poll()
    corrupt_checkpoints(stalled, corrupt)
    reason = f"GetCheckPoint: invalid_response: invalid entries of {GROUP}: "
    expect_kept_then_unknown(stalled, reason)


@pytest.mark.parametrize("corrupt", CORRUPT_SHARDS.values(), ids=CORRUPT_SHARDS)
def test_shard_whose_listing_is_unreadable_keeps_its_state_then_is_unknown(
    stalled: Bench, corrupt: Corrupt
) -> None:
    stalled.poll()
    corrupt_shards(stalled, corrupt)
    expect_kept_then_unknown(stalled, "ListShards: invalid_response: invalid entries: ")


@pytest.mark.parametrize("corrupt", CORRUPT_CHECKPOINTS.values(), ids=CORRUPT_CHECKPOINTS)
def test_shard_with_an_unreadable_checkpoint_is_unknown_in_the_first_poll(
    stalled: Bench, corrupt: Corrupt
) -> None:
    corrupt_checkpoints(stalled, corrupt)
    stalled.poll()
    assert states(stalled) == [State.STALLED, State.UNKNOWN]


@pytest.mark.parametrize("corrupt", CORRUPT_SHARDS.values(), ids=CORRUPT_SHARDS)
def test_shard_whose_listing_is_unreadable_is_unknown_in_the_first_poll(
    stalled: Bench, corrupt: Corrupt
) -> None:
    corrupt_shards(stalled, corrupt)
    stalled.poll()
    assert states(stalled) == [State.STALLED, State.UNKNOWN]


def test_shard_with_an_unreadable_checkpoint_is_unknown_while_shards_cannot_be_listed(
    stalled: Bench,
) -> None:
    stalled.poll()
    stalled.simulator.faults.add(BROKEN, operation="ListShards")
    corrupt_checkpoints(stalled, CORRUPT_CHECKPOINTS["not an object"])
    for _ in range(2 * POLLS_KEPT + 2):
        stalled.poll(after=INTERVAL)
        assert len(stalled.shards()) == 2
    assert states(stalled) == [State.UNKNOWN, State.UNKNOWN]


def test_shard_with_an_unreadable_checkpoint_stays_without_readings_of_ends() -> None:
    with bench(shards=2, lag=False) as made:
        made.world.start_consumer(*BY, "c1", shards=[0, 1])
        for shard in range(2):
            made.world.write(*STORE, shard, 5)
        made.poll(after=INTERVAL)
        age = made.shards()[1].updated_at
        corrupt_checkpoints(made, CORRUPT_CHECKPOINTS["not an object"])
        for number in range(2 * POLLS_KEPT):
            made.poll(after=INTERVAL)
            assert states(made) == [State.UNKNOWN, State.UNKNOWN]
            assert made.shards()[1].updated_at == (age if number < POLLS_KEPT else None)


@pytest.mark.parametrize("operation", ["GetCursor", "ListShards"])
def test_shard_with_an_unreadable_checkpoint_stays_without_the_permission_for_ends(
    stalled: Bench, operation: str
) -> None:
    stalled.poll()
    stalled.simulator.deny(operation)
    stalled.poll(after=INTERVAL)
    corrupt_checkpoints(stalled, CORRUPT_CHECKPOINTS["not an object"])
    for _ in range(2 * POLLS_KEPT):
        stalled.poll(after=INTERVAL)
        assert states(stalled) == [State.UNKNOWN, State.UNKNOWN]


def test_entry_of_an_unwatched_shard_that_is_unreadable_adds_no_shard() -> None:
    groups = (GroupTarget(name=GROUP, shards=frozenset({0})),)
    with bench(shards=2, groups=groups) as made:
        corrupt_checkpoints(made, CORRUPT_CHECKPOINTS["not an object"])
        corrupt_shards(made, CORRUPT_SHARDS["not an object"])
        for _ in range(2 * POLLS_KEPT):
            made.poll(after=INTERVAL)
            assert set(made.shards()) == {0}


# Shards without a checkpoint


@pytest.fixture
def unconsumed() -> Iterator[Bench]:
    """Let two shards have data that a new group has never consumed; no response names it."""
    with bench(shards=2, groups=(GroupTarget(name="new"),)) as made:
        made.world.create_group(*STORE, "new", empty_until_heartbeat=True)
        for shard in range(2):
            made.world.write(*STORE, shard, 3)
        made.held.advance(INTERVAL)
        yield made


def test_shard_without_a_checkpoint_is_unknown_if_its_end_fails_from_the_start(
    unconsumed: Bench,
) -> None:
    unconsumed.simulator.faults.add(BROKEN, operation="GetCursor", shard=1)
    for _ in range(3):
        unconsumed.poll(after=INTERVAL)
        assert states(unconsumed, "new") == [State.UNCONSUMED, State.UNKNOWN]
    unconsumed.simulator.faults.clear()
    unconsumed.poll(after=INTERVAL)
    assert states(unconsumed, "new") == [State.UNCONSUMED, State.UNCONSUMED]


def test_shard_without_a_checkpoint_keeps_its_state_then_is_unknown_while_its_end_fails(
    unconsumed: Bench,
) -> None:
    unconsumed.poll()
    unconsumed.simulator.faults.add(BROKEN, operation="GetCursor")
    for _ in range(POLLS_KEPT):
        unconsumed.poll(after=INTERVAL)
        assert states(unconsumed, "new") == [State.UNCONSUMED, State.UNCONSUMED]
    for _ in range(3):
        unconsumed.poll(after=INTERVAL)
        assert states(unconsumed, "new") == [State.UNKNOWN, State.UNKNOWN]


def test_shards_without_a_checkpoint_are_unknown_if_no_listing_is_young_enough(
    unconsumed: Bench,
) -> None:
    unconsumed.poll()
    unconsumed.simulator.faults.add(BROKEN, operation="ListShards")
    for _ in range(3 * POLLS_KEPT):
        unconsumed.poll(after=INTERVAL)
        assert len(unconsumed.shards("new")) == 2
    assert states(unconsumed, "new") == [State.UNKNOWN, State.UNKNOWN]


def test_shard_without_a_checkpoint_whose_listing_is_unreadable_stays(unconsumed: Bench) -> None:
    unconsumed.poll()
    corrupt_shards(unconsumed, CORRUPT_SHARDS["not an object"])
    for _ in range(3 * POLLS_KEPT):
        unconsumed.poll(after=INTERVAL)
        assert len(unconsumed.shards("new")) == 2
    assert states(unconsumed, "new") == [State.UNCONSUMED, State.UNKNOWN]


def test_shard_without_a_checkpoint_is_unconsumed_if_its_end_is_not_requested() -> None:
    with bench(lag=False) as made:
        made.world.write(*STORE, 0, 3)
        made.simulator.faults.add(Body(text='[{"shard": 0}]'), operation="GetCheckPoint")
        for _ in range(POLLS_KEPT + 2):
            made.poll(after=INTERVAL)
            assert states(made) == [State.UNCONSUMED]


def test_shard_without_a_checkpoint_is_unconsumed_without_the_permission_for_ends(
    unconsumed: Bench,
) -> None:
    unconsumed.simulator.deny("GetCursor")
    for _ in range(POLLS_KEPT + 2):
        unconsumed.poll(after=INTERVAL)
        assert set(states(unconsumed, "new")) <= {State.UNCONSUMED}
