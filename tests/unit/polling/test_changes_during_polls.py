"""Changes in the middle of a poll: the machine is suspended, or the logstore is created again."""

from collections.abc import Callable

import pytest

from exporter.evaluation.shard import stalled_seconds
from exporter.model.progress import State
from tests.support.polling import Bench, bench
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
BY = (*STORE, GROUP)
RESPONSES = 5
"""Number of responses of a poll that finds unread data."""


def poll_with(made: Bench, act: Callable[[], None], *, after: int) -> None:
    """Poll, and act directly after a response, which is counted from 1, or at the end."""
    responses = 0

    def responded() -> None:
        nonlocal responses
        responses += 1
        if responses == after:
            act()

    made.status = made.poller.poll(made.status, effort=made.effort, on_response=responded)
    if responses < after:
        act()


@pytest.mark.parametrize("slept", [60.0, 600.0, 30_000.0])
@pytest.mark.parametrize("after", range(1, RESPONSES + 1))
def test_consumer_that_was_well_before_a_suspension_is_not_stalled(
    slept: float, after: int
) -> None:
    with bench() as made:
        made.world.start_consumer(*BY, "c1", shards=[0])
        made.world.set_producer(*STORE, 0, 1.0)
        for _ in range(5):
            made.poll(after=50.0)
        made.held.advance(50.0)
        poll_with(made, lambda: made.held.suspend(slept), after=after)
        assert made.state() is not State.STALLED
        stalled = stalled_seconds(made.shards()[0], made.held.wall(), interval=60.0)
        assert stalled is not None
        assert stalled <= 120.0
        made.poll(after=60.0)
        assert made.state() is not State.STALLED


def recreate(made: Bench) -> None:
    """Delete the logstore, and create it again with new data."""
    made.world.delete_logstore(*STORE)
    made.world.create_logstore(*STORE, shards=1)
    made.world.create_group(*BY)
    made.world.write(*STORE, 0, 7)


@pytest.mark.parametrize("has_history", [True, False])
@pytest.mark.parametrize("is_consumed", [True, False])
@pytest.mark.parametrize("after", range(1, RESPONSES + 1))
def test_checkpoints_of_a_logstore_that_is_created_again_count_nothing(
    *, after: int, is_consumed: bool, has_history: bool
) -> None:
    with bench() as made:
        made.world.write(*STORE, 0, 5)
        if is_consumed:
            made.world.update_checkpoint(*BY, 0, made.world.end_cursor(*STORE, 0))
        made.held.advance(3600.0)
        if has_history:
            made.poll()
            made.held.advance(60.0)
        poll_with(made, lambda: recreate(made), after=after)
        for _ in range(2):
            assert made.state() not in {State.STALLED, State.EXPIRED}
            assert made.shards()[0].unread in {0, 5, 7, None}
            made.poll(after=60.0)
        assert (made.state(), made.shards()[0].unread) == (State.UNCONSUMED, 7)


@pytest.mark.parametrize("is_proven", [None, True])
@pytest.mark.parametrize("after", range(1, RESPONSES + 4))
def test_data_of_a_logstore_that_is_created_again_has_not_expired(
    after: int, *, is_proven: bool | None
) -> None:
    with bench(ttl_days=1) as made:
        made.poller.logstore.cursors.trusts_since = is_proven
        made.world.write(*STORE, 0, 5)
        made.world.update_checkpoint(*BY, 0, made.world.begin_cursor(*STORE, 0) + 2)
        made.held.advance(86_400.0 - 60.0)
        poll_with(made, lambda: recreate(made), after=after)
        assert made.state() in {State.STALLED, State.UNKNOWN}
