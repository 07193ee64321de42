"""The scheduler: phases, first runs, no run lost or doubled, skips, stops."""

import itertools
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from exporter.polling.scheduler import BACKGROUND, Job, PhaseTrigger, Scheduler
from exporter.polling.workers import Pool
from tests.support.wait import wait_for

START = datetime(2026, 1, 1, 12, 0, 7, tzinfo=UTC)

keys = st.text(min_size=1, max_size=20)
intervals = st.floats(min_value=1.0, max_value=3600.0)


def fire_times(trigger: PhaseTrigger, count: int, *, now: datetime = START) -> list[datetime]:
    times: list[datetime] = []
    previous: datetime | None = None
    for _ in range(count):
        previous = trigger.get_next_fire_time(previous, now)
        now = max(now, previous)
        times.append(previous)
    return times


def job(key: str = "project/logstore", interval: float = 60.0) -> Job:
    return Job(key=key, interval=interval, run=lambda: None, pool=BACKGROUND)


@given(keys, intervals)
def test_the_first_run_comes_within_three_seconds(key: str, interval: float) -> None:
    first = fire_times(PhaseTrigger(job(key, interval), started=START), 1)[0]
    assert timedelta(0) <= first - START <= timedelta(seconds=3, milliseconds=1)


@given(keys, intervals)
def test_after_the_first_run_every_gap_is_the_interval(key: str, interval: float) -> None:
    times = fire_times(PhaseTrigger(job(key, interval), started=START), 12)
    gaps = [(b - a).total_seconds() for a, b in itertools.pairwise(times)]
    assert interval / 2 - 1e-3 <= gaps[0] <= interval * 1.5 + 1e-3
    assert gaps[1:] == pytest.approx([interval] * 10, abs=1e-3)


def test_phases_of_two_replicas_differ() -> None:
    phases = [
        [
            fire_times(PhaseTrigger(job(f"shop/store-{n}"), started=START, replica=replica), 3)[2]
            for n in range(100)
        ]
        for replica in ("exporter-a", "exporter-b")
    ]
    apart = [abs((a - b).total_seconds()) for a, b in zip(*phases, strict=True)]
    assert statistics.mean(min(each, 60.0 - each) for each in apart) > 10.0


@given(keys, intervals, st.floats(min_value=0.0, max_value=1e6))
def test_the_phase_survives_a_restart(key: str, interval: float, later: float) -> None:
    before = fire_times(PhaseTrigger(job(key, interval), started=START), 4)[-1]
    restart = START + timedelta(seconds=later)
    after = fire_times(PhaseTrigger(job(key, interval), started=restart), 4, now=restart)[-1]
    periods = (after - before).total_seconds() / interval
    assert periods == pytest.approx(round(periods), abs=1e-3)


