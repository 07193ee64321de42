"""The schedule of 10 000 logstores: lost polls, late polls, and bursts of polls.

Instead of a poll, a fake waits for a slot in the request rate of its project, and then as long as a
request takes. The other side is APScheduler in its common use: interval jobs with jitter, and a
grace time of one second. The sides run one after the other, since they would disturb each other.
"""

import argparse
import random
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from exporter.polling.scheduler import Job, Scheduler
from exporter.polling.workers import Pool
from exporter.sls.request_rate import RequestRate


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The numbers of logstores and projects, times in seconds, and the rate per project."""

    logstores: int
    projects: int
    workers: int
    interval: float
    request_seconds: float
    rate: float

    def places(self) -> list[tuple[str, str]]:
        """Return the project and the key of each logstore."""
        return [
            (f"project-{number % self.projects}", f"store-{number}")
            for number in range(self.logstores)
        ]


class Polls:
    """The fake polls, with a record of when each began."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._throttles = {
            project: RequestRate(load.rate, start=load.rate) for project, _ in load.places()
        }
        self._never = threading.Event()
        self.began: dict[str, list[float]] = defaultdict(list)
        self.requests: dict[str, list[float]] = defaultdict(list)
        self.lost = 0

    def run(self, project: str, key: str) -> None:
        """Reserve a slot, wait for it, then for the response."""
        self.began[key].append(time.monotonic())
        throttle = self._throttles[project]
        self._never.wait(throttle.reserve() or 0.0)
        while (early := throttle.begin()) > 0:
            self._never.wait(early)
        self.requests[project].append(time.monotonic())
        self._never.wait(self._load.request_seconds)

    def lose(self, _key: object) -> None:
        """Count a run that was skipped."""
        self.lost += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The result of a side: lost runs, the mean period against the interval, and the cost.

    ``burst`` is the largest number of requests of one project that began within a second, against
    the rate. ``core`` is the share of one core that was used.
    """

    runs: int
    lost: int
    period: float
    burst: float
    core: float


def measure(
    load: Load, intervals: int, start: Callable[[Load, Polls], Callable[[], None]]
) -> Found:
    """Run a side for some intervals, after two intervals that do not count."""
    polls = Polls(load)
    stop = start(load, polls)
    try:
        time.sleep(2 * load.interval)
        since, cpu, lost = time.monotonic(), time.process_time(), polls.lost
        time.sleep(intervals * load.interval)
        until = time.monotonic()
        core = (time.process_time() - cpu) / (until - since)
        lost = polls.lost - lost
    finally:
        stop()
    runs = [[at for at in times if since <= at < until] for times in polls.began.values()]
    periods = [(each[-1] - each[0]) / (len(each) - 1) for each in runs if len(each) > 1]
    return Found(
        runs=sum(map(len, runs)),
        lost=lost,
        period=statistics.fmean(periods) / load.interval,
        burst=max(_burst(sorted(times)) for times in polls.requests.values()) / load.rate,
        core=core,
    )


def _burst(times: list[float]) -> int:
    """Return the largest number of instants within a second."""
    largest = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - 1.0:
            first += 1
        largest = max(largest, last - first + 1)
    return largest


def ours(load: Load, polls: Polls) -> Callable[[], None]:
    """Start the scheduler of the exporter, and return a function that stops it."""
    stopping = threading.Event()
    scheduler = Scheduler(
        stopping=stopping,
        on_skip=polls.lose,
        on_error=print,
    )
    scheduler.set_jobs(
        Job(
            key=key,
            interval=load.interval,
            run=lambda project=project, key=key: polls.run(project, key),  # type: ignore[misc]  # mypy cannot infer it
            pool=Pool(name=project, workers=load.workers),
        )
        for project, key in load.places()
    )
    scheduler.start()

    def stop() -> None:
        stopping.set()
        scheduler.stop()

    return stop


def common(load: Load, polls: Polls) -> Callable[[], None]:
    """Start interval jobs with jitter, spread over the first interval; return their stopper."""
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(load.workers * load.projects)}
    )
    scheduler.add_listener(polls.lose, EVENT_JOB_MAX_INSTANCES | EVENT_JOB_MISSED)
    for project, key in load.places():
        scheduler.add_job(
            polls.run,
            "interval",
            seconds=load.interval,
            jitter=random.uniform(0.0, 0.1) * load.interval,  # noqa: S311  not a secret
            args=[project, key],
            id=key,
        )
    scheduler.start()
    return lambda: scheduler.shutdown(wait=False)


def main() -> None:
    """Measure, and print a line for each side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logstores", type=int, default=10_000)
    parser.add_argument("--intervals", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="200 logstores at 0.5 s")
    options = parser.parse_args()
    load = Load(
        logstores=options.logstores,
        projects=max(1, options.logstores // 250),
        workers=8,
        interval=60.0,
        request_seconds=0.1,
        rate=10.0,
    )
    if options.quick:
        load = Load(
            logstores=200, projects=4, workers=8, interval=0.5, request_seconds=0.01, rate=200.0
        )
    print(
        f"{load.logstores} logstores of {load.projects} projects every {load.interval:g} s,"
        f" {load.request_seconds:g} s a request, {load.rate:g} a second and project"
    )
    for name, start in (("ours", ours), ("interval jobs with jitter", common)):
        found = measure(load, options.intervals, start)
        print(
            f"  {name:26} {found.runs} runs, {found.lost} lost, mean period"
            f" {found.period:.4f} of the interval, burst {found.burst:.2f} of the rate,"
            f" {100 * found.core:.1f} % of a core"
        )


if __name__ == "__main__":
    main()
