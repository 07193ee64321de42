"""The activities of a race, each in its own thread, until enough has happened."""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from itertools import cycle, product
from pathlib import Path

import requests

from exporter.simulator.world import World
from tests.process.race.history import (
    COMES,
    FAST,
    FULL,
    GOES,
    OF_SHAPE,
    OF_TARGETS,
    SLOW,
    STABLE,
    UP,
    Change,
    Key,
    Race,
)
from tests.process.race.oracle import Oracle, key_of
from tests.support.faulty_simulator import FaultySimulator
from tests.support.running import running
from tests.support.wait import wait_for

SECONDS = float(os.environ.get("SLS_EXPORTER_RACE_SECONDS", "6"))
SWITCH_SECONDS = 1e-5
KINDS = tuple(product((False, True), repeat=2))
"""Kinds of responses: whether in OpenMetrics, and whether compressed."""

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


def too_few(counts: Mapping[str, int], required: Mapping[str, int]) -> list[str]:
    """Return the things that happened less often than required."""
    return [
        f"{what}: {counts.get(what, 0)}"
        for what, least in required.items()
        if counts.get(what, 0) < least
    ]