def test_phases_of_many_targets_fill_the_interval_evenly() -> None:
    second = [
        fire_times(PhaseTrigger(job(f"project/logstore-{n}"), started=START), 3)[2]
        for n in range(3000)
    ]
    tenths = Counter(int(time.timestamp() % 60 // 6) for time in second)
    assert min(tenths[tenth] for tenth in range(10)) > 200


def test_runs_missed_during_a_long_pause_are_skipped() -> None:
    trigger = PhaseTrigger(job(), started=START)
    last = fire_times(trigger, 3)[-1]
    now = last + timedelta(hours=3)
    following = trigger.get_next_fire_time(last, now)
    assert now - timedelta(seconds=60) <= following <= now + timedelta(seconds=60)


class Runs:
    """A scheduler whose jobs record when they ran."""

    def __init__(self, *, workers: int) -> None:
        self.pool = Pool(name="polls", workers=workers)
        self.stopping = threading.Event()
        self.skipped: list[str] = []
        self.errors: list[tuple[str, BaseException]] = []
        self.times: dict[str, list[float]] = {}
        self._lock = threading.Lock()
        self.scheduler = Scheduler(
            stopping=self.stopping,
            on_skip=self.skipped.append,
            on_error=lambda key, error: self.errors.append((key, error)),
        )

    def note(self, key: str) -> None:
        with self._lock:
            self.times.setdefault(key, []).append(time.monotonic())

    def count(self, key: str) -> int:
        with self._lock:
            return len(self.times.get(key, []))

    def job(self, key: str, interval: float = 1.0) -> Job:
        return Job(
            key=key, interval=interval, run=lambda: self.note(key), spread=0.2, pool=self.pool
        )


@contextmanager
def running(*, workers: int = 4) -> Iterator[Runs]:
    runs = Runs(workers=workers)
    try:
        yield runs
    finally:
        runs.stopping.set()
        runs.scheduler.stop()


def test_a_thousand_concurrent_targets_lose_and_double_no_run() -> None:
    interval, periods = 3.0, 4
    with running(workers=8) as runs:
        names = [f"project/logstore-{n}" for n in range(1000)]
        runs.scheduler.set_jobs([runs.job(name, interval) for name in names])
        started = time.monotonic()
        runs.scheduler.start()
        wait_for(
            lambda: all(runs.count(name) > periods for name in names),
            timeout=interval * (periods + 5),
            what="every target polled",
        )
        counts = {name: runs.count(name) for name in names}
        elapsed = time.monotonic() - started
    assert runs.skipped == []
    assert runs.errors == []
    assert max(counts.values()) <= elapsed / interval + 2, "one early, then one an interval"
    on_grid = [runs.times[name][1 : periods + 1] for name in names]
    # The median, because a busy machine may delay some runs.
    mean = statistics.median((times[-1] - times[0]) / (periods - 1) for times in on_grid)
    assert mean == pytest.approx(interval, rel=0.005)


def test_a_run_that_outlasts_its_interval_is_skipped_and_never_overlapped() -> None:
    release = threading.Event()
    active = 0
    overlaps = 0

    def slow() -> None:
        nonlocal active, overlaps
        active += 1
        overlaps += active > 1
        release.wait(20)
        active -= 1

    with running() as runs:
        job = Job(key="slow", interval=1.0, run=slow, spread=0.0, pool=runs.pool)
        runs.scheduler.set_jobs([job])
        runs.scheduler.start()
        wait_for(lambda: len(runs.skipped) >= 2, what="two skips")
        release.set()
    assert overlaps == 0
    assert set(runs.skipped) == {"slow"}


def test_an_error_in_a_run_is_reported_and_the_next_run_comes() -> None:
    def broken() -> None:
        runs.note("broken")
        raise RuntimeError("a bug")

    with running() as runs:
        runs.scheduler.set_jobs(
            [Job(key="broken", interval=1.0, run=broken, spread=0.0, pool=runs.pool)]
        )
        runs.scheduler.start()
        wait_for(lambda: runs.count("broken") >= 2)
    assert runs.errors[0][0] == "broken"
    assert str(runs.errors[0][1]) == "a bug"


def test_a_stop_runs_nothing_of_what_is_queued() -> None:
    entered, release = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        release.wait(20)

    with running(workers=1) as runs:
        blocking = Job(key="blocking", interval=60.0, run=wait, spread=0.0, pool=runs.pool)
        queued = [runs.job(f"queued-{n}", 60.0) for n in range(50)]
        runs.scheduler.set_jobs([blocking, *queued])
        runs.scheduler.start()
        assert entered.wait(10)
        before = dict(runs.times)
        runs.stopping.set()
        runs.scheduler.stop()
        release.set()
        for thread in threading.enumerate():
            if thread.name.startswith("ThreadPoolExecutor"):
                thread.join(10)
    assert runs.times == before


def test_jobs_are_changed_by_difference_and_what_stays_keeps_its_phase() -> None:
    with running() as runs:
        hourly = 3600.0
        runs.scheduler.set_jobs([runs.job("stays", hourly), runs.job("leaves")])
        runs.scheduler.start()
        wait_for(lambda: runs.count("stays") == 1 and runs.count("leaves") >= 1)
        runs.scheduler.set_jobs([runs.job("stays", hourly), runs.job("comes")])
        left = runs.count("leaves")
        wait_for(lambda: runs.count("comes") >= 3)
        assert runs.count("leaves") <= left + 1, "one may have been handed out already"
        assert runs.count("stays") == 1, "a job that was set again would have run immediately"
        runs.scheduler.set_jobs([runs.job("stays", hourly / 2), runs.job("comes")])
        wait_for(lambda: runs.count("stays") == 2, what="a new interval to begin immediately")


def test_a_background_job_does_not_wait_behind_polls() -> None:
    release = threading.Event()

    def hog() -> None:
        release.wait(20)

    with running(workers=1) as runs:
        runs.scheduler.set_jobs(
            [
                Job(key="hog", interval=60.0, run=hog, spread=0.0, pool=runs.pool),
                replace(runs.job("beat"), pool=BACKGROUND),
            ]
        )
        runs.scheduler.start()
        wait_for(lambda: runs.count("beat") >= 2)
        release.set()


@contextmanager
def hanging(*keys: str) -> Iterator[Runs]:
    """Run some jobs until the block ends."""
    release, entered = threading.Event(), threading.Barrier(len(keys) + 1)

    def hang() -> None:
        entered.wait(10)
        release.wait(20)

    with running() as runs:
        runs.scheduler.set_jobs(
            [Job(key=key, interval=60.0, run=hang, spread=0.0, pool=runs.pool) for key in keys]
        )
        runs.scheduler.start()
        entered.wait(10)
        try:
            yield runs
        finally:
            release.set()


def silence(runs: Runs) -> tuple[str, float]:
    found = runs.scheduler.longest_silence()
    assert found is not None
    return found


def test_silence_of_a_run_grows_while_it_makes_no_progress() -> None:
    with hanging("hog") as runs:
        wait_for(lambda: silence(runs)[1] > 0.3)
        assert silence(runs)[0] == "hog"


def test_progress_ends_the_silence_of_a_run() -> None:
    with hanging("hog") as runs:
        wait_for(lambda: silence(runs)[1] > 0.3)
        before = silence(runs)[1]
        runs.scheduler.note_progress("other")
        assert silence(runs)[1] >= before
        runs.scheduler.note_progress("hog")
        assert silence(runs)[1] < before


def test_run_without_progress_is_the_one_that_is_silent_for_longest() -> None:
    with hanging("a", "b", "c") as runs:
        for quiet in ("b", "a", "c"):
            for other in {"a", "b", "c"} - {quiet}:
                runs.scheduler.note_progress(other)
            assert silence(runs)[0] == quiet
            runs.scheduler.note_progress(quiet)


def test_longest_silence_is_absent_while_no_job_runs() -> None:
    with running() as runs:
        runs.scheduler.set_jobs([runs.job("quick", 60.0)])
        runs.scheduler.start()
        wait_for(lambda: runs.count("quick") == 1)
        wait_for(lambda: runs.scheduler.longest_silence() is None)
        runs.scheduler.note_progress("quick")
        assert runs.scheduler.longest_silence() is None


def test_after_the_wall_clock_jumped_everything_runs_soon_again() -> None:
    with running() as runs:
        # The first run of this job is as far away as if the clock had been set back.
        far = replace(runs.job("far", 3600.0), spread=0.0)
        runs.scheduler.set_jobs([far])
        runs.scheduler.start()
        wait_for(lambda: runs.count("far") == 1)
        runs.scheduler.realign()
        wait_for(lambda: runs.count("far") == 2)


def test_error_of_a_run_that_a_stop_ends_is_not_reported() -> None:
    ended = threading.Event()

    with running() as runs:

        def refused() -> None:
            runs.stopping.wait(20)
            ended.set()
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")

        job = Job(key="refused", interval=600.0, run=refused, spread=0.0, pool=runs.pool)
        runs.scheduler.set_jobs([job])
        runs.scheduler.start()
        wait_for(runs.scheduler.longest_silence, what="the run")
        runs.stopping.set()
        wait_for(lambda: ended.is_set() and not runs.scheduler.longest_silence(), what="its end")
    assert runs.errors == []


def test_after_a_stop_changes_of_jobs_are_left_alone() -> None:
    with running() as runs:
        runs.scheduler.set_jobs([runs.job("stays"), runs.job("leaves")])
        runs.scheduler.start()
        wait_for(lambda: runs.count("leaves") >= 1)
        runs.stopping.set()
        runs.scheduler.stop()
        runs.scheduler.realign()
        runs.scheduler.run_soon("stays")
        runs.scheduler.set_jobs([runs.job("stays"), runs.job("comes")])
        runs.scheduler.stop()
    assert runs.errors == []


def test_a_project_that_hangs_takes_no_worker_from_another() -> None:
    release = threading.Event()

    def hog() -> None:
        release.wait(20)

    with running(workers=2) as runs:
        bad = Pool(name="bad", workers=2)
        hogs = [Job(key=f"bad/{n}", interval=1.0, run=hog, spread=0.0, pool=bad) for n in range(20)]
        runs.scheduler.set_jobs([*hogs, runs.job("good/0")])
        runs.scheduler.start()
        wait_for(lambda: runs.count("good/0") >= 3)
        release.set()
    assert "good/0" not in runs.skipped


def test_the_threads_of_a_project_that_left_end() -> None:
    # Threads of earlier tests may end during this one, so only new threads count.
    before = set(threading.enumerate())

    def started() -> int:
        return len(set(threading.enumerate()) - before)

    with running() as runs:
        runs.scheduler.start()
        jobs = [
            replace(runs.job(f"project-{n}/log"), pool=Pool(name=f"project-{n}", workers=2))
            for n in range(20)
        ]
        runs.scheduler.set_jobs(jobs)
        wait_for(lambda: all(runs.count(job.key) for job in jobs))
        assert started() >= 20
        runs.scheduler.set_jobs([])
        wait_for(lambda: started() <= 1, what="APScheduler's thread only")
        runs.scheduler.set_jobs(jobs)
        wait_for(lambda: all(runs.count(job.key) >= 2 for job in jobs), what="all to be back")
    assert runs.errors == []


def test_jobs_move_to_a_pool_of_another_size_and_keep_their_phase() -> None:
    release = threading.Event()

    def hog() -> None:
        release.wait(20)

    with running(workers=1) as runs:
        jobs = [
            Job(key="hog", interval=600.0, run=hog, spread=0.0, pool=runs.pool),
            runs.job("quick"),
        ]
        runs.scheduler.set_jobs(jobs)
        runs.scheduler.start()
        wait_for(runs.scheduler.longest_silence, what="the hog on the only worker")
        larger = Pool(name="polls", workers=2)
        runs.scheduler.set_jobs([replace(job, pool=larger) for job in jobs])
        wait_for(lambda: runs.count("quick") >= 3, what="runs on the larger pool")
        later = runs.times["quick"][1:]
        release.set()
    assert runs.errors == []
    assert later[1] - later[0] > 0.5, "once an interval still"
