"""Retention times and ends of shards that cannot be read: reports, and what a poll shows."""

from collections.abc import Iterator

import pytest

from exporter.model.progress import State
from tests.support.faults import ErrorAnswer
from tests.support.polling import Bench, bench, bench_behind

BROKEN = ErrorAnswer(status=500, code="InternalServerError")


@pytest.fixture
def behind() -> Iterator[Bench]:
    with bench_behind() as made:
        yield made


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
