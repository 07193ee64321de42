"""The demonstration's world: each group shows its condition from the start, and keeps changing."""

import pytest

from exporter.simulator import demo_world as demo
from exporter.simulator.views import ShardTruth
from exporter.simulator.world import World
from tests.support.held_clock import HeldClock
from tests.support.simulator_worlds import START

HOUR = 3600.0


@pytest.fixture
def held() -> HeldClock:
    return HeldClock(START)


@pytest.fixture
def world(held: HeldClock) -> World:
    return demo.build_demo_world(held.wall)


def orders(world: World, group: str) -> list[ShardTruth]:
    return [world.truth(demo.SHOP, demo.ORDERS, group, shard) for shard in range(4)]


def test_the_idle_group_is_caught_up_for_twelve_hours(world: World) -> None:
    for shard in range(2):
        seen = world.truth(demo.SHOP, demo.NIGHTLY, demo.IDLE, shard)
        assert (seen.unread, seen.updated_at) == (0, START - 12 * HOUR)


def test_the_steady_group_stays_near_the_end(held: HeldClock, world: World) -> None:
    for _ in range(2):
        assert all(seen.unread <= 10 for seen in orders(world, demo.STEADY))
        held.advance(1234.0)


def test_the_slow_group_falls_further_behind(held: HeldClock, world: World) -> None:
    before = [seen.unread for seen in orders(world, demo.SLOW)]
    assert before == [2160, 2160, 2160, 2160]
    held.advance(HOUR)
    assert [seen.unread for seen in orders(world, demo.SLOW)] == [2880, 2880, 2880, 2880]


def test_stalled_group_is_stalled_on_one_shard_of_four(world: World) -> None:
    seen = orders(world, demo.STALLED)
    assert [shard.unread for shard in seen] == [0, 0, 0, 2400]
    assert seen[3].updated_at == START - 40 * 60


def test_the_expired_group_has_lost_data(world: World) -> None:
    for shard in range(2):
        seen = world.truth(demo.PLATFORM, demo.AUDIT, demo.EXPIRED, shard)
        assert seen.checkpoint is not None
        assert seen.checkpoint < seen.begin


def test_the_rebalancing_group_moves_on_under_changing_owners(
    held: HeldClock, world: World
) -> None:
    owners = set()
    for _ in range(3):
        held.advance(demo.REBALANCE_SECONDS)
        seen = orders(world, demo.REBALANCING)
        assert all(shard.unread <= 20 for shard in seen)
        owners.add(tuple(shard.owner for shard in seen))
    assert len(owners) == 3


def test_the_unconsumed_group_has_no_checkpoint(world: World) -> None:
    rows = world.checkpoints(demo.SHOP, demo.CLICKS, demo.UNCONSUMED)
    assert [row.checkpoint for row in rows] == ["", "", "", ""]


def test_a_shard_that_was_split_is_finished(world: World) -> None:
    assert world.shards(demo.SHOP, demo.CLICKS)[0].status == "readonly"
    assert world.truth(demo.SHOP, demo.CLICKS, demo.STEADY, 0).unread == 0


def test_a_day_in_one_step_leaves_the_world_in_order(held: HeldClock, world: World) -> None:
    held.advance(24 * HOUR)
    assert all(seen.unread <= 20 for seen in orders(world, demo.REBALANCING))
    assert [seen.unread for seen in orders(world, demo.STALLED)] == [0, 0, 0, 88800]
