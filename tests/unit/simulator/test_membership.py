"""External consumers of a group: heartbeats, holders, rebalances, the order of shards."""

import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.simulator.errors import ServiceError
from exporter.simulator.membership import Membership
from exporter.simulator.world import World
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT, small_world

PLACE = (PROJECT, LOGSTORE)
BILLING = (*PLACE, GROUP)


def test_heartbeat_keeps_a_shard_with_its_holder_until_it_is_no_longer_reported() -> None:
    _, world = small_world(shards=3)
    assert world.heart_beat(*BILLING, "a") == [0, 1, 2]
    assert world.heart_beat(*BILLING, "b") == []
    assert world.heart_beat(*BILLING, "a", [0, 1, 2]) == [0, 1]
    assert world.heart_beat(*BILLING, "b") == []
    assert world.heart_beat(*BILLING, "a", [0, 1]) == [0, 1]
    assert world.heart_beat(*BILLING, "b") == [2]
    assert world.heart_beat(*BILLING, "b", [2]) == [2]


def test_shards_of_a_consumer_are_free_after_the_timeout() -> None:
    held, world = small_world(shards=2)
    world.update_group(*BILLING, timeout=20)
    world.heart_beat(*BILLING, "a")
    held.advance(10.0)
    assert world.heart_beat(*BILLING, "b") == []
    held.advance(10.0)
    assert world.heart_beat(*BILLING, "b") == []
    held.advance(0.5)
    assert world.heart_beat(*BILLING, "b") == [0, 1]
    assert world.heart_beat(*BILLING, "a", [0, 1]) == []


def test_checkpoint_without_force_requires_the_holder_of_the_shard() -> None:
    held, world = small_world()

    def code(consumer: str) -> str:
        with pytest.raises(ServiceError) as refused:
            world.update_checkpoint(*BILLING, 0, "x", consumer=consumer, force=False)
        return refused.value.code

    assert code("a") == "ConsumerNotExist"
    world.heart_beat(*BILLING, "a")
    world.update_checkpoint(*BILLING, 0, "x", consumer="a", force=False)
    world.heart_beat(*BILLING, "b")
    assert code("b") == "ConsumerNotMatch"
    held.advance(61.0)
    assert code("a") == "ConsumerNotExist"


@pytest.mark.parametrize("change", ["split", "merge"])
def test_children_wait_for_their_parents_only_in_an_ordered_group(change: str) -> None:
    held, world = small_world(shards=2)
    world.create_group(*PLACE, "ordered", order=True)
    for shard in (0, 1):
        world.write(*PLACE, shard, count=3)
    held.advance(1.0)
    parents = [0] if change == "split" else [0, 1]
    if change == "split":
        world.split_shard(*PLACE, 0)
    else:
        world.merge_shards(*PLACE, 0)
    shards = [row.shard for row in world.shards(*PLACE)]
    assert world.heart_beat(*BILLING, "a") == shards
    for parent in parents:
        assert world.heart_beat(*PLACE, "ordered", "a") == [0, 1]
        end = world.end_cursor(*PLACE, parent)
        world.update_checkpoint(*PLACE, "ordered", parent, end - 1)
        assert world.heart_beat(*PLACE, "ordered", "a") == [0, 1]
        world.update_checkpoint(*PLACE, "ordered", parent, end)
    assert world.heart_beat(*PLACE, "ordered", "a") == shards


def test_children_do_not_wait_for_an_empty_parent() -> None:
    _, world = small_world()
    world.update_group(*BILLING, order=True)
    world.split_shard(*PLACE, 0)
    assert world.heart_beat(*BILLING, "a") == [0, 1, 2]


def test_children_of_an_empty_parent_wait_for_the_shard_that_it_came_from() -> None:
    held, world = small_world()
    world.update_group(*BILLING, order=True)
    world.write(*PLACE, 0)
    held.advance(1.0)
    world.split_shard(*PLACE, 0)
    world.split_shard(*PLACE, 1)
    world.merge_shards(*PLACE, 4)
    assert [row.shard for row in world.shards(*PLACE)] == [0, 1, 2, 3, 4, 5]
    assert world.heart_beat(*BILLING, "a") == [0]
    world.update_checkpoint(*BILLING, 0, world.end_cursor(*PLACE, 0))
    assert world.heart_beat(*BILLING, "a", [0]) == [0, 1, 2, 3, 4, 5]


def test_children_do_not_wait_for_a_deleted_parent() -> None:
    held, world = small_world(ttl_days=1)
    world.update_group(*BILLING, order=True)
    world.write(*PLACE, 0)
    world.split_shard(*PLACE, 0)
    held.advance(86_399.0)
    assert world.heart_beat(*BILLING, "a") == [0]
    held.advance(1.0)
    assert world.heart_beat(*BILLING, "a") == [1, 2]


