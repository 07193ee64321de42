"""The observation of one case by scrapes of the daemon and counters of the fake SLS."""

import math
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from benchmarks.cases import Case, Figures, Settings, config
from benchmarks.daemon import Daemon, Scrape, daemon
from benchmarks.moving import Place
from benchmarks.standin import REFUSED, Standin
from exporter.metrics import catalogue, self_catalogue

_START_SECONDS = 30.0
"""The time in which the daemon has to serve."""

_PAUSE, _SLOW_PAUSE, _STEADY_PAUSE = 0.2, 2.0, 15.0
_MINUTE = 60.0
_LATEST_INTERVALS = 1.5
"""The intervals after which a dead consumer counts as not detected."""

Requests = Sequence[tuple[float, dict[str, int]]]


class Sample(Struct, frozen=True, kw_only=True):
    """The part of a scrape that the figures need; cpu_seconds is without all scrapes so far."""

    at: float
    cpu_seconds: float
    total_cpu_seconds: float
    ages: int
    states: int
    polls: float
    polls_skipped: float
    poll_seconds: float
    dead_stalled: float
    false_stalls: int


class Run(Struct, frozen=True, kw_only=True):
    """The observations of a run; due is when the dead consumer has to be shown as stalled."""

    samples: Sequence[Sample]
    requests: Requests
    started_at: float
    due: float
    peak_megabytes: float
    standin_cpu_seconds: float


class Watch:
    """The samples of one run."""

    def __init__(self, case: Case, settings: Settings, dead: Place) -> None:
        self._case = case
        self._stall_after = settings.stall_after
        self._dead = {
            f'project="{dead.project}"',
            f'logstore="{dead.logstore}"',
            f'consumer_group="{dead.group}"',
            f'shard="{dead.shard}"',
        }
        self._scrapes_cpu = 0.0
        self.samples: list[Sample] = []

    def add(self, scrape: Scrape) -> None:
        """Take what the figures need from a scrape."""
        states = list(scrape.samples(catalogue.GROUP_SHARDS.name))
        known = sum(value for labels, value in states if 'state="unknown"' not in labels)
        stalled = [
            (labels, value)
            for labels, value in scrape.samples(catalogue.STALLED.name)
            if value > self._stall_after
        ]
        dead = sum(value for labels, value in stalled if self._dead <= set(labels.split(",")))
        self.samples.append(
            Sample(
                at=scrape.at,
                cpu_seconds=scrape.cpu_before - self._scrapes_cpu,
                total_cpu_seconds=scrape.cpu_before,
                ages=scrape.count(catalogue.CHECKPOINT_AGE.name),
                states=min(int(known), scrape.count(catalogue.STALLED.name)),
                polls=scrape.total(self_catalogue.POLLS.name),
                polls_skipped=scrape.total(self_catalogue.POLLS_SKIPPED.name),
                poll_seconds=scrape.total(f"{self_catalogue.POLL_DURATION.name}_sum"),
                dead_stalled=dead,
                false_stalls=len(stalled) - bool(dead),
            )
        )
        self._scrapes_cpu += scrape.cpu_after - scrape.cpu_before

    @property
    def is_complete(self) -> bool:
        """True if the state of every shard of every group is known."""
        return bool(self.samples) and self.samples[-1].states >= self._case.pairs

    @property
    def has_detected(self) -> bool:
        """True if the newest scrape shows that the dead consumer is stalled."""
        return bool(self.samples) and self.samples[-1].dead_stalled > 0


def observe(case: Case, settings: Settings, served: Standin) -> Figures:
    """Run the exporter for some intervals, until it has detected a dead consumer or should have."""
    with daemon(config(case, settings, served.url)) as running:
        dead, died_at = served.kill_one()
        due = died_at + settings.stall_after
        watch = Watch(case, settings, dead)
        earliest = max(due, running.started_at + settings.intervals * settings.interval)
        latest = max(earliest, due) + _LATEST_INTERVALS * settings.interval
        while time.time() < latest and not (time.time() >= earliest and watch.has_detected):
            scrape = running.scrape()
            if scrape is not None:
                watch.add(scrape)
            else:
                assert time.time() - running.started_at < _START_SECONDS, "it does not serve"
            time.sleep(_pause(scrape, watch, running, due))
        run = Run(
            samples=watch.samples,
            requests=served.requests(),
            started_at=running.started_at,
            due=due,
            peak_megabytes=running.process.peak_megabytes(),
            standin_cpu_seconds=served.process.cpu_seconds(),
        )
    return figures(case, settings, run)


