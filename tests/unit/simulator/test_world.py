"""The simulated world: producers, consumers, flushes, splits and retention over time."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator.cursors import decode_cursor, encode_cursor
from exporter.simulator.errors import ServiceError
from exporter.simulator.views import ShardTruth, UpdateTimeUnit
from exporter.simulator.world import World
from tests.support.held_clock import HeldClock
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT, START, small_world

DAY = 86400.0
# A time limit for each example would measure the machine, not the world.
unhurried = settings(deadline=None, max_examples=60)


def truth(world: World, shard: int = 0) -> ShardTruth:
    return world.truth(PROJECT, LOGSTORE, GROUP, shard)


def start(world: World, name: str = "c1", *, shards: tuple[int, ...] = (0,)) -> None:
    world.start_consumer(PROJECT, LOGSTORE, GROUP, name, shards=shards)


def test_a_held_clock_moves_both_clocks_only_when_told() -> None:
    held = HeldClock(START)
    held.advance(5.0)
    assert (held.clock.wall(), held.clock.monotonic()) == (START + 5.0, 5.0)
    held.set(START)
    assert (held.clock.wall(), held.clock.monotonic()) == (START, 5.0)
    held.set(START + 2.0)
    assert (held.clock.wall(), held.clock.monotonic()) == (START + 2.0, 7.0)


def test_a_held_clock_refuses_to_advance_backwards() -> None:
    with pytest.raises(ValueError, match="forwards"):
        HeldClock(START).advance(-1.0)


@pytest.mark.parametrize("text", ["", "%%%", "bm90IGEgbnVtYmVy", "LTE=", "MQ" * 50])
def test_unreadable_cursor_decodes_to_none(text: str) -> None:
    assert decode_cursor(text) is None


def test_a_cursor_is_base64_of_its_decimal_digits() -> None:
    assert encode_cursor(1524155379373908496) == "MTUyNDE1NTM3OTM3MzkwODQ5Ng=="
    assert decode_cursor("MTUyNDE1NTM3OTM3MzkwODQ5Ng==") == 1524155379373908496


def test_a_cursor_is_its_shards_birth_in_nanoseconds_plus_one_for_each_log_group() -> None:
    _, world = small_world()
    assert world.end_cursor(PROJECT, LOGSTORE, 0) == 1_700_000_000_000_000_000
    world.write(PROJECT, LOGSTORE, 0, count=3)
    assert world.end_cursor(PROJECT, LOGSTORE, 0) == 1_700_000_000_000_000_003
    assert world.begin_cursor(PROJECT, LOGSTORE, 0) == 1_700_000_000_000_000_000


def test_cursors_begin_at_the_first_one_of_a_logstore() -> None:
    _, world = small_world()
    world.delete_logstore(PROJECT, LOGSTORE)
    world.create_logstore(PROJECT, LOGSTORE, shards=2, first_cursor=1000)
    world.write(PROJECT, LOGSTORE, 1, count=3)
    assert [world.end_cursor(PROJECT, LOGSTORE, shard) for shard in range(2)] == [1000, 1003]


def test_a_producer_writes_one_log_group_each_interval_until_it_ends() -> None:
    held, world = small_world()
    world.set_producer(PROJECT, LOGSTORE, 0, 10.0)
    held.advance(9.0)
    assert truth(world).unread == 0
    held.advance(1.0)
    assert truth(world).unread == 1
    held.advance(95.0)
    assert truth(world).unread == 10
    world.set_producer(PROJECT, LOGSTORE, 0, None)
    held.advance(1000.0)
    assert truth(world).unread == 10


def test_a_write_between_leaves_a_producer_on_its_grid() -> None:
    held, world = small_world()
    world.set_producer(PROJECT, LOGSTORE, 0, 10.0)
    held.advance(15.0)
    world.write(PROJECT, LOGSTORE, 0, count=2)
    held.advance(4.0)
    world.write(PROJECT, LOGSTORE, 0)
    held.advance(1.0)
    times = [
        world.cursor_time(PROJECT, LOGSTORE, 0, encode_cursor(truth(world).begin + index))
        for index in range(5)
    ]
    assert times == [START + 10, START + 15, START + 15, START + 19, START + 20]


@unhurried
@given(
    intervals=st.lists(st.sampled_from([0.1, 0.3, 1.0, 7.0]), min_size=1, max_size=5),
    steps=st.lists(st.floats(min_value=0.0, max_value=50.0), min_size=5, max_size=5),
)
def test_receive_times_are_in_the_order_of_cursors(
    intervals: list[float], steps: list[float]
) -> None:
    held, world = small_world()
    for interval, step in zip(intervals, steps, strict=False):
        world.set_producer(PROJECT, LOGSTORE, 0, interval)
        held.advance(step)
        world.write(PROJECT, LOGSTORE, 0)
    seen = truth(world)
    times = [
        world.cursor_time(PROJECT, LOGSTORE, 0, encode_cursor(cursor))
        for cursor in range(seen.begin, seen.end)
    ]
    assert all(earlier <= later for earlier, later in pairwise(times))
    assert times[-1] == int(held.wall())


def test_log_groups_expire_and_begin_moves_with_the_retention_time() -> None:
    held, world = small_world(ttl_days=1)
    world.set_producer(PROJECT, LOGSTORE, 0, 1.0)
    held.advance(DAY + 100.0)
    seen = truth(world)
    assert seen.begin - 1_700_000_000_000_000_000 == 100
    assert seen.end - seen.begin == 86400
    assert seen.oldest_unread_at == START + 101.0


def test_a_cursor_time_is_the_receive_time_and_neither_end_nor_expired_cursors_have_one() -> None:
    held, world = small_world(ttl_days=1)
    world.set_producer(PROJECT, LOGSTORE, 0, 1.0)
    held.advance(DAY + 10.0)
    begin, end = truth(world).begin, truth(world).end
    assert world.cursor_time(PROJECT, LOGSTORE, 0, encode_cursor(end - 1)) == START + DAY + 10
    assert world.cursor_time(PROJECT, LOGSTORE, 0, encode_cursor(begin)) == START + 11
    for cursor in (encode_cursor(begin - 1), encode_cursor(end), encode_cursor(end + 1), "?"):
        with pytest.raises(ServiceError, match="400 InvalidCursor"):
            world.cursor_time(PROJECT, LOGSTORE, 0, cursor)


def test_cursor_time_of_an_empty_shard_may_be_the_current_time() -> None:
    held, world = small_world(ttl_days=1)
    world.write(PROJECT, LOGSTORE, 0, 3)
    world.times_empty_shards = True
    end = truth(world).end
    held.advance(DAY)
    assert world.cursor_time(PROJECT, LOGSTORE, 0, encode_cursor(end - 2)) == START + DAY
    assert world.cursor_time(PROJECT, LOGSTORE, 0, encode_cursor(end)) == START + DAY
    for cursor in (encode_cursor(end + 1), "nonsense", ""):
        with pytest.raises(ServiceError, match="400 InvalidCursor"):
            world.cursor_time(PROJECT, LOGSTORE, 0, cursor)
    world.write(PROJECT, LOGSTORE, 0)
    with pytest.raises(ServiceError, match="400 InvalidCursor"):
        world.cursor_time(PROJECT, LOGSTORE, 0, encode_cursor(end - 2))


def test_a_cursor_for_an_instant_is_that_of_the_first_log_group_since() -> None:
    held, world = small_world()
    world.set_producer(PROJECT, LOGSTORE, 0, 10.0)
    held.advance(100.0)
    begin = truth(world).begin
    assert world.cursor_since(PROJECT, LOGSTORE, 0, START - DAY) == begin
    assert world.cursor_since(PROJECT, LOGSTORE, 0, START + 30.0) == begin + 2
    assert world.cursor_since(PROJECT, LOGSTORE, 0, START + 30.5) == begin + 3
    assert world.cursor_since(PROJECT, LOGSTORE, 0, START + DAY) == begin + 10


def test_truths_of_a_group_are_those_of_its_shards() -> None:
    held, world = small_world(shards=2)
    world.set_producer(PROJECT, LOGSTORE, 0)
    start(world, shards=(0, 1))
    held.advance(65.0)
    assert world.truths(PROJECT, LOGSTORE, GROUP) == {0: truth(world, 0), 1: truth(world, 1)}


def test_checkpoint_can_be_any_text() -> None:
    _, world = small_world()
    world.update_checkpoint(PROJECT, LOGSTORE, GROUP, 0, "not a cursor")
    assert world.checkpoints(PROJECT, LOGSTORE, GROUP)[0].checkpoint == "not a cursor"
    assert truth(world).checkpoint is None


@pytest.mark.parametrize(
    ("unit", "update_time"),
    [
        ("s", 1_700_000_000),
        ("ms", 1_700_000_000_000),
        ("us", 1_700_000_000_000_000),
        ("ns", 1_700_000_000_000_000_000),
    ],
)
def test_the_unit_of_update_times_is_a_setting_of_the_world(
    unit: UpdateTimeUnit, update_time: int
) -> None:
    world = World(wall=HeldClock(START).wall, update_time_unit=unit)
    world.create_project(PROJECT)
    world.create_logstore(PROJECT, LOGSTORE, shards=1)
    world.create_group(PROJECT, LOGSTORE, GROUP)
    world.update_checkpoint(PROJECT, LOGSTORE, GROUP, 0, "")
    assert world.checkpoints(PROJECT, LOGSTORE, GROUP)[0].update_time == update_time


def test_group_without_consumers_lists_empty_checkpoints() -> None:
    _, world = small_world(shards=2)
    rows = [row._asdict() for row in world.checkpoints(PROJECT, LOGSTORE, GROUP)]
    assert rows == [
        {"shard": 0, "checkpoint": "", "update_time": 0, "consumer": ""},
        {"shard": 1, "checkpoint": "", "update_time": 0, "consumer": ""},
    ]
    assert world.checkpoints(PROJECT, LOGSTORE, GROUP, shard=7) == []


def test_a_group_may_list_nothing_until_its_first_heartbeat() -> None:
    _, world = small_world(shards=2)
    world.create_group(PROJECT, LOGSTORE, "new", empty_until_heartbeat=True)
    assert world.checkpoints(PROJECT, LOGSTORE, "new") == []
    world.heart_beat(PROJECT, LOGSTORE, "new", "c1")
    assert len(world.checkpoints(PROJECT, LOGSTORE, "new")) == 2


def test_a_split_leaves_the_parent_read_only_until_its_data_has_expired() -> None:
    held, world = small_world(ttl_days=1)
    world.set_producer(PROJECT, LOGSTORE, 0, 1.0)
    start(world)
    held.advance(100.0)
    assert world.split_shard(PROJECT, LOGSTORE, 0) == (1, 2)
    held.advance(100.0)
    rows = world.shards(PROJECT, LOGSTORE)
    assert [(row.shard, row.status, row.created) for row in rows] == [
        (0, "readonly", 1_700_000_000),
        (1, "readwrite", 1_700_000_100),
        (2, "readwrite", 1_700_000_100),
    ]
    assert [(row.inclusive_begin_key[:2], row.exclusive_end_key[:2]) for row in rows] == [
        ("00", "ff"),
        ("00", "80"),
        ("80", "ff"),
    ]
    # The parent is drained and its checkpoint does not advance; the children have no consumer yet.
    assert [truth(world, shard).unread for shard in range(3)] == [0, 50, 50]
    assert truth(world, 0).updated_at == START + 120.0
    held.advance(DAY - 101.0)
    assert len(world.checkpoints(PROJECT, LOGSTORE, GROUP)) == 3
    held.advance(1.0)
    assert [row.shard for row in world.checkpoints(PROJECT, LOGSTORE, GROUP)] == [1, 2]
    with pytest.raises(ServiceError, match="400 ShardNotExist"):
        truth(world, 0)


def test_merge_joins_a_shard_with_the_next_one() -> None:
    held, world = small_world(shards=2)
    for shard in range(2):
        world.set_producer(PROJECT, LOGSTORE, shard, 2.0)
    held.advance(10.0)
    assert world.merge_shards(PROJECT, LOGSTORE, 0) == 2
    held.advance(10.0)
    assert [row.status for row in world.shards(PROJECT, LOGSTORE)] == [
        "readonly",
        "readonly",
        "readwrite",
    ]
    assert [truth(world, shard).unread for shard in range(3)] == [5, 5, 10]
    with pytest.raises(ServiceError, match="no adjacent shard"):
        world.merge_shards(PROJECT, LOGSTORE, 2)
    with pytest.raises(ServiceError, match="readonly"):
        world.write(PROJECT, LOGSTORE, 0)


def test_unread_data_of_a_parent_is_read_after_a_split() -> None:
    held, world = small_world()
    world.write(PROJECT, LOGSTORE, 0, count=100)
    world.split_shard(PROJECT, LOGSTORE, 0)
    world.start_consumer(PROJECT, LOGSTORE, GROUP, "c1", shards=[0], max_rate=1.0)
    held.advance(60.0)
    assert truth(world, 0).unread == 40
    held.advance(60.0)
    assert truth(world, 0).unread == 0


def test_deleted_object_gives_the_code_of_a_missing_object() -> None:
    _, world = small_world()
    world.delete_group(PROJECT, LOGSTORE, GROUP)
    with pytest.raises(ServiceError, match="404 ConsumerGroupNotExist"):
        world.checkpoints(PROJECT, LOGSTORE, GROUP)
    world.delete_logstore(PROJECT, LOGSTORE)
    with pytest.raises(ServiceError, match="404 LogStoreNotExist"):
        world.shards(PROJECT, LOGSTORE)
    world.delete_project(PROJECT)
    with pytest.raises(ServiceError, match="404 ProjectNotExist"):
        world.logstores(PROJECT)


def test_existing_object_cannot_be_created_again() -> None:
    _, world = small_world()
    with pytest.raises(ServiceError, match="400 ProjectAlreadyExist"):
        world.create_project(PROJECT)
    with pytest.raises(ServiceError, match="400 LogStoreAlreadyExist"):
        world.create_logstore(PROJECT, LOGSTORE)
    with pytest.raises(ServiceError, match="400 ConsumerGroupAlreadyExist"):
        world.create_group(PROJECT, LOGSTORE, GROUP)


def test_recurring_actions_run_in_the_order_of_time_with_the_world_at_their_time() -> None:
    held, world = small_world()
    seen: list[tuple[str, float]] = []
    world.every(30.0, lambda: seen.append(("a", world.now() - START)))
    world.every(50.0, lambda: seen.append(("b", world.now() - START)))
    held.advance(100.0)
    assert world.now() == START + 100.0
    assert seen == [("a", 30.0), ("b", 50.0), ("a", 60.0), ("a", 90.0), ("b", 100.0)]


def test_a_wall_clock_that_steps_back_does_not_take_the_world_back() -> None:
    held, world = small_world()
    world.set_producer(PROJECT, LOGSTORE, 0, 1.0)
    held.advance(10.0)
    assert truth(world).unread == 10
    held.set(START)
    assert truth(world).unread == 10


rates = st.one_of(st.none(), st.floats(min_value=0.05, max_value=3.0))
flush_intervals = st.sampled_from([3.7, 10.0, 60.0])
producers = st.sampled_from([0.1, 1.0, 13.0, None])


def lively_world(
    rate: float | None,
    flush_interval: float,
    producer: float | None,
    *,
    rewrite: bool,
    behind: float = 0.0,
) -> tuple[HeldClock, World]:
    held, world = small_world(shards=2, ttl_days=1)
    world.write(PROJECT, LOGSTORE, 0, count=7)
    held.advance(3.3)
    for shard in range(2):
        world.set_producer(PROJECT, LOGSTORE, shard, producer)
    world.start_consumer(
        PROJECT,
        LOGSTORE,
        GROUP,
        "c1",
        shards=[0, 1],
        max_rate=rate,
        flush_interval=flush_interval,
        rewrite=rewrite,
        behind=behind,
    )
    return held, world


@unhurried
@given(
    rate=rates,
    flush_interval=flush_intervals,
    producer=producers,
    rewrite=st.booleans(),
    behind=st.sampled_from([0.0, 20.0, 90.5]),
    steps=st.lists(st.integers(min_value=0, max_value=30_000), min_size=2, max_size=6),
)
def test_advancing_in_one_step_is_advancing_in_many(
    rate: float | None,
    flush_interval: float,
    producer: float | None,
    *,
    rewrite: bool,
    behind: float,
    steps: list[int],
) -> None:
    one, world_of_one = lively_world(rate, flush_interval, producer, rewrite=rewrite, behind=behind)
    many, world_of_many = lively_world(
        rate, flush_interval, producer, rewrite=rewrite, behind=behind
    )
    for step in steps:
        many.advance(step)
        for shard in range(2):
            truth(world_of_many, shard)
    one.set(many.wall())
    for shard in range(2):
        assert truth(world_of_one, shard) == truth(world_of_many, shard)


@unhurried
@given(
    rate=rates,
    flush_interval=flush_intervals,
    producer=producers,
    steps=st.lists(st.floats(min_value=0.0, max_value=100_000.0), min_size=1, max_size=6),
)
def test_a_checkpoint_is_never_beyond_the_end_nor_goes_back(
    rate: float | None, flush_interval: float, producer: float | None, steps: list[float]
) -> None:
    held, world = lively_world(rate, flush_interval, producer, rewrite=False)
    previous = 0
    for step in steps:
        held.advance(step)
        seen = truth(world)
        assert seen.begin <= seen.end
        if seen.checkpoint is not None:
            assert previous <= seen.checkpoint <= seen.end
            assert seen.updated_at is not None
            assert START <= seen.updated_at <= held.wall()
            previous = seen.checkpoint