def test_consumer_keeps_free_shards_that_it_reports_after_its_timeout() -> None:
    held, world = small_world(shards=3)
    assert world.heart_beat(*BILLING, "a") == [0, 1, 2]
    held.advance(30.0)
    assert world.heart_beat(*BILLING, "b") == []
    held.advance(31.0)
    assert world.heart_beat(*BILLING, "a", [0, 1, 2]) == [0, 1]
    assert world.heart_beat(*BILLING, "b") == []
    assert world.heart_beat(*BILLING, "a", [0, 1]) == [0, 1]
    assert world.heart_beat(*BILLING, "b") == [2]


@pytest.mark.parametrize(("joining", "kept"), [("a", [0, 1]), ("c", [0, 1]), ("", [0, 1])])
def test_rebalance_moves_no_more_shards_than_are_needed(joining: str, kept: list[int]) -> None:
    _, world = small_world(shards=3)
    assert world.heart_beat(*BILLING, "b") == [0, 1, 2]
    assert world.heart_beat(*BILLING, joining) == []
    assert world.heart_beat(*BILLING, "b", [0, 1, 2]) == kept
    assert world.heart_beat(*BILLING, "b", kept) == kept
    assert world.heart_beat(*BILLING, joining) == [2]


def test_shard_that_was_not_handed_out_cannot_be_claimed() -> None:
    _, world = small_world(shards=2)
    assert world.heart_beat(*BILLING, "a") == [0, 1]
    assert world.heart_beat(*BILLING, "b", [0, 1, 7]) == []
    assert world.heart_beat(*BILLING, "a", [0, 1]) == [0]


def test_deleted_shard_is_no_longer_handed_out() -> None:
    held, world = small_world(ttl_days=1)
    world.split_shard(*PLACE, 0)
    assert world.heart_beat(*BILLING, "a") == [0, 1, 2]
    held.advance(86400.0)
    assert world.heart_beat(*BILLING, "a", [0, 1, 2]) == [1, 2]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 2)), max_size=30))
def test_shards_are_never_owned_twice_and_are_shared_evenly_in_the_end(
    beats: list[tuple[str, int]],
) -> None:
    shards = range(7)
    members = Membership()
    owned: dict[str, list[int]] = {}

    def beat(name: str, kept: int = 0) -> None:
        # A consumer reports what it was last given and, at first, some shards that it must return.
        reported = members.holders.items()
        late = [shard for shard, holder in reported if holder == name][:kept]
        owned[name] = members.heart_beat(name, {*owned.get(name, []), *late}, shards, 0.0)
        handed_out = [shard for given in owned.values() for shard in given]
        assert len(handed_out) == len(set(handed_out))

    for name, kept in beats:
        beat(name, kept)
    for _ in range(3):
        for name in list(owned):
            beat(name)
    if owned:
        assert sorted(shard for given in owned.values() for shard in given) == list(shards)
        sizes = [len(given) for given in owned.values()]
        assert max(sizes) - min(sizes) <= 1


@pytest.fixture
def switches() -> Iterator[None]:
    """Let threads take turns after almost every step."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("switches")
def test_heartbeats_at_the_same_time_never_give_a_shard_to_two_consumers() -> None:
    _, world = small_world(shards=16)
    holders: dict[int, str] = {}
    taken_twice: list[tuple[int, str, str]] = []
    start = threading.Barrier(6)

    def beat(name: str) -> None:
        kept: set[int] = set()
        start.wait(60.0)
        for turn in range(1000):
            given = set(world.heart_beat(*BILLING, name, kept))
            taken = given - kept
            taken_twice.extend((shard, name, holders[shard]) for shard in taken if shard in holders)
            holders.update(dict.fromkeys(taken, name))
            # The consumer returns the shards that it must, and sometimes all of them.
            released = given | kept if turn % 3 == 0 else kept - given
            for shard in released:
                del holders[shard]
            kept = given - released

    threads = [threading.Thread(target=beat, args=(f"c{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert not any(thread.is_alive() for thread in threads)
    assert taken_twice == []


def test_group_settings_are_changed_one_by_one() -> None:
    _, world = small_world()
    world.update_group(*BILLING, timeout=45)
    assert settings(world) == (45, False)
    world.update_group(*BILLING, order=True)
    assert settings(world) == (45, True)


def settings(world: World) -> tuple[int, bool]:
    """Return the timeout and the order of the only group."""
    (row,) = world.groups(*PLACE)
    return row.timeout, row.order
