"""When groups of a simulated world will have caught up or lose data, poll by poll."""

from math import inf

import pytest

from exporter.model.progress import UNKNOWN_OUTLOOK, Outlook, State
from exporter.polling.poller import SMALL_EFFORT, Effort
from exporter.polling.targets import GroupTarget
from tests.support.faults import ErrorAnswer
from tests.support.polling import Bench, bench
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
BY = (*STORE, GROUP)
HOUR = 3600.0
DAY = 24 * HOUR
BUSY = Effort(budget=10, exact=0)  # as in a project whose polls leave no room for exact times


def outlook(made: Bench) -> Outlook:
    snapshot = made.group().snapshot
    assert snapshot is not None
    return snapshot.outlook


def produce(made: Bench, *, shards: int, hours: float) -> None:
    """Write a log group per second to each shard, for some hours before anything is consumed."""
    for number in range(shards):
        made.world.set_producer(*STORE, number, 1.0)
        made.world.update_checkpoint(*BY, number, made.world.end_cursor(*STORE, number))
    made.held.advance(hours * HOUR)


def consume(made: Bench, *, shard: int = 0, rate: float, flush: float = 60.0) -> None:
    made.world.start_consumer(*BY, f"c{shard}", shards=[shard], max_rate=rate, flush_interval=flush)


def polled(made: Bench, times: int, *, every: float = 60.0) -> Outlook:
    for _ in range(times):
        made.poll(after=every)
    return outlook(made)


@pytest.mark.parametrize("effort", [SMALL_EFFORT, BUSY])
@pytest.mark.parametrize("flush", [60.0, 300.0])
def test_a_slow_group_loses_data_when_its_speed_says(effort: Effort, flush: float) -> None:
    with bench(effort=effort, ttl_days=1) as made:
        produce(made, shards=1, hours=6.0)
        consume(made, rate=0.5, flush=flush)
        found = polled(made, 20)
        assert found.catch_up_seconds == inf
        # The 1200 s of the polls cost 600 s of the 18 hours that are left.
        assert found.data_loss_seconds == pytest.approx(2 * (18 * HOUR - 600.0), rel=0.05)


@pytest.mark.parametrize("effort", [SMALL_EFFORT, BUSY])
@pytest.mark.parametrize("flush", [60.0, 300.0])
def test_a_fast_group_catches_up_when_its_speed_says(effort: Effort, flush: float) -> None:
    with bench(effort=effort, ttl_days=1) as made:
        produce(made, shards=1, hours=6.0)
        consume(made, rate=3.0, flush=flush)
        found = polled(made, 20)
        assert found.data_loss_seconds is None
        assert found.catch_up_seconds == pytest.approx((6 * HOUR - 2400.0) / 2, rel=0.05)
        polled(made, 180)
        assert outlook(made) == Outlook(catch_up_seconds=0.0)


def test_the_outlook_is_unknown_for_five_polls_and_then_known() -> None:
    with bench(ttl_days=1) as made:
        produce(made, shards=1, hours=6.0)
        consume(made, rate=3.0)
        made.held.advance(90.0)
        assert polled(made, 5) == UNKNOWN_OUTLOOK
        assert polled(made, 2).catch_up_seconds == pytest.approx(3 * HOUR, rel=0.1)


def test_a_stall_is_known_to_lose_data_from_the_first_poll() -> None:
    with bench(ttl_days=1) as made:
        produce(made, shards=1, hours=6.0)
        found = polled(made, 1)
        assert made.state() is State.STALLED
        assert found.catch_up_seconds == inf
        assert found.data_loss_seconds == pytest.approx(18 * HOUR - 60.0, abs=5.0)


@pytest.mark.parametrize("effort", [SMALL_EFFORT, Effort(budget=60, exact=0)])
def test_one_slow_shard_among_many_that_catch_up_decides(effort: Effort) -> None:
    with bench(shards=16, effort=effort, ttl_days=1) as made:
        produce(made, shards=16, hours=6.0)
        for number in range(16):
            consume(made, shard=number, rate=0.5 if number == 7 else 3.0)
        found = polled(made, 25)
        assert found.catch_up_seconds == inf
        assert found.data_loss_seconds == pytest.approx(2 * 18 * HOUR, rel=0.05)


