"""Concurrent scrapes, polls, reloads, discovery and changes, with very frequent thread switches.

The test keeps all responses and compares them afterwards with the state of the world at the time
of their requests. SLS_EXPORTER_RACE_SECONDS is the duration in seconds (default: 6).
"""

import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from exporter.config.schema import MetricsConfig
from exporter.metrics.polled_text import PolledText
from exporter.model.names import GroupKey, TargetKey
from exporter.model.snapshot import GroupStatus, TargetStatus
from exporter.simulator.world import World
from tests.process.race.activities import (
    LEAST_DONE,
    LEAST_MADE,
    SECONDS,
    all_asked,
    await_all,
    hostile_switching,
    prepared,
    run,
    too_few,
)
from tests.process.race.floor import Floor
from tests.process.race.history import FULL, UP, Variant
from tests.process.race.oracle import Oracle
from tests.support.descriptors import open_descriptors
from tests.support.faults import DelayUntil
from tests.support.faulty_simulator import FaultySimulator
from tests.support.running import running
from tests.support.snapshots import ENDPOINT
from tests.support.wait import wait_for


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


@pytest.mark.timeout(180 + 10 * SECONDS)
def test_every_response_is_correct_under_concurrent_changes(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    record_property: Callable[[str, object], None],
) -> None:
    caplog.set_level(logging.INFO)
    record_property("gil", getattr(sys, "_is_gil_enabled", lambda: True)())
    before = threading.active_count(), open_descriptors()
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
            lambda: (
                threading.active_count() <= before[0] + 60 and open_descriptors() <= before[1] + 60
            ),
            timeout=30,
            what=f"few more threads and descriptors than {before}",
        )
    wait_for(
        lambda: threading.active_count() <= before[0] and open_descriptors() <= before[1],
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
