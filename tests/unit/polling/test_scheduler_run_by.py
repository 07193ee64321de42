"""Runs of a job before its next regular run."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from exporter.polling.scheduler import BACKGROUND, Job, Scheduler
from tests.support.wait import wait_for

HOUR = 3600.0


@contextmanager
def scheduled(job: Job) -> Iterator[Scheduler]:
    """Run a scheduler with one job."""
    stopping, errors = threading.Event(), list[object]()
    scheduler = Scheduler(
        stopping=stopping, on_skip=errors.append, on_error=lambda *error: errors.append(error)
    )
    scheduler.set_jobs([job])
    scheduler.start()
    try:
        yield scheduler
    finally:
        stopping.set()
        scheduler.stop()
    assert errors == []


def job(runs: list[int], *, interval: float, spread: float = 0.0) -> Job:
    return Job(
        key="job", interval=interval, run=lambda: runs.append(1), pool=BACKGROUND, spread=spread
    )


def test_job_runs_before_its_next_regular_run() -> None:
    runs: list[int] = []
    with scheduled(job(runs, interval=HOUR)) as scheduler:
        wait_for(lambda: len(runs) == 1, what="the first run")
        wait_for(lambda: scheduler.run_by("job", after=0.05), what="an earlier run")
        wait_for(lambda: len(runs) == 2, what="the earlier run")


def test_regular_run_that_comes_sooner_is_not_postponed() -> None:
    runs: list[int] = []
    with scheduled(job(runs, interval=0.2)) as scheduler:
        wait_for(lambda: len(runs) == 1, what="the first run")
        assert not scheduler.run_by("job", after=HOUR)
        wait_for(lambda: len(runs) >= 3, what="regular runs")


def test_job_that_runs_early_runs_within_its_spread() -> None:
    runs: list[int] = []
    with scheduled(job(runs, interval=1000 * HOUR, spread=1.0)) as scheduler:
        wait_for(lambda: len(runs) == 1, timeout=60, what="the first run")
        scheduler.run_early("job")
        wait_for(lambda: len(runs) == 2, timeout=60, what="the early run")


def test_unknown_job_is_ignored() -> None:
    with scheduled(job([], interval=HOUR)) as scheduler:
        assert not scheduler.run_by("other", after=0.0)
        scheduler.run_early("other")
