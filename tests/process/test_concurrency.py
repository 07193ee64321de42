"""Concurrent scrapes, polls, reloads, discovery and changes, with very frequent thread switches.

The test keeps all responses and compares them afterwards with the state of the world at the time
of their requests. SLS_EXPORTER_RACE_SECONDS is the duration in seconds (default: 6).
"""

import heapq
import json
import logging
import math
import os
import random
import re
import sys
import threading
import time
import zlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle, pairwise, product
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import pytest
import requests
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families as text_families
from prometheus_client.samples import Sample

from exporter.config.schema import MetricsConfig
from exporter.metrics.polled_text import PolledText
from exporter.model.names import GroupKey, TargetKey
from exporter.model.snapshot import GroupStatus, TargetStatus
from exporter.polling.store import Store
from exporter.simulator.server import DEFAULT_CREDENTIALS
from exporter.simulator.world import World
from tests.support.faults import DelayUntil
from tests.support.faulty_simulator import FaultySimulator
from tests.support.running import Running, running
from tests.support.scrape import Scrape
from tests.support.snapshots import ENDPOINT
from tests.support.wait import wait_for

SECONDS = float(os.environ.get("SLS_EXPORTER_RACE_SECONDS", "6"))
SWITCH_SECONDS = 1e-5
JOINED_SECONDS = 1.5
"""Maximum number of seconds by which a shared compressed response is older than its request."""
CLOCKS_SECONDS = 1.5
"""Maximum pause of a thread between reading two clocks, which makes an age too small."""
INTERVAL_SECONDS = 1.0
STALL_AFTER_SECONDS = 2.0
ROUNDS_TO_TAKE_OVER = 4
"""Number of listing rounds after which at least one was complete and not undone by a reload."""

UP = "sls_consumer_group_up"
AGE = "sls_consumer_group_checkpoint_age_seconds"
UPDATED = "sls_consumer_group_checkpoint_update_timestamp_seconds"
UNREAD = "sls_consumer_group_unread_log_groups"
STALLED = "sls_consumer_group_stalled_seconds"
STATES = "sls_consumer_group_shards"
LAST_SUCCESS = "sls_consumer_group_last_success_timestamp_seconds"
ERRORS = "sls_exporter_poll_errors_total"
RELOADED = "sls_exporter_config_last_reload_successful"
POLLED = re.compile(
    "sls_(consumer_group|logstore)_.*|sls_exporter_((cursor|retention)_access|discovery_.*)"
)
KINDS = tuple(product((False, True), repeat=2))
"""Kinds of responses: whether in OpenMetrics, and whether compressed."""
OPENMETRICS = "application/openmetrics-text; version=1.0.0"

T = TypeVar("T")
Key = tuple[str, str, str]
"""Project, logstore and consumer group."""

STABLE: tuple[Key, ...] = tuple(
    (project, f"log-{number}", group)
    for project in ("a", "b", "c")
    for number in range(8)
    for group in ("main", "side")
)
# Groups that appear and disappear, in a permanent logstore or together with their logstore. Some
# change faster than the exporter can follow, but it must report them correctly afterwards.
FAST: tuple[tuple[Key, ...], ...] = (
    (("b", "log-9", "fast-0"),),
    (("b", "log-9", "fast-1"),),
    (("a", "churn-0", "main"), ("a", "churn-0", "side")),
)
SLOW: tuple[tuple[Key, ...], ...] = (
    (("a", "log-8", "slow"),),
    (("b", "log-8", "slow"),),
    (("a", "churn-1", "main"),),
    (("b", "churn-2", "main"),),
)
# A group that disappears and one that appears, once each, at the beginning.
GOES: Key = ("a", "churn-3", "main")
COMES: Key = ("b", "churn-4", "main")
FLEETING = frozenset(key for things in FAST for key in things)


# Minimum number of occurrences without which the test would prove little. Much more is usual.
LEAST_DONE = {
    **{f"scrapes, {openmetrics=}, {gzip=}": 10 for openmetrics, gzip in KINDS},
    **{f"responses of {path}": 10 for path in ("/", "/?state=stalled", "/api/v1/groups")},
    "responses of /-/healthy": 10,
    "reloads": 10,
    "reloads of other targets": 1,
    "refused reloads": 2,
    "changes of the world": 20,
    "moves of consumers": 100,
}
LEAST_MADE = {
    "presence of a group that stays": 200,
    "presence of a group that came": 1,
    "absence of a group that was deleted": 1,
    "absence of a group that is not configured": 5,
    "values of a shard": 50,
    "granularity": 10,
    "consumer label": 10,
    "outcomes of reloads": 2,
}
PATIENCE_SECONDS = 60.0
"""Maximum additional time in which a busy machine may reach these numbers."""


