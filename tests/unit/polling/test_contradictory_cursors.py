"""InvalidCursor for log groups that the shard still contains, as from a server that is behind.

It does not mean that data has been lost.
"""

import pytest

from exporter.model.progress import State
from exporter.polling.poller import Effort
from tests.support.faults import ErrorAnswer
from tests.support.polling import Bench, bench
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
BY = (*STORE, GROUP)
REFUSAL = ErrorAnswer(status=400, code="InvalidCursor")
INTERVAL = 60.0
STALLED_FROM = 6
"""The first poll that finds the shard stalled: it is the first after 300 s without progress."""


def die_before_a_log_group(made: Bench) -> None:
    """Consume the shard, poll it, and write another log group after the consumer has crashed."""
    made.world.start_consumer(*BY, "c1", shards=[0])
    made.world.write(*STORE, 0, 5)
    made.held.advance(INTERVAL)
    assert made.world.checkpoints(*BY)
    made.poll()
    made.poll(after=900.0)
    made.world.crash_consumer(*BY, "c1")
    made.world.write(*STORE, 0)


@pytest.mark.parametrize("exact", [0, 8])
@pytest.mark.parametrize("is_proven", [None, True, False])
@pytest.mark.parametrize("refused", range(3))
def test_refused_time_of_a_retained_log_group_loses_no_data(
    *, exact: int, is_proven: bool | None, refused: int
) -> None:
    with bench(effort=Effort(budget=2, exact=exact)) as made:
        made.poller.logstore.cursors.trusts_since = is_proven
        die_before_a_log_group(made)
        for number in range(1, 10):
            if number - 1 == refused:
                made.simulator.faults.add(REFUSAL, operation="GetCursorTime")
            made.poll(after=INTERVAL)
            made.simulator.faults.clear()
            expected = State.STALLED if number >= STALLED_FROM else State.CONSUMING
            assert (number, made.state()) == (number, expected)
            stalled = made.stalled()
            assert stalled is not None
            assert stalled <= number * INTERVAL + 1.0
        made.calls()
        made.poll(after=INTERVAL)
        assert made.calls().keys() <= {"GetCheckPoint", "ListShards", "GetLogStore", "GetCursor"}
        assert made.state() is State.STALLED


def test_time_that_is_always_refused_is_not_a_loss() -> None:
    with bench(effort=Effort(budget=2, exact=0)) as made:
        die_before_a_log_group(made)
        checkpoint = made.shards()[0].checkpoint
        made.simulator.faults.add(REFUSAL, operation="GetCursorTime", cursor=checkpoint)
        states = []
        for _ in range(20):
            made.poll(after=INTERVAL)
            states.append(made.state())
        assert State.EXPIRED not in states
        assert states[-1] is State.STALLED  # the bounds of the time suffice


@pytest.mark.parametrize("is_first", [True, False], ids=["in the first poll", "later"])
def test_refused_time_of_the_first_log_group_does_not_lengthen_a_stall(*, is_first: bool) -> None:
    day = 86_400.0
    with bench(ttl_days=1, effort=Effort(budget=2, exact=0)) as made:
        die_before_a_log_group(made)
        made.held.advance(3 * day)
        made.world.write(*STORE, 0, 3)
        if is_first:
            made.poller.logstore.cursors.end_poll(())
        else:
            made.poll(after=INTERVAL)
            made.held.advance(day + 300.0)
            made.world.write(*STORE, 0, 3)
        made.simulator.faults.add(REFUSAL, operation="GetCursorTime")
        for number in range(5):
            made.poll(after=INTERVAL)
            assert made.state() is State.EXPIRED or (is_first and not number)
            assert (made.stalled() or 0.0) <= day + 5 * INTERVAL
        made.simulator.faults.clear()
        made.poll(after=INTERVAL)
        assert made.state() is State.EXPIRED
        assert made.stalled() == 6 * INTERVAL