def test_many_shards_that_catch_up_are_known_within_the_budget() -> None:
    with bench(shards=16, effort=BUSY, ttl_days=1) as made:
        produce(made, shards=16, hours=6.0)
        for number in range(16):
            consume(made, shard=number, rate=3.0)
        found = polled(made, 25)
        assert found.catch_up_seconds == pytest.approx((6 * HOUR - 3000.0) / 2, rel=0.1)


def test_a_filter_of_shards_leaves_slow_shards_out() -> None:
    only = GroupTarget(name=GROUP, shards=frozenset({0}))
    with bench(shards=2, groups=(only,), ttl_days=1) as made:
        produce(made, shards=2, hours=6.0)
        consume(made, shard=0, rate=3.0)
        found = polled(made, 20)
        assert found.catch_up_seconds == pytest.approx((6 * HOUR - 2400.0) / 2, rel=0.05)
        assert found.data_loss_seconds is None


def test_missed_polls_do_not_change_a_speed() -> None:
    with bench(ttl_days=1) as made:
        produce(made, shards=1, hours=6.0)
        consume(made, rate=0.5)
        polled(made, 10)
        made.simulator.faults.add(ErrorAnswer(status=500, code="InternalServerError"))
        for _ in range(5):
            made.poll(after=60.0)
        made.simulator.faults.clear()
        assert polled(made, 1).data_loss_seconds == pytest.approx(2 * 18 * HOUR, rel=0.05)
        assert polled(made, 3, every=250.0).data_loss_seconds == pytest.approx(
            2 * (18 * HOUR - 800.0), rel=0.05
        )


def test_a_speed_adapts_to_a_consumer_that_becomes_faster() -> None:
    with bench(ttl_days=1) as made:
        produce(made, shards=1, hours=6.0)
        consume(made, rate=0.5)
        assert polled(made, 12).catch_up_seconds == inf
        made.world.stop_consumer(*BY, "c0")
        consume(made, rate=5.0)
        assert polled(made, 20).catch_up_seconds == pytest.approx(1.2 * HOUR, rel=0.3)


def test_a_checkpoint_that_is_set_back_makes_the_speed_unknown_for_a_while() -> None:
    with bench(ttl_days=1) as made:
        produce(made, shards=1, hours=6.0)
        consume(made, rate=3.0)
        polled(made, 20)
        made.world.stop_consumer(*BY, "c0")
        made.world.update_checkpoint(*BY, 0, made.world.end_cursor(*STORE, 0) - 20_000)
        consume(made, rate=3.0)
        assert polled(made, 3) == UNKNOWN_OUTLOOK
        assert polled(made, 12).catch_up_seconds == pytest.approx(9100.0, rel=0.02)


def test_quiet_producers_do_not_distort_a_speed() -> None:
    with bench(ttl_days=1) as made:
        produce(made, shards=1, hours=3.0)
        made.world.set_producer(*STORE, 0, 30.0)
        made.held.advance(3 * HOUR)
        consume(made, rate=0.5)
        found = polled(made, 20)
        assert found.data_loss_seconds == pytest.approx(2 * 18 * HOUR, rel=0.05)


def test_a_group_without_a_retention_time_has_no_time_to_a_loss() -> None:
    with bench(ttl_days=1) as made:
        made.simulator.deny("GetLogStore")
        produce(made, shards=1, hours=6.0)
        assert polled(made, 1) == Outlook(catch_up_seconds=inf)


def test_positions_are_kept_only_while_a_group_is_behind() -> None:
    with bench(ttl_days=1) as made:
        produce(made, shards=1, hours=0.5)
        consume(made, rate=5.0)
        polled(made, 5)
        snapshot = made.group().snapshot
        assert snapshot is not None
        assert len(snapshot.tracks[0]) > 1
        polled(made, 20)
        snapshot = made.group().snapshot
        assert snapshot is not None
        assert snapshot.tracks == {}
