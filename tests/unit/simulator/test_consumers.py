"""Consumers of the simulated world: what they read, and when they write checkpoints."""

import pytest

from exporter.simulator.views import ShardTruth
from exporter.simulator.world import World
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT, START, small_world

DAY = 86400.0


def truth(world: World, shard: int = 0) -> ShardTruth:
    return world.truth(PROJECT, LOGSTORE, GROUP, shard)


def start(world: World, name: str = "c1", *, shards: tuple[int, ...] = (0,)) -> None:
    world.start_consumer(PROJECT, LOGSTORE, GROUP, name, shards=shards)


def test_a_checkpoint_is_written_at_a_flush_time_and_only_if_it_changed() -> None:
    held, world = small_world()
    start(world)
    held.advance(61.0)
    world.write(PROJECT, LOGSTORE, 0)
    held.advance(58.0)
    assert truth(world).unread == 1
    held.advance(1.0)
    seen = truth(world)
    assert (seen.unread, seen.updated_at, seen.owner) == (0, START + 120.0, "c1")
    held.advance(12 * 3600.0)
    assert truth(world).updated_at == START + 120.0


def test_a_consumer_that_rewrites_has_a_fresh_update_time_without_any_progress() -> None:
    held, world = small_world()
    world.write(PROJECT, LOGSTORE, 0)
    world.start_consumer(
        PROJECT, LOGSTORE, GROUP, "c1", shards=[0], rewrite=True, flush_interval=30.0
    )
    held.advance(3605.0)
    seen = truth(world)
    assert (seen.unread, seen.updated_at) == (0, START + 3600.0)


def test_consumer_reads_log_groups_that_are_as_old_as_it_is_behind() -> None:
    held, world = small_world()
    world.set_producer(PROJECT, LOGSTORE, 0)
    world.start_consumer(
        PROJECT, LOGSTORE, GROUP, "c1", shards=[0], flush_interval=10.0, behind=20.0
    )
    held.advance(35.0)
    assert (truth(world).unread, truth(world).updated_at) == (25, START + 30.0)
    assert truth(world).oldest_unread_at == START + 11.0
    world.set_producer(PROJECT, LOGSTORE, 0, None)
    held.advance(600.0)
    assert (truth(world).unread, truth(world).updated_at) == (0, START + 60.0)


def test_consumer_that_is_behind_goes_on_from_a_newer_checkpoint() -> None:
    held, world = small_world()
    world.write(PROJECT, LOGSTORE, 0, count=5)
    end = world.end_cursor(PROJECT, LOGSTORE, 0)
    world.update_checkpoint(PROJECT, LOGSTORE, GROUP, 0, end)
    world.start_consumer(PROJECT, LOGSTORE, GROUP, "c1", shards=[0], behind=300.0)
    held.advance(60.0)
    assert truth(world).checkpoint == end


def test_a_slow_consumer_falls_behind_by_what_it_cannot_read() -> None:
    held, world = small_world()
    world.set_producer(PROJECT, LOGSTORE, 0, 1.0)
    world.start_consumer(PROJECT, LOGSTORE, GROUP, "c1", shards=[0], max_rate=0.75)
    held.advance(6000.0)
    seen = truth(world)
    assert (seen.unread, seen.updated_at) == (1500, START + 6000.0)
    assert seen.oldest_unread_at == START + 4501.0


def test_a_slow_consumer_goes_on_with_the_first_retained_log_group_where_its_own_expired() -> None:
    held, world = small_world(ttl_days=1)
    world.set_producer(PROJECT, LOGSTORE, 0, 1.0)
    world.start_consumer(PROJECT, LOGSTORE, GROUP, "c1", shards=[0], max_rate=0.01)
    held.advance(2 * DAY)
    seen = truth(world)
    assert seen.checkpoint is not None
    assert seen.checkpoint - seen.begin == 0


