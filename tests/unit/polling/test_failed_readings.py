"""Retention times and ends of shards that cannot be read: reports, and what a poll shows."""

import pytest

from exporter.model.progress import State
from exporter.model.snapshot import GroupSettings
from exporter.polling.poller import Effort
from exporter.polling.targets import GroupTarget
from tests.support.faults import ErrorAnswer
from tests.support.polling import Bench, bench
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
BY = (*STORE, GROUP)
BROKEN = ErrorAnswer(status=500, code="InternalServerError")


def test_refused_retention_time_is_reported_once_and_again_after_its_return(behind: Bench) -> None:
    behind.simulator.deny("GetLogStore")
    for _ in range(12):
        assert behind.poll(after=60.0).retention_access is False
    assert behind.observed.retention == ["Unauthorized"]
    behind.simulator.allow("GetLogStore")
    assert behind.poll(after=300.0).retention_access is True
    assert behind.observed.retention == ["Unauthorized", None]


def test_failing_retention_time_is_reported_once_and_keeps_the_last_known_one(
    behind: Bench,
) -> None:
    behind.poll()
    behind.simulator.faults.add(BROKEN, operation="GetLogStore")
    for _ in range(2):
        status = behind.poll(after=300.0)
        assert (status.retention_access, status.retention_seconds) == (False, 7 * 86_400.0)
    assert behind.observed.retention == ["InternalServerError"]


def test_retention_access_is_absent_if_the_retention_time_is_not_requested() -> None:
    with bench(lag=False) as made:
        assert made.poll().retention_access is None
        assert made.observed.retention == []


def test_readable_retention_time_is_not_reported(behind: Bench) -> None:
    assert behind.poll().retention_access is True
    assert behind.observed.retention == []


def test_failure_of_all_ends_is_in_the_status_until_they_can_be_read(behind: Bench) -> None:
    began = behind.held.wall()
    behind.simulator.faults.add(BROKEN, operation="GetCursor")
    behind.poll()
    status = behind.poll(after=60.0)
    assert behind.group().up
    assert behind.state() is State.UNKNOWN
    failure = status.shard_failure
    assert failure is not None
    assert (failure.code, failure.since) == ("InternalServerError", began)
    assert failure.message.startswith("GetCursor: 500 InternalServerError")
    assert failure.remedy is not None
    assert ("", "InternalServerError") in behind.observed.failures
    behind.simulator.faults.clear()
    assert behind.poll(after=60.0).shard_failure is None


def test_consumer_that_catches_up_while_ends_fail_is_never_stalled() -> None:
    quick = GroupTarget(name=GROUP, settings=GroupSettings(stall_after=60.0))
    with bench(groups=(quick,)) as made:
        made.world.write(*STORE, 0, 5)
        begin = made.world.begin_cursor(*STORE, 0)
        made.world.update_checkpoint(*BY, 0, begin + 2)
        made.poll(after=30.0)
        made.world.update_checkpoint(*BY, 0, begin + 5)
        made.simulator.faults.add(BROKEN, operation="GetCursor")
        states = []
        for _ in range(12):
            made.poll(after=20.0)
            states.append(made.state())
        assert states == [State.CONSUMING] * 9 + [State.UNKNOWN] * 3


def test_new_data_with_an_old_estimate_is_not_stalled_while_ends_fail() -> None:
    with bench(effort=Effort(budget=0, exact=0)) as made:
        made.poller.logstore.cursors.trusts_since = True
        begin = made.world.begin_cursor(*STORE, 0)
        made.world.update_checkpoint(*BY, 0, begin)
        made.held.advance(3600.0)
        made.world.write(*STORE, 0, 1_000)
        made.poll(after=5.0)  # the first poll only knows that the data is younger than stall_after
        stalled = made.stalled()
        assert stalled is not None
        assert stalled > 290.0
        made.simulator.faults.add(BROKEN, operation="GetCursor")
        for _ in range(3):
            made.poll(after=59.0)
            assert made.state() is State.CONSUMING


@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("seconds", [301.0, 320.0, 3600.0])
def test_first_poll_finds_a_stall_at_any_fraction_of_a_second(seconds: float, tenth: int) -> None:
    with bench(effort=Effort(budget=0, exact=0)) as made:
        made.poller.logstore.cursors.trusts_since = True
        made.world.write(*STORE, 0, 5)
        begin = made.world.begin_cursor(*STORE, 0)
        made.world.update_checkpoint(*BY, 0, begin + 2)
        made.held.advance(seconds)
        made.world.write(*STORE, 0, 5)
        made.poll(after=tenth / 10 + 0.05)
        assert made.state() is State.STALLED
