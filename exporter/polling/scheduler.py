"""The schedule of polls: one APScheduler job per logstore, each at its own fixed phase.

Each project has its own threads, so a project that hangs does not block the others. This is the
only module that uses APScheduler.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.events import EVENT_JOB_MAX_INSTANCES
from apscheduler.executors.pool import BasePoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from msgspec import Struct

from exporter.polling.workers import Pool, Workers

FIRST_POLLS_SECONDS = 3.0
"""The first polls of all targets are spread over this time."""


BACKGROUND = Pool(name="background", workers=2)
"""The pool of jobs that must not wait for polls."""


class Job(Struct, frozen=True, kw_only=True):
    """A job that runs every ``interval`` seconds. Jobs with the same key are the same job.

    The first run is within ``spread`` seconds. A job waits behind others of its ``pool`` only.
    """

    key: str
    interval: float
    run: Callable[[], None]
    pool: Pool
    spread: float = FIRST_POLLS_SECONDS


class PhaseTrigger(BaseTrigger):  # type: ignore[misc]  # apscheduler ships no types
    """A trigger that fires once soon, then every ``interval`` at a phase from the hash of a key.

    The grid is that of the wall clock, so a restart keeps every phase. The name of the ``replica``
    is part of the hash, so that replicas do not send their requests at the same moments. A point
    of the grid less than half an interval after the first run is skipped. Points that have passed
    are not made up for.
    """

    def __init__(self, job: Job, *, started: datetime, replica: str = "") -> None:
        self._interval = interval = job.interval
        fraction = _fraction(f"{replica}\n{job.key}" if replica else job.key)
        self._phase = fraction * interval
        first = started.timestamp() + fraction * min(job.spread, interval)
        on_grid = self._after(started.timestamp())
        self._first = _from_timestamp(min(on_grid, first))

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Return the next run after the previous one and not long before now."""
        if previous is None:
            return self._first
        last = previous.timestamp()
        point = self._after(max(last, now.timestamp() - self._interval))
        if previous == self._first and point - last < self._interval / 2:
            point = self._after(point)
        return _from_timestamp(point)

    def _after(self, instant: float) -> float:
        """Return the first point of the grid after an instant, in unix seconds."""
        periods = (instant - self._phase) // self._interval + 1
        point = self._phase + periods * self._interval
        return point if point > instant + 1e-6 else point + self._interval