def test_a_consumer_that_stops_flushes_and_one_that_crashes_does_not() -> None:
    held, world = small_world(shards=2)
    for shard in range(2):
        start(world, f"c{shard}", shards=(shard,))
        world.set_producer(PROJECT, LOGSTORE, shard, 1.0)
    held.advance(90.0)
    world.stop_consumer(PROJECT, LOGSTORE, GROUP, "c0")
    world.crash_consumer(PROJECT, LOGSTORE, GROUP, "c1")
    held.advance(10.0)
    stopped, crashed = truth(world, 0), truth(world, 1)
    assert (stopped.unread, stopped.updated_at) == (10, START + 90.0)
    assert (crashed.unread, crashed.updated_at) == (40, START + 60.0)
    assert crashed.oldest_unread_at == START + 61.0


def test_poisoned_shard_is_stalled_while_its_owner_reads_the_others() -> None:
    held, world = small_world(shards=2)
    start(world, shards=(0, 1))
    for shard in range(2):
        world.set_producer(PROJECT, LOGSTORE, shard, 1.0)
    held.advance(60.0)
    world.freeze_shard(PROJECT, LOGSTORE, GROUP, "c1", 1)
    held.advance(600.0)
    assert (truth(world, 0).unread, truth(world, 1).unread) == (0, 600)
    assert truth(world, 1).updated_at == START + 60.0
    world.thaw_shard(PROJECT, LOGSTORE, GROUP, "c1", 1)
    held.advance(60.0)
    assert truth(world, 1).unread == 0


def test_a_consumer_that_stops_leaves_its_poisoned_shard_where_it_was() -> None:
    held, world = small_world()
    start(world)
    world.freeze_shard(PROJECT, LOGSTORE, GROUP, "c1", 0)
    world.write(PROJECT, LOGSTORE, 0)
    held.advance(60.0)
    world.stop_consumer(PROJECT, LOGSTORE, GROUP, "c1")
    assert (truth(world).checkpoint, truth(world).unread) == (None, 1)


def test_a_consumer_of_one_name_cannot_run_twice() -> None:
    _, world = small_world()
    start(world)
    with pytest.raises(ValueError, match="is already running"):
        start(world)


def test_a_rebalance_changes_the_owner_and_goes_on_from_the_saved_checkpoint() -> None:
    held, world = small_world(shards=2)
    world.set_producer(PROJECT, LOGSTORE, 1, 1.0)
    start(world, "c1", shards=(0, 1))
    held.advance(30.0)
    world.start_consumer(PROJECT, LOGSTORE, GROUP, "c2", shards=[], max_rate=1.0)
    held.advance(40.0)
    assert truth(world, 1).owner == "c1"
    world.assign(PROJECT, LOGSTORE, GROUP, {"c2": [1]})
    held.advance(20.0)
    seen = truth(world, 1)
    assert seen.owner == "c2"
    # c2 reads from 60 on, 20 seconds at one log per second. It reads the logs again that c1 read
    # after its flush.
    assert (seen.checkpoint, seen.updated_at) == (seen.begin + 80, START + 90.0)


def test_a_consumer_may_write_checkpoints_without_a_name() -> None:
    held, world = small_world()
    world.write(PROJECT, LOGSTORE, 0)
    world.start_consumer(PROJECT, LOGSTORE, GROUP, "flink", shards=[0], writes_as="")
    held.advance(60.0)
    assert truth(world).owner == ""
    assert truth(world).unread == 0


def test_a_checkpoint_may_be_reset_backwards_and_a_new_consumer_goes_on_from_there() -> None:
    held, world = small_world()
    world.write(PROJECT, LOGSTORE, 0, count=10)
    start(world)
    held.advance(60.0)
    world.stop_consumer(PROJECT, LOGSTORE, GROUP, "c1")
    world.update_checkpoint(PROJECT, LOGSTORE, GROUP, 0, truth(world).begin + 4, consumer="ops")
    assert (truth(world).unread, truth(world).owner) == (6, "ops")
    start(world, "c2")
    held.advance(60.0)
    assert (truth(world).unread, truth(world).updated_at) == (0, START + 120.0)