# The history of the world


class Change(NamedTuple, Generic[T]):
    """A value that something changed to, between two instants of the monotonic clock."""

    began: float
    ended: float
    value: T


def settled(changes: Sequence[Change[T]], holds: Callable[[T], bool], until: float) -> float | None:
    """Return when a value that surely still holds at ``until`` began to, or None if unsure."""
    since: float | None = None
    for change in changes:
        if change.began > until:
            break
        if not holds(change.value):
            since = None
        elif since is None:
            since = change.ended
    return since if since is not None and since <= until else None


@dataclass(frozen=True, slots=True)
class Frozen:
    """Shard 0 of a group, which no consumer moves: its unread log groups and its update time."""

    unread: int
    updated: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A configuration, as this test knows it and as the file says it."""

    name: str
    projects: tuple[str, ...] = ("a", "b", "c")
    logstores: str = ".*"
    exclude: str = "none"
    per_shard: bool = True
    consumer_label: bool = True
    workers: int = 6

    @property
    def targets(self) -> tuple[object, ...]:
        """Settings whose change discards the results of polls that are in progress."""
        return self.projects, self.logstores, self.exclude, self.workers

    def wants(self, key: Key) -> bool:
        return (
            key[0] in self.projects
            and re.fullmatch(self.logstores, key[1]) is not None
            and re.fullmatch(self.exclude, key[2]) is None
        )

    def text(self, endpoint: str) -> str:
        keys = DEFAULT_CREDENTIALS
        text = (
            f"credentials: {{access_key_id: {keys.access_key_id},"
            f" access_key_secret: {keys.access_key_secret}}}\n"
            "polling: {interval: 1s, timeout: 20s, stale_after: 5m, requests_per_second: 10000,"
            f" workers: {self.workers}}}\n"
            # Stalls are exact beyond this time, and need not be before.
            "stall_after: 2s\n"
            "discovery: {interval: 1s}\n"
            f"metrics: {{granularity: {'shard' if self.per_shard else 'group'},"
            f" consumer_label: {str(self.consumer_label).lower()}}}\nprojects:\n"
        )
        for project in self.projects:
            text += (
                f"  - project: {project}\n    endpoint: {endpoint}\n    logstores:\n"
                f'      - logstore: "{self.logstores}"\n        consumer_groups: [".*"]\n'
                f"        exclude_consumer_groups: [{self.exclude}]\n"
            )
        return text


FULL = Variant(name="full")
OF_SHAPE = (
    FULL,
    Variant(name="coarse", per_shard=False),
    Variant(name="bare", consumer_label=False),
)
NARROW = Variant(name="narrow", projects=("a", "b"), logstores="log-.*", exclude="side")
OF_TARGETS = (
    NARROW,
    Variant(name="lean", exclude="side|slow"),
    Variant(name="wide", workers=7),
)


class Answer(NamedTuple):
    """A response, and the instants of the monotonic clock before and after its request."""

    began: float
    ended: float
    openmetrics: bool
    gzip: bool
    body: bytes

    @property
    def since(self) -> float:
        """The earliest time at which the response can have been written."""
        return self.began - (JOINED_SECONDS if self.gzip else 0.0)


@dataclass
class Race:
    """The concurrent activities and their history."""

    world: World
    simulator: FaultySimulator
    exporter: Running
    over: threading.Event = field(default_factory=threading.Event)
    groups: dict[Key, list[Change[Frozen | None]]] = field(default_factory=dict)
    variants: list[Change[Variant]] = field(default_factory=list)
    outcomes: list[Change[bool]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    pages: list[bytes] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def goes_on(self, pause: float) -> bool:
        """Wait briefly so that other threads run. Return whether to continue."""
        return not self.over.wait(pause)

    # The world

    def create(self, key: Key, unread: int) -> Frozen:
        """Create a group whose first shard is stalled and whose second one may move."""
        self.world.create_group(*key)
        for shard in (0, 1):
            cursor = self.world.end_cursor(*key[:2], shard) - (0 if shard else unread)
            self.world.update_checkpoint(*key, shard, cursor, consumer="dead")
        updated = self.world.truth(*key, 0).updated_at
        assert updated is not None
        return Frozen(unread, updated)

    def create_logstore(self, project: str, logstore: str) -> None:
        self.world.create_logstore(project, logstore, shards=2)
        self.world.write(project, logstore, 0, 10)
        self.world.set_producer(project, logstore, 1, 0.3)

    def toggle(self, keys: Sequence[Key], unread: int) -> None:
        """Create or delete groups, together with their logstore if that is not one that stays."""
        began = time.monotonic()
        comes = self.groups[keys[0]][-1].value is None
        place = keys[0][:2]
        stays = place[1].startswith("log-")
        made: dict[Key, Frozen | None] = dict.fromkeys(keys)
        if comes:
            if not stays:
                self.create_logstore(*place)
            made = {key: self.create(key, unread) for key in keys}
        elif stays:
            self.world.delete_group(*keys[0])
        else:
            self.world.delete_logstore(*place)
        ended = time.monotonic()
        for key in keys:
            self.groups[key].append(Change(began, ended, made[key]))

    # The configuration

    def take_over(self, variant: Variant, *, twice: bool = False) -> None:
        """Reload a configuration. ``twice`` also sends a signal to reload it."""
        began = time.monotonic()
        self.write(variant.text(self.simulator.endpoint))
        if twice:
            self.exporter.daemon.request_reload()
        answer = self.exporter.post("/-/reload")
        assert (answer.status_code, answer.text) == (200, "reloaded\n")
        self.variants.append(Change(began, time.monotonic(), variant))
        self.outcomes.append(Change(began, time.monotonic(), True))  # noqa: FBT003  its value

    def refuse(self) -> None:
        """Reload an invalid configuration."""
        began = time.monotonic()
        self.write("projects: [{project: a}]\n")
        assert self.exporter.post("/-/reload").status_code == 500
        self.outcomes.append(Change(began, time.monotonic(), False))  # noqa: FBT003  its value

    def write(self, text: str) -> None:
        new = self.exporter.config.with_suffix(".new")
        new.write_text(text)
        new.replace(self.exporter.config)

    # Responses

    def scrape(self, session: requests.Session, *, openmetrics: bool, gzip: bool) -> None:
        headers = {
            "Accept": OPENMETRICS if openmetrics else "text/plain; version=0.0.4",
            "Accept-Encoding": "gzip" if gzip else "identity",
        }
        began = time.monotonic()
        url = self.exporter.url + "/metrics"
        with session.get(url, headers=headers, timeout=30, stream=True) as answer:
            body = answer.raw.read(decode_content=False)
        ended = time.monotonic()
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("application/openmetrics") is openmetrics
        assert answer.headers.get("Content-Encoding") == ("gzip" if gzip else None)
        if not gzip:
            body = zlib.compress(body, 1)
        self.answers.append(Answer(began, ended, openmetrics, gzip, body))


# Concurrent activities


def scraper(race: Race, *, openmetrics: bool, gzip: bool) -> None:
    with requests.Session() as session:
        while race.goes_on(0.15):
            race.scrape(session, openmetrics=openmetrics, gzip=gzip)
            race.done[f"scrapes, {openmetrics=}, {gzip=}"] += 1


def reader(race: Race) -> None:
    with requests.Session() as session:
        while race.goes_on(0.1):
            for path in ("/", "/?state=stalled", "/api/v1/groups", "/-/healthy"):
                answer = session.get(race.exporter.url + path, timeout=30)
                assert answer.status_code == 200, (path, answer.text)
                if path.startswith("/api"):
                    race.pages.append(answer.content)
                race.done[f"responses of {path}"] += 1
            assert session.get(race.exporter.url + "/-/ready", timeout=30).status_code in {200, 503}


def reloader(race: Race) -> None:
    chance = random.Random(1)  # noqa: S311  any order does
    of_targets = cycle(OF_TARGETS)
    while race.goes_on(chance.uniform(0.05, 0.4)):
        if chance.random() < 0.2:
            race.refuse()
            race.done["refused reloads"] += 1
            continue
        race.take_over(chance.choice(OF_SHAPE), twice=chance.random() < 0.3)
        race.done["reloads"] += 1
        # Change the set of targets rarely. Groups that came must be found again after each change,
        # and be polled four times for a comparison.
        if race.done["reloads"] % 40 == 3:
            race.take_over(next(of_targets))
            race.done["reloads of other targets"] += 1
            race.goes_on(0.5)


def churner(race: Race, things: Sequence[Sequence[Key]], pause: float) -> None:
    chance = random.Random(len(things))  # noqa: S311  any order does
    for keys in things:
        race.toggle(keys, unread=chance.randint(1, 9))
    while race.goes_on(chance.uniform(0.5, 1.5) * pause):
        race.toggle(chance.choice(things), unread=chance.randint(1, 9))
        race.done["changes of the world"] += 1


def mover(race: Race) -> None:
    chance = random.Random(3)  # noqa: S311  any order does
    while race.goes_on(0.02):
        race.world.assign(*chance.choice(STABLE), {chance.choice(("w-1", "w-2")): [1]})
        race.done["moves of consumers"] += 1


@contextmanager
def hostile_switching() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


@contextmanager
def prepared(folder: Path) -> Iterator[Race]:
    world = World(wall=time.time)
    with FaultySimulator(world) as simulator:
        config = folder / "config.yaml"
        config.write_text(FULL.text(simulator.endpoint))
        for project in ("a", "b", "c"):
            world.create_project(project)
        with running(config, enable_lifecycle=True, start_rate=10_000.0) as exporter:
            race = Race(world, simulator, exporter)
            race.variants.append(Change(0.0, 0.0, FULL))
            race.outcomes.append(Change(0.0, 0.0, True))  # noqa: FBT003  its value
            stays = (*STABLE, ("a", "log-8", ""), ("b", "log-8", ""), ("b", "log-9", ""))
            for place in dict.fromkeys(key[:2] for key in stays):
                race.create_logstore(*place)
            for number, key in enumerate(STABLE):
                made = race.create(key, 1 + number % 9)
                race.groups[key] = [Change(0.0, time.monotonic(), made)]
                for name, shards in (("w-1", [1]), ("w-2", [])):
                    world.start_consumer(*key, name, shards=shards, flush_interval=0.5)
            for key in (COMES, GOES, *(key for things in (*FAST, *SLOW) for key in things)):
                race.groups[key] = [Change(0.0, 0.0, None)]
            race.toggle([GOES], unread=5)
            yield race


def await_all(race: Race) -> None:
    """Wait until a scrape shows exactly the existing groups."""
    there = {key for key, changes in race.groups.items() if changes[-1].value is not None}
    wait_for(
        lambda: {key_of(each) for each in race.exporter.scrape().find(UP) if each.value} == there,
        timeout=60,
        what="all of the last configuration to be polled",
    )


def all_asked(race: Race) -> int:
    """Return the smallest number of checkpoint requests for a permanent group."""
    asked = Counter(
        (each.project, each.logstore, each.consumer_group)
        for each in race.simulator.requests
        if each.operation == "GetCheckPoint"
    )
    return min(asked[key] for key in STABLE)


def is_enough(race: Race) -> bool:
    """Return whether enough has happened for a meaningful comparison."""
    asked = Counter((each.operation, each.project) for each in race.simulator.requests)
    if asked["ListLogStores", "a"] < 10 or too_few(race.done, LEAST_DONE):
        return False
    oracle = Oracle(race)
    return any(oracle.comparable(answer, COMES) is not None for answer in race.answers[-20:])


def run(race: Race) -> None:
    """Run all activities concurrently."""
    tasks = [
        *(partial(scraper, race, openmetrics=each[0], gzip=each[1]) for each in KINDS),
        partial(scraper, race, openmetrics=False, gzip=True),  # with another of its kind
        partial(reader, race),
        partial(reader, race),
        partial(reloader, race),
        partial(churner, race, FAST, 0.2),
        partial(churner, race, SLOW, 1.5),
        partial(mover, race),
    ]
    with hostile_switching(), ThreadPoolExecutor(len(tasks)) as pool:
        race.toggle([GOES], unread=5)
        race.toggle([COMES], unread=6)
        futures = [pool.submit(task) for task in tasks]
        began = time.monotonic()
        while not wait(futures, timeout=0.5, return_when=FIRST_EXCEPTION).done:
            took = time.monotonic() - began
            if took >= SECONDS and (is_enough(race) or took >= SECONDS + PATIENCE_SECONDS):
                break
        race.over.set()
    for future in futures:
        future.result()


# Requirements for every response


def key_of(sample: Sample) -> Key:
    labels = sample.labels
    return labels["project"], labels["logstore"], labels["consumer_group"]


def families(answer: Answer) -> list[Metric]:
    """Parse a response as strictly as its format allows."""
    text = zlib.decompress(answer.body, 15 + 32).decode()
    parse = openmetrics_families if answer.openmetrics else text_families
    found: list[Metric] = list(parse(text))
    names = Counter(family.name for family in found)
    assert max(names.values()) == 1, "each family in one piece"
    assert all(family.type in {"gauge", "counter", "histogram", "info"} for family in found)
    series = Counter((each.name, *sorted(each.labels.items())) for each in samples_of(found))
    assert [each for each, count in series.items() if count > 1] == []
    return found


def samples_of(found: Iterable[Metric]) -> Iterator[Sample]:
    for family in found:
        yield from family.samples


class Poll(NamedTuple):
    """Instants of a poll of one group: after the first it began, before the last it had ended."""

    after: float
    asked: float
    before: float


def polls_that_count(asked: Sequence[float], cuts: Sequence[Change[Variant]]) -> Iterator[Poll]:
    """Yield the polls whose results were surely used, from the times of requests for a group.

    Each poll requests the group once, and polls of a logstore do not overlap. Only the poll of a
    target that was replaced may still send its request later, on a busy machine. So a poll has
    ended when the second request after its own arrives.
    """
    for poll in map(Poll, asked, asked[1:], asked[3:]):
        if not any(cut.began <= poll.before and cut.ended >= poll.after for cut in cuts):
            yield poll


@dataclass
class Oracle:
    """A prediction from the history of what a response may and what it must show."""

    race: Race
    made: Counter[str] = field(default_factory=Counter)
    """Number of comparisons by kind."""

    def __post_init__(self) -> None:
        self._to_wall = time.time() - time.monotonic()
        self._rounds: dict[str | None, list[float]] = {}
        polls: dict[tuple[str | None, ...], list[float]] = {}
        for each in sorted(self.race.simulator.requests, key=lambda record: record.received_at):
            if each.operation == "GetCheckPoint" and each.status == 200:
                place = (each.project, each.logstore, each.consumer_group)
                polls.setdefault(place, []).append(each.received_at)
            elif each.operation == "ListLogStores":
                self._rounds.setdefault(each.project, []).append(each.received_at)
        cuts = [
            after
            for before, after in pairwise(self.race.variants)
            if before.value.targets != after.value.targets
        ]
        self._polls = {place: list(polls_that_count(asked, cuts)) for place, asked in polls.items()}

    def check(self, answer: Answer) -> Sequence[Metric]:
        """Compare a response with the history, and return its metrics."""
        found = families(answer)
        scrape = Scrape(tuple(samples_of(found)))
        by_key: dict[Key, dict[str, list[Sample]]] = {}
        for sample in scrape.samples:
            if "consumer_group" in sample.labels:
                of_key = by_key.setdefault(key_of(sample), {})
                of_key.setdefault(sample.name, []).append(sample)
        for key in by_key.keys() - self.race.groups.keys():
            assert key[2] == "", f"never existed: {key}"
            assert key[1].startswith("churn-"), f"was always listed: {key}"
            assert by_key[key].keys() == {ERRORS}
        for key in self.race.groups:
            self._check_presence(answer, key, by_key.get(key, {}))
        for key, named in by_key.items():
            self._check_whole(key, named)
        self._check_shape(answer, scrape)
        polled = sum(1 for sample in scrape.samples if POLLED.fullmatch(sample.name))
        assert scrape.value("sls_exporter_series") == polled
        assert scrape.value("sls_exporter_series_dropped") == 0
        places = {key_of(sample)[:2] for sample in scrape.find(UP)}
        assert scrape.value("sls_exporter_targets") >= len(places)
        outcomes = self._possible(self.race.outcomes, answer)
        assert scrape.value(RELOADED) in outcomes
        self.made["outcomes of reloads"] += len(outcomes) == 1
        return found

    def _possible(self, changes: Sequence[Change[T]], answer: Answer) -> list[T]:
        """Return the values that may have been in force when a response was written."""
        last = max(i for i, change in enumerate(changes) if change.ended <= answer.since)
        return [change.value for change in changes[last:] if change.began <= answer.ended]

    def _check_presence(
        self, answer: Answer, key: Key, named: Mapping[str, Sequence[Sample]]
    ) -> None:
        if self._must_be_gone(answer, key):
            assert not named, f"gone, but shown: {key} {sorted(named)}"
            return
        poll = self.comparable(answer, key)
        if poll is None:
            return
        history = self.race.groups[key]
        frozen = [change.value for change in history if change.began <= answer.ended][-1]
        assert frozen is not None
        kind = "that stays" if key in STABLE else "that came"
        self.made[f"presence of a group {kind}"] += 1
        assert [sample.value for sample in named.get(UP, ())] == [1], f"{key} is not up"
        (success,) = named[LAST_SUCCESS]
        assert success.value > poll.asked + self._to_wall - 0.1, f"a poll of {key} is lost"
        self._check_values(answer, key, named, frozen, asked=poll.asked)

    def comparable(self, answer: Answer, key: Key) -> Poll | None:
        """Return the poll that a response must show or a later one, or None if not sure."""
        exists = settled(self.race.groups[key], lambda frozen: frozen is not None, answer.ended)
        wanted = settled(self.race.variants, lambda each: each.wants(key), answer.ended)
        if exists is None or wanted is None:
            return None
        polls = self._polls.get(key, [])
        last = bisect_right(polls, answer.since, key=lambda poll: poll.before) - 1
        if key in FLEETING or last < 0 or polls[last].after <= max(exists, wanted):
            return None
        return polls[last]

    def _must_be_gone(self, answer: Answer, key: Key) -> bool:
        unwanted = settled(self.race.variants, lambda each: not each.wants(key), answer.ended)
        if unwanted is not None and unwanted <= answer.since:
            # A reload is in force as soon as its request has a response.
            self.made["absence of a group that is not configured"] += 1
            return True
        history = self.race.groups[key]
        missing = settled(history, lambda frozen: frozen is None, answer.ended)
        if missing is None:
            return False
        gone = len(history) == 1 or self._rounds_after(key, missing) <= answer.since
        self.made["absence of a group that was deleted"] += gone
        return gone

    def _rounds_after(self, key: Key, instant: float) -> float:
        """Return when listings have surely detected and applied a change at an instant."""
        rounds = self._rounds.get(key[0], [])
        last = bisect_right(rounds, instant) + ROUNDS_TO_TAKE_OVER - 1
        return rounds[last] if last < len(rounds) else math.inf

    def _check_values(
        self,
        answer: Answer,
        key: Key,
        named: Mapping[str, Sequence[Sample]],
        frozen: Frozen,
        *,
        asked: float,
    ) -> None:
        if key in STABLE:
            assert ERRORS not in named, f"errors of {key}"
        if not all(variant.per_shard for variant in self._possible(self.race.variants, answer)):
            return
        values = {
            name: [sample.value for sample in named.get(name, ()) if sample.labels["shard"] == "0"]
            for name in (UNREAD, UPDATED, AGE, STALLED)
        }
        assert values[UNREAD] == [frozen.unread], key
        assert values[UPDATED] == [pytest.approx(frozen.updated, abs=1e-4, rel=0)], key
        # A stall counts on for one interval after the last poll, an age for as long as it is shown.
        started = self._to_wall - frozen.updated
        stall_until = min(answer.since, asked + INTERVAL_SECONDS)
        most = answer.ended + started + 0.1
        for name, until in ((AGE, answer.since), (STALLED, stall_until)):
            least = until + started - CLOCKS_SECONDS
            assert len(values[name]) == 1, (key, name)
            assert values[name][0] <= most, (key, name)
            if name == AGE or least > STALL_AFTER_SECONDS:
                assert least <= values[name][0], (key, name)
        self.made["values of a shard"] += 1

    @staticmethod
    def _check_whole(key: Key, named: Mapping[str, Sequence[Sample]]) -> None:
        """Check that the values of a group are consistent within one response."""
        states = {sample.labels["state"]: sample.value for sample in named.get(STATES, ())}
        if states:
            assert (len(states), sum(states.values())) == (7, 2), key
        for name, samples in named.items():
            if "shard" in samples[0].labels:
                shards = [sample.labels["shard"] for sample in samples]
                assert len(shards) == len(set(shards)), (key, name)
                assert all(sample.value >= 0 for sample in samples), (key, name)
        if AGE in named:
            known = 2 - states["unconsumed"]
            assert len(named[AGE]) == (known if "shard" in named[AGE][0].labels else 1), key

    def _check_shape(self, answer: Answer, scrape: Scrape) -> None:
        possible = self._possible(self.race.variants, answer)
        ages = scrape.find(AGE)
        if ages and len({variant.per_shard for variant in possible}) == 1:
            assert {"shard" in sample.labels for sample in ages} == {possible[0].per_shard}
            self.made["granularity"] += 1
        forms = {variant.per_shard and variant.consumer_label for variant in possible}
        if ages and len(forms) == 1:
            assert {"consumer" in sample.labels for sample in ages} == forms
            self.made["consumer label"] += 1


class Floor:
    """Lower bounds of counters: the highest values of responses that ended before a request."""

    def __init__(self) -> None:
        self._ended: list[tuple[float, int, Mapping[tuple[str, ...], float]]] = []
        self._highest: dict[tuple[str, ...], float] = {}

    def check(self, answer: Answer, found: Sequence[Metric]) -> None:
        """Compare a response. Responses must come in the order of the starts of their requests."""
        while self._ended and self._ended[0][0] <= answer.began - JOINED_SECONDS:
            for series, value in heapq.heappop(self._ended)[2].items():
                self._highest[series] = max(value, self._highest.get(series, value))
        values = dict(self._growing(found))
        for series, value in values.items():
            assert value >= self._highest.get(series, value), f"went back: {series}"
        heapq.heappush(self._ended, (answer.ended, id(answer), values))

    @staticmethod
    def _growing(found: Sequence[Metric]) -> Iterator[tuple[tuple[str, ...], float]]:
        for family in found:
            for sample in family.samples:
                labels = dict(sample.labels)
                labels.pop("consumer", None)
                counts = (
                    family.type not in {"gauge", "info"}
                    and sample.name != ERRORS
                    and is_always_configured(sample)
                )
                if counts or (
                    sample.name in {UPDATED, LAST_SUCCESS} and key_of(sample) in set(STABLE)
                ):
                    pairs = (text for pair in sorted(labels.items()) for text in pair)
                    yield (sample.name, *pairs), sample.value


def is_always_configured(sample: Sample) -> bool:
    """Return whether every configuration names the object of a sample, if it has one.

    The counters of a project or a group start again at 0 after a configuration without it.
    """
    if "consumer_group" not in sample.labels:
        return sample.labels.get("project", "") in {"", *NARROW.projects}
    key = key_of(sample)
    return key in STABLE and all(variant.wants(key) for variant in (*OF_SHAPE, *OF_TARGETS))


def assert_page_is_whole(body: bytes) -> None:
    page = json.loads(body)
    rows = [(row["project"], row["logstore"], row["consumer_group"]) for row in page["groups"]]
    assert len(rows) == len(set(rows))
    assert page["total"] == len(rows)
    # A listing that fails has a row as well, as that of a logstore that has just been deleted.
    groups = [row for row in page["groups"] if row["listing"] is None]
    assert page["summary"]["groups"] == len(groups)
    for row in page["groups"]:
        numbers = [shard["shard"] for shard in row["shards"]]
        assert numbers in ([], [0, 1])
        assert all((shard["age_seconds"] or 0) >= 0 for shard in row["shards"])


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  as it is


def assert_log_is_clean(records: Sequence[logging.LogRecord]) -> None:
    known = (
        "configuration reload failed, keeping the previous configuration",
        # A logstore or group can be deleted during its poll.
        "poll fails",
        "retention time cannot be read, so no alert about expiring data is possible",
    )
    bad = [
        record
        for record in records
        if record.levelno >= logging.WARNING and "Polls will be late" not in record.getMessage()
    ]
    assert {record.getMessage() for record in bad} <= {*known}
    assert all(record.exc_info is None for record in bad)


def too_few(counts: Mapping[str, int], required: Mapping[str, int]) -> list[str]:
    """Return the things that happened less often than required."""
    return [
        f"{what}: {counts.get(what, 0)}"
        for what, least in required.items()
        if counts.get(what, 0) < least
    ]


@pytest.mark.timeout(180 + 10 * SECONDS)
def test_every_response_is_correct_under_concurrent_changes(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    record_property: Callable[[str, object], None],
) -> None:
    caplog.set_level(logging.INFO)
    record_property("gil", getattr(sys, "_is_gil_enabled", lambda: True)())
    before = threading.active_count(), descriptors()
    with prepared(tmp_path) as race:
        await_all(race)
        wait_for(lambda: all_asked(race) >= 3, timeout=60, what="polls to compare with")
        run(race)
        race.take_over(FULL)
        await_all(race)
        with requests.Session() as session:
            race.scrape(session, openmetrics=True, gzip=False)
        # Three projects have 6 workers, each of which has a connection that the simulator serves in
        # a thread; listings, pages, the event loop and so on need a few more.
        wait_for(
            lambda: threading.active_count() <= before[0] + 60 and descriptors() <= before[1] + 60,
            timeout=30,
            what=f"few more threads and descriptors than {before}",
        )
    wait_for(
        lambda: threading.active_count() <= before[0] and descriptors() <= before[1],
        timeout=30,
        what=f"nothing left behind: {before}",
    )
    oracle, floor = Oracle(race), Floor()
    for answer in sorted(race.answers):
        floor.check(answer, oracle.check(answer))
    for body in race.pages:
        assert_page_is_whole(body)
    assert_log_is_clean(caplog.records)
    assert too_few(race.done | oracle.made, LEAST_DONE | LEAST_MADE) == []


# Races that have been there, each by itself


def test_polls_write_their_text_while_groups_are_forgotten() -> None:
    def status_of(logstore: str) -> TargetStatus:
        groups = tuple(
            GroupStatus(key=GroupKey(ENDPOINT, "shop", logstore, name), interval=60, stale_after=60)
            for name in ("a", "b", "c")
        )
        key = TargetKey(ENDPOINT, "shop", logstore)
        return TargetStatus(key=key, groups=groups, polled_monotonic=0.0, stale_after=60)

    text, config = PolledText(), MetricsConfig()
    statuses = [status_of(f"log-{number}") for number in range(200)]
    over = threading.Event()

    def poll() -> None:
        while not over.is_set():
            for status in statuses:
                text.prepare(status, config)

    with ThreadPoolExecutor(1) as pool, hostile_switching():
        polling = pool.submit(poll)
        try:
            until = time.monotonic() + 1.0
            while time.monotonic() < until:
                text.keep_only(group.key for each in statuses[:50] for group in each.groups)
        finally:
            over.set()
    polling.result()


def test_a_poll_that_ends_after_a_reload_brings_no_group_back() -> None:
    key = TargetKey(ENDPOINT, "shop", "orders")
    groups = tuple(
        GroupStatus(key=GroupKey(*key, name), interval=60, stale_after=60) for name in "ab"
    )
    store = Store()
    store.expect({key: {"a", "b"}})
    store.expect({key: {"a"}})
    store.put(TargetStatus(key=key, groups=groups, polled_monotonic=0.0, stale_after=60))
    assert [group.key.consumer_group for group in store.view().targets[0].groups] == ["a"]


def test_a_reload_has_its_names_listed_although_older_listings_are_under_way(
    tmp_path: Path,
) -> None:
    world = World(wall=time.time)
    for project in ("a", "b"):
        world.create_project(project)
        world.create_logstore(project, "log", shards=1)
        world.create_group(project, "log", "main")
    with FaultySimulator(world) as simulator:
        config = tmp_path / "config.yaml"
        texts = [
            Variant(name="of some", projects=projects)
            .text(simulator.endpoint)
            .replace("discovery: {interval: 1s}", "discovery: {interval: 1h}")
            for projects in (("a",), ("a", "b"))
        ]
        config.write_text(texts[0])
        # At the default rate of a start, a first poll can last until the next one is due.
        with running(config, enable_lifecycle=True, start_rate=10_000.0) as exporter:
            wait_for(lambda: len(exporter.scrape().find(UP)) == 1)
            simulator.forget_requests()
            answer = threading.Event()
            simulator.faults.add(DelayUntil(event=answer), operation="ListLogStores")
            assert exporter.post("/-/reload").status_code == 200
            wait_for(lambda: "ListLogStores" in {each.operation for each in simulator.requests})
            config.write_text(texts[1])
            assert exporter.post("/-/reload").status_code == 200
            answer.set()
            wait_for(lambda: len(exporter.scrape().find(UP)) == 2, what="the new project")
            assert exporter.scrape().value("sls_exporter_polls_skipped_total") == 0