class Scheduler:
    """A scheduler of jobs on pools of threads. Runs of one job do not overlap.

    If a run takes longer than its interval, the next run is skipped. ``stopping`` is checked before
    each run, so a stop does not start queued runs. The errors of runs that a stop ends are not
    reported.
    """

    def __init__(
        self,
        *,
        stopping: threading.Event,
        on_skip: Callable[[str], None],
        on_error: Callable[[str, BaseException], None],
        workers: Workers | None = None,
        replica: str = "",
    ) -> None:
        self._replica = replica
        self._workers = workers or Workers()
        self._stopping = stopping
        self._on_skip = on_skip
        self._on_error = on_error
        self._jobs: Mapping[str, Job] = {}
        self._lock = threading.Lock()
        self._pools: set[Pool] = set()
        self._under_way: dict[int, _Run] = {}
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            # Run late jobs instead of dropping them, and merge missed runs into one.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._scheduler.add_listener(self._skipped, EVENT_JOB_MAX_INSTANCES)
        # APScheduler warns about each skipped run, but they are counted and reported elsewhere.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)

    def start(self) -> None:
        """Start the thread that watches the time. Raises RuntimeError at a limit of threads."""
        self._workers.submit(BACKGROUND, lambda: None)  # starts the first thread of other jobs
        self._scheduler.start()

    def set_jobs(self, jobs: Iterable[Job]) -> None:
        """Apply a new set of jobs. Unchanged jobs keep their phases."""
        wanted = {job.key: job for job in jobs}
        started = datetime.now(UTC)
        with self._lock:
            if self._stopping.is_set():
                return  # APScheduler may have dropped its jobs already.
            known, self._jobs = self._jobs, wanted
            for key in known.keys() - wanted.keys():
                self._scheduler.remove_job(key)
            self._make_pools({job.pool for job in wanted.values()})
            for key, job in wanted.items():
                if key not in known or known[key].interval != job.interval:
                    self._scheduler.add_job(
                        self._run,
                        PhaseTrigger(job, started=started, replica=self._replica),
                        args=[key],
                        id=key,
                        name=key,
                        executor=_alias(job.pool),
                        replace_existing=True,
                    )
                elif known[key].pool != job.pool:
                    self._scheduler.modify_job(key, executor=_alias(job.pool))
            self._drop_pools(self._pools - {job.pool for job in wanted.values()})

    def run_soon(self, key: str, *, after: float = 0.0) -> None:
        """Run a job now, or after some seconds, and then at its phase again."""
        with self._lock:
            if key in self._jobs and not self._stopping.is_set():
                at = datetime.now(UTC) + timedelta(seconds=after)
                self._scheduler.modify_job(key, next_run_time=at)

    def run_by(self, key: str, *, after: float) -> bool:
        """Run a job after some seconds, unless its next run is sooner. Return whether it is not."""
        with self._lock:
            job = None if self._stopping.is_set() else self._scheduler.get_job(key)
            at = datetime.now(UTC) + timedelta(seconds=after)
            if job is None or job.next_run_time is None or job.next_run_time <= at:
                return False
            job.modify(next_run_time=at)
            return True

    def run_early(self, key: str) -> None:
        """Run a job within its ``spread``, as a new job, unless its next run is sooner."""
        with self._lock:
            job = self._jobs.get(key)
        if job is not None:
            self.run_by(key, after=(1 + _fraction(key)) / 2 * min(job.spread, job.interval))

    def note_progress(self, key: str) -> None:
        """Note that the active runs of a job have made progress."""
        for run in list(self._under_way.values()):
            if run.key == key:
                run.silent_since = time.monotonic()

    def longest_silence(self) -> tuple[str, float] | None:
        """Return the run with the longest time without progress: its key, and that in seconds."""
        runs = list(self._under_way.values())
        if not runs:
            return None
        longest = min(runs, key=lambda run: run.silent_since)
        return longest.key, time.monotonic() - longest.silent_since

    def realign(self) -> None:
        """Run all jobs soon, then at their phases again, after the wall clock has jumped.

        APScheduler waits for wall clock times, which may be hours away after a jump.
        """
        started = datetime.now(UTC)
        with self._lock:
            if self._stopping.is_set():
                return
            for key, job in self._jobs.items():
                trigger = PhaseTrigger(job, started=started, replica=self._replica)
                self._scheduler.reschedule_job(key, trigger=trigger)

    def stop(self) -> None:
        """Stop starting runs, after ``stopping`` is set. Active runs end on their own."""
        with self._lock:
            if self._scheduler.running:
                self._scheduler.shutdown(wait=False)

    def _make_pools(self, wanted: Iterable[Pool]) -> None:
        for pool in wanted:
            if pool not in self._pools:
                self._pools.add(pool)
                self._scheduler.add_executor(_Executor(self._workers.executor(pool)), _alias(pool))

    def _drop_pools(self, left: Collection[Pool]) -> None:
        for pool in left:
            self._scheduler.remove_executor(_alias(pool), shutdown=False)
        self._pools -= set(left)
        self._workers.keep_only(self._pools)

    def _run(self, key: str) -> None:
        job = self._jobs.get(key)
        if self._stopping.is_set() or job is None:
            return
        # By thread, since a job that was removed and added again may run while its first run hangs.
        self._under_way[threading.get_ident()] = _Run(key)
        try:
            job.run()
        except Exception as error:  # noqa: BLE001  reported, and must not end the job
            # While Python ends, it refuses the threads that a run asks for.
            if not self._stopping.is_set():
                self._on_error(key, error)
        finally:
            del self._under_way[threading.get_ident()]

    def _skipped(self, event: Any) -> None:  # noqa: ANN401  apscheduler ships no types
        self._on_skip(event.job_id)


class _Run:
    """An active run."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.silent_since = time.monotonic()


class _Executor(BasePoolExecutor):  # type: ignore[misc]  # apscheduler ships no types
    """An executor of jobs on given threads."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        super().__init__(threads)


def _alias(pool: Pool) -> str:
    """Return the name of a pool for APScheduler, which depends on its size as well."""
    return f"{pool.workers} of {pool.name}"


def _fraction(key: str) -> float:
    """Map a key to [0, 1), evenly and the same on every machine."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def _from_timestamp(instant: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=instant)
