"""Receive times that are not known exactly, and checkpoints without any information about them."""

import pytest

from exporter.model.progress import Bracket, State
from exporter.model.snapshot import GroupSettings
from exporter.polling.end_history import EndHistory
from exporter.polling.poller import Effort
from exporter.polling.targets import GroupTarget
from tests.support.polling import bench
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
BY = (*STORE, GROUP)
HOUR = 3600.0


def test_checkpoint_ahead_of_the_end_bounds_no_receive_time() -> None:
    history = EndHistory()
    history.add_end(10, sent_at=100.0, received_at=100.0)
    history.add_end(20, sent_at=200.0, received_at=200.0)
    history.add_read_before(15, 50.0)
    assert history.bracket(14) == Bracket(98.0, 202.0, 144.8)


def test_estimate_is_between_its_bounds_if_a_checkpoint_was_ahead_before_the_first_reading() -> (
    None
):
    history = EndHistory()
    history.add_read_before(15, 50.0)
    history.add_end(10, sent_at=100.0, received_at=100.0)
    assert history.bracket(14) == Bracket(98.0, 98.0, 98.0)


@pytest.mark.parametrize("exact", [0, 8])
def test_lag_of_a_checkpoint_ahead_of_the_end_begins_with_the_log_group_before_it(
    exact: int,
) -> None:
    with bench(effort=Effort(exact=exact)) as made:
        end = made.world.end_cursor(*STORE, 0)
        made.world.update_checkpoint(*BY, 0, end + 2)
        for _ in range(3):
            made.poll(after=60.0)
        made.world.write(*STORE, 0, 5)
        made.poll(after=60.0)
        lag = made.shards()[0].lag_seconds
        assert lag is not None
        assert lag <= 60.0


def test_oldest_unread_time_is_absent_if_its_bounds_are_far_apart() -> None:
    with bench(effort=Effort(budget=0, exact=0)) as made:
        made.world.set_producer(*STORE, 0, 60.0)
        made.held.advance(10 * HOUR)
        made.world.update_checkpoint(*BY, 0, made.world.end_cursor(*STORE, 0) - 200)
        made.poll(after=30.0)
        shard = made.shards()[0]
        assert made.state() is State.CONSUMING
        assert (shard.unread, shard.oldest_unread_at, shard.lag_seconds) == (200, None, None)
        assert made.stalled() == 30.0


def test_log_groups_that_arrived_after_a_recent_move_have_not_waited_since_that_move() -> None:
    patient = (GroupTarget(name=GROUP, settings=GroupSettings(stall_after=HOUR)),)
    with bench(groups=patient, effort=Effort(budget=0, exact=0)) as made:
        made.world.write(*STORE, 0, 3)
        made.world.update_checkpoint(*BY, 0, made.world.end_cursor(*STORE, 0))
        for _ in range(40):
            made.poll(after=60.0)
        made.held.advance(590.0)
        made.world.write(*STORE, 0, 2)
        made.poll(after=10.0)
        stalled = made.stalled()
        assert stalled is not None
        assert 10.0 <= stalled <= 602.0  # since the last poll that found nothing unread
        assert made.state() is State.CONSUMING


def test_first_log_group_is_read_again_if_it_expired_before_its_time_was_read() -> None:
    with bench(ttl_days=1) as made:
        start = made.held.wall()
        made.world.set_producer(*STORE, 0, 30.0)
        made.held.advance(120.0)
        made.world.update_checkpoint(*BY, 0, made.world.begin_cursor(*STORE, 0) + 3)
        made.poll(after=24 * HOUR - 85.0)  # the second log group is the first one
        made.world.update_checkpoint(*BY, 0, "")
        made.poll(after=30.0)
        assert made.shards()[0].oldest_unread_at == start + 90.0


def test_right_to_cursors_is_noticed_if_all_ends_are_final() -> None:
    only_parent = (GroupTarget(name=GROUP, shards=frozenset({0})),)
    with bench(groups=only_parent) as made:
        made.world.write(*STORE, 0, 3)
        made.world.update_checkpoint(*BY, 0, made.world.end_cursor(*STORE, 0))
        made.world.split_shard(*STORE, 0)
        made.poll()
        made.simulator.deny("ListShards")
        made.poll(after=60.0)
        made.simulator.allow("ListShards")
        status = made.poll(after=300.0)
        assert status.cursor_access is True
        assert made.state() is State.FINISHED
        assert made.observed.access == ["Unauthorized", None]
