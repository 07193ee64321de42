"""The likely causes of stalls after polls, for consumers of a simulated world."""

from collections.abc import Iterator

import pytest

from exporter.model.progress import Cause
from exporter.model.shards import ConsumerGroup
from exporter.polling.targets import GroupTarget
from tests.support.polling import Bench, bench
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
BY = (*STORE, GROUP)
INTERVAL = 60.0


def produce(made: Bench, shards: int) -> None:
    for shard in range(shards):
        made.world.set_producer(*STORE, shard, 1.0)


def poll(made: Bench, times: int) -> None:
    for _ in range(times):
        made.poll(after=INTERVAL)


def causes(made: Bench) -> dict[int, Cause]:
    snapshot = made.group().snapshot
    assert snapshot is not None
    return dict(snapshot.causes)


@pytest.fixture
def shared() -> Iterator[Bench]:
    """Let two consumers share three shards."""
    with bench(shards=3) as made:
        produce(made, 3)
        made.world.start_consumer(*BY, "c1", shards=[0, 1])
        made.world.start_consumer(*BY, "c2", shards=[2])
        poll(made, 2)
        yield made


def test_shards_that_are_consumed_have_no_cause(shared: Bench) -> None:
    poll(shared, 6)
    assert causes(shared) == {}


def test_a_shard_that_its_consumer_does_not_pass_is_stuck(shared: Bench) -> None:
    shared.world.freeze_shard(*BY, "c1", 0)
    poll(shared, 8)
    assert causes(shared) == {0: Cause.SHARD_STUCK}


def test_all_shards_of_a_dead_consumer_have_a_stuck_owner(shared: Bench) -> None:
    shared.world.crash_consumer(*BY, "c1")
    poll(shared, 8)
    assert causes(shared) == {0: Cause.OWNER_STUCK, 1: Cause.OWNER_STUCK}


def test_all_shards_of_a_dead_group_are_silent(shared: Bench) -> None:
    for name in ("c1", "c2"):
        shared.world.crash_consumer(*BY, name)
    poll(shared, 8)
    assert causes(shared) == dict.fromkeys(range(3), Cause.GROUP_SILENT)


def test_causes_end_with_the_stalls(shared: Bench) -> None:
    shared.world.freeze_shard(*BY, "c1", 0)
    poll(shared, 8)
    shared.world.thaw_shard(*BY, "c1", 0)
    poll(shared, 2)
    assert causes(shared) == {}


def test_a_shard_whose_name_changes_without_progress_has_a_changing_owner(shared: Bench) -> None:
    shared.world.freeze_shard(*BY, "c1", 0)
    saved = shared.world.checkpoints(*BY, 0)[0].checkpoint
    for number in range(8):
        shared.world.update_checkpoint(*BY, 0, saved, consumer=f"pod-{number}")
        poll(shared, 1)
    assert causes(shared) == {0: Cause.OWNER_CHANGING}
    snapshot = shared.group().snapshot
    assert snapshot is not None
    assert [change.former for change in snapshot.owner_changes[0]] == ["pod-5", "pod-6"]
    poll(shared, 16)
    assert causes(shared) == {0: Cause.OWNER_STUCK}


def test_causes_need_no_earlier_poll(shared: Bench) -> None:
    shared.world.freeze_shard(*BY, "c1", 0)
    shared.held.advance(600.0)
    shared.status = None
    shared.poll()
    assert causes(shared) == {0: Cause.SHARD_STUCK}


def test_moves_in_shards_that_are_not_watched_count_as_evidence() -> None:
    only = GroupTarget(name=GROUP, shards=frozenset({1}))
    with bench(shards=2, groups=(only,)) as made:
        produce(made, 2)
        made.world.start_consumer(*BY, "c1", shards=[0, 1])
        made.world.freeze_shard(*BY, "c1", 1)
        made.world.update_checkpoint(*BY, 1, made.world.begin_cursor(*STORE, 1), consumer="c1")
        poll(made, 8)
        assert made.shards().keys() == {1}
        assert causes(made) == {1: Cause.SHARD_STUCK}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (True, Cause.WAITING_FOR_PARENT),
        (False, Cause.GROUP_SILENT),
        (None, Cause.GROUP_SILENT),
    ],
)
def test_shards_of_an_ordered_group_wait_for_their_parent(
    order: bool | None,  # noqa: FBT001  a value, not a switch
    expected: Cause,
) -> None:
    listing = None if order is None else ConsumerGroup(name=GROUP, timeout_seconds=60, order=order)
    with bench(shards=1, groups=(GroupTarget(name=GROUP, listing=listing),)) as made:
        produce(made, 1)
        made.world.start_consumer(*BY, "c1", shards=[0])
        poll(made, 2)
        made.world.crash_consumer(*BY, "c1")
        made.held.advance(1.0)
        for child in made.world.split_shard(*STORE, 0):
            begin = made.world.begin_cursor(*STORE, child)
            made.world.update_checkpoint(*BY, child, begin, consumer="c1")
        poll(made, 8)
        assert causes(made) == {0: Cause.GROUP_SILENT, 1: expected, 2: expected}
