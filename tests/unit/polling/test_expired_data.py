"""Shards whose data has expired unread, with both responses for the times of empty shards."""

from collections.abc import Iterator

import pytest

from exporter.model.progress import State
from exporter.polling.poller import Effort
from tests.support.faults import Body
from tests.support.polling import Bench, bench
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
BY = (*STORE, GROUP)
DAY = 86_400.0


@pytest.fixture(params=[False, True], ids=["InvalidCursor", "current time"])
def made(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with bench(ttl_days=1, effort=Effort(exact=8)) as made:
        made.world.times_empty_shards = request.param
        yield made


def dead_after(made: Bench, written: int, *, read: int) -> None:
    """Write log groups, read some of them, and never read again."""
    end = made.world.end_cursor(*STORE, 0)
    made.world.write(*STORE, 0, written)
    made.world.update_checkpoint(*BY, 0, end + read)


def lost_all(made: Bench) -> bool:
    shard = made.shards()[0]
    assert (made.state(), made.stalled()) == (State.EXPIRED, 0.0)
    assert (shard.unread, shard.lag_seconds, shard.oldest_unread_at) == (0, 0.0, None)
    return True


def test_shard_is_expired_with_nothing_unread_after_all_data_has_expired(made: Bench) -> None:
    dead_after(made, 2000, read=1500)
    made.poll(after=20 * DAY)
    assert lost_all(made)
    made.poll(after=60.0)
    assert lost_all(made)


def test_expiry_of_all_data_is_seen_while_polls_go_on(made: Bench) -> None:
    dead_after(made, 20, read=15)
    made.poll(after=60.0)
    assert made.shards()[0].unread == 5
    made.poll(after=DAY - 90.0)
    assert (made.state(), made.shards()[0].unread) == (State.STALLED, 5)
    made.poll(after=60.0)
    assert lost_all(made)
    made.poll(after=60.0)
    assert lost_all(made)


def test_expiry_is_seen_although_the_known_retention_time_is_too_long(made: Bench) -> None:
    made.simulator.faults.add(Body(text='{"ttl": 30}'), operation="GetLogStore")
    dead_after(made, 20, read=15)
    made.poll(after=2 * DAY)
    assert lost_all(made)
    made.poll(after=60.0)
    assert lost_all(made)


def test_only_retained_log_groups_are_unread(made: Bench) -> None:
    dead_after(made, 1800, read=1500)
    made.held.advance(DAY / 2)
    made.world.write(*STORE, 0, 200)
    made.poll(after=DAY / 2 + 60.0)
    assert made.state() is State.EXPIRED
    assert made.shards()[0].unread == 200
    assert made.stalled() == DAY / 2 + 60.0


def test_new_data_in_an_expired_shard_is_unread_and_stalls_from_its_receipt(made: Bench) -> None:
    dead_after(made, 20, read=15)
    made.poll(after=2 * DAY)
    assert lost_all(made)
    made.world.write(*STORE, 0, 3)
    made.poll(after=40.0)
    assert (made.state(), made.shards()[0].unread, made.stalled()) == (State.EXPIRED, 3, 40.0)
    made.world.update_checkpoint(*BY, 0, made.world.begin_cursor(*STORE, 0) + 1)
    made.poll(after=10.0)
    assert (made.state(), made.shards()[0].unread) == (State.CONSUMING, 2)


def test_shard_that_was_read_before_its_data_expired_is_caught_up(made: Bench) -> None:
    dead_after(made, 20, read=20)
    made.poll(after=20 * DAY)
    assert made.state() is State.CAUGHT_UP
    assert made.stalled() == 0.0


def test_reading_by_time_is_not_distrusted_after_all_data_has_expired(made: Bench) -> None:
    dead_after(made, 20, read=15)
    made.poll(after=20 * DAY)
    made.poll(after=60.0)
    assert made.observed.distrusted == 0


def test_busy_shard_needs_its_first_log_group_in_the_first_poll_at_most() -> None:
    with bench(effort=Effort(exact=8)) as made:
        made.world.set_producer(*STORE, 0, 1.0)
        made.world.start_consumer(*BY, "c1", shards=[0])
        made.held.advance(2 * DAY)
        begins = []
        for _ in range(10):
            made.poll(after=60.0)
            begins.append(sum(each.cursor == "begin" for each in made.simulator.requests))
            made.simulator.forget_requests()
        assert begins[0] <= 3
        assert begins[1:] == [0] * 9


def test_read_only_shard_without_a_checkpoint_is_finished_if_it_is_empty() -> None:
    with bench() as made:
        made.world.split_shard(*STORE, 0)
        made.poll(after=60.0)
        assert made.state(0) is State.FINISHED
        assert made.state(1) is State.UNCONSUMED


def test_read_only_shard_without_a_checkpoint_is_unconsumed_while_it_has_data() -> None:
    with bench(ttl_days=1) as made:
        made.world.write(*STORE, 0, 3)
        made.held.advance(60.0)
        made.world.split_shard(*STORE, 0)
        made.poll(after=60.0)
        assert (made.state(0), made.shards()[0].unread) == (State.UNCONSUMED, 3)
        made.poll(after=DAY - 90.0)
        assert (made.state(0), made.shards()[0].unread) == (State.FINISHED, 0)


def test_shard_whose_data_expires_faster_than_polls_can_read_is_expired(made: Bench) -> None:
    made.world.set_producer(*STORE, 0, 1.0)
    made.held.advance(60.0)
    made.world.update_checkpoint(*BY, 0, made.world.end_cursor(*STORE, 0))
    made.held.advance(DAY + 600.0)
    for number in range(5):
        made.held.advance(60.0)
        made.status = made.poller.poll(
            made.status, effort=made.effort, on_response=lambda: made.held.advance(3.0)
        )
        assert number == 0 or made.state() is State.EXPIRED
        unread = made.shards()[0].unread
        assert unread is None or abs(unread - DAY) < 90.0
        stalled = made.stalled()
        assert stalled is None or stalled <= DAY + 660.0
