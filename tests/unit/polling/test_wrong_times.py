"""A single response with a wrong time, at any point of a poll, changes no state."""

import pytest

from exporter.model.progress import State
from exporter.polling.targets import GroupTarget
from tests.support.faults import WrongTime
from tests.support.polling import Bench, bench
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
WRONG = (1200.0, 840.0, -840.0, -7200.0, 1e9)


def add_wrong_time(made: Bench, ahead: float, *, after: int) -> None:
    """Let one response have a wrong time, after some regular ones."""
    faults = made.simulator.faults
    if after:
        faults.add(WrongTime(ahead=0.0), times=after)
    faults.add(WrongTime(ahead=ahead), times=1)


@pytest.mark.parametrize("ahead", WRONG)
@pytest.mark.parametrize("after", range(6))
@pytest.mark.parametrize("polls", [0, 3], ids=["first poll", "later poll"])
def test_wrong_time_of_one_response_changes_no_state(ahead: float, after: int, polls: int) -> None:
    groups = (GroupTarget(name=GROUP), GroupTarget(name="dead"))
    with bench(groups=groups) as made:
        made.world.create_group(*STORE, "dead")
        made.world.set_producer(*STORE, 0, 1.0)
        for group in (GROUP, "dead"):
            made.world.start_consumer(*STORE, group, "c1", shards=[0], flush_interval=20.0)
        made.held.advance(100.0)
        made.world.crash_consumer(*STORE, "dead", "c1")
        made.held.advance(390.0)
        for _ in range(polls):
            made.poll(after=30.0)
        add_wrong_time(made, ahead, after=after)
        made.poll(after=30.0)
        assert made.state(0) in {State.CAUGHT_UP, State.CONSUMING}
        assert made.state(0, "dead") is State.STALLED
        for each in groups:
            snapshot = made.group(each.name).snapshot
            assert snapshot is not None
            assert snapshot.polled.server == pytest.approx(made.held.wall(), abs=1.0)