def _pause(scrape: Scrape | None, watch: Watch, running: Daemon, due: float) -> float:
    """Return a pause that resolves what comes next without keeping the daemon busy."""
    if scrape is None:
        return _PAUSE / 4
    now, shortest = time.time(), max(_PAUSE, 10 * scrape.seconds)
    if now >= due and not watch.has_detected:
        return shortest
    if watch.is_complete:
        return max(shortest, min(_STEADY_PAUSE, due - now if now < due else _STEADY_PAUSE))
    is_start = now - running.started_at < _START_SECONDS
    return shortest if is_start else max(shortest, _SLOW_PAUSE)


def figures(case: Case, settings: Settings, run: Run) -> Figures:
    """Return the figures of a run."""
    samples = run.samples
    windows, operations = intervals(case, settings, run.requests, until=samples[-1].at)
    # The second poll begins after half an interval or more.
    steady = [each for each in samples if each.at >= samples[0].at + settings.interval / 2]
    first, last = (steady[0], steady[-1]) if steady else (samples[-1], samples[-1])
    polls, seconds = last.polls - first.polls, max(1e-9, last.at - first.at)

    def after(condition: Sequence[bool], start: float) -> float | None:
        found = (each.at for each, holds in zip(samples, condition, strict=True) if holds)
        return next((at - start for at in found), None)

    return Figures(
        case=case,
        settings=settings,
        http_after=samples[0].at - run.started_at,
        first_age_after=after([each.ages > 0 for each in samples], run.started_at),
        ages_after=after([each.ages >= case.pairs for each in samples], run.started_at),
        states_after=after([each.states >= case.pairs for each in samples], run.started_at),
        states=samples[-1].states,
        requests=windows,
        operations=operations,
        requests_per_second=sum(windows) / (len(windows) * settings.interval) if windows else 0.0,
        refused_share=refused_share(run.requests),
        polls=last.polls,
        polls_skipped=last.polls_skipped,
        poll_seconds=(last.poll_seconds - first.poll_seconds) / polls if polls else None,
        cpu_seconds=(last.cpu_seconds - first.cpu_seconds) / polls if polls else None,
        core_share=(last.total_cpu_seconds - first.total_cpu_seconds) / seconds,
        peak_megabytes=run.peak_megabytes,
        standin_core_share=run.standin_cpu_seconds / (samples[-1].at - run.started_at),
        detected_after=after([each.dead_stalled > 0 for each in samples], run.due),
        false_stalls=max(each.false_stalls for each in samples),
    )


def intervals(
    case: Case, settings: Settings, requests: Requests, *, until: float
) -> tuple[tuple[int, ...], dict[str, float]]:
    """Return the requests of each whole interval after the first poll, and means by operation.

    The intervals begin just before a poll begins, so that each of them holds one whole poll. They
    begin one interval after the first request if there are several logstores, whose polls are
    spread, or if the first poll is too long for the second to begin in time.
    """
    start = requests[0][0]
    begin = start + settings.interval
    if case.projects * case.logstores == 1:
        # A poll begins with checkpoints, half to one and a half intervals after the first poll.
        low, high = (start + factor * settings.interval for factor in (0.4, 1.6))
        polls = [at for at, found in requests if low <= at <= high and "GetCheckPoint" in found]
        begin = polls[0] - min(2.0, settings.interval / 4) if polls else begin
    count = max(0, math.floor((until - begin) / settings.interval))
    bounds = [begin + number * settings.interval for number in range(count + 1)]
    totals: list[int] = []
    operations: Counter[str] = Counter()
    for low, high in pairwise(bounds):
        found: Counter[str] = Counter()
        for at, counts in requests:
            if low <= at < high:
                found.update(counts)
        found.pop(REFUSED, None)
        totals.append(found.total())
        operations.update(found)
    return tuple(totals), {name: total / count for name, total in operations.most_common()}


def refused_share(requests: Requests) -> float:
    """Return the share of refused requests after the first minute."""
    counts: Counter[str] = Counter()
    for at, found in requests:
        if at >= requests[0][0] + _MINUTE:
            counts.update(found)
    refused = counts.pop(REFUSED, 0)
    return refused / counts.total() if counts else 0.0
