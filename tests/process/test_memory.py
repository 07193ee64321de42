"""A day of churn leaves nothing behind: the exporter's memory depends only on current objects."""

import gc
import logging
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from exporter.app.assembly import Parts, assemble
from exporter.config.reader import parse
from exporter.config.schema import MetricsConfig
from exporter.metrics.polled_text import PolledText
from exporter.model.names import TargetKey
from exporter.model.snapshot import GroupSnapshot
from exporter.polling import end_history
from exporter.simulator.server import DEFAULT_CREDENTIALS, Simulator
from exporter.simulator.world import World
from tests.support import snapshots
from tests.support.held_clock import HeldClock
from tests.support.snapshots import ENDPOINT

PROJECT, STEADY, GROUP = "shop", "steady", "billing"
SHARDS = 4
STEP_SECONDS = 900.0
HOUR_STEPS = 4
LIVES_STEPS = 3  # of objects that come and go
CONFIG = """
credentials: {{access_key_id: {key_id}, access_key_secret: {key_secret}}}
polling: {{interval: 60s, requests_per_second: 10000, workers: 1}}
projects:
  - project: shop
    endpoint: {endpoint}
    logstores: [{{logstore: ".*", consumer_groups: [".*"]}}]
"""


class Churn:
    """A world in which objects are added, removed and moved, and shards change owners."""

    def __init__(self) -> None:
        self.held = HeldClock(1_700_000_000.0)
        self.world = World(wall=self.held.wall)
        self.simulator = Simulator(self.world)
        self.world.create_project(PROJECT)
        self.world.create_logstore(PROJECT, STEADY, shards=SHARDS, ttl_days=1)
        self.world.create_group(PROJECT, STEADY, GROUP)
        self._numbers = count()

    def step(self) -> None:
        """Let 15 minutes pass."""
        self.held.advance(STEP_SECONDS)
        number = next(self._numbers)
        self._logstores(number)
        self._groups(number)
        for shard in range(SHARDS):
            self.world.write(PROJECT, STEADY, shard, 3)
            end = self.world.end_cursor(PROJECT, STEADY, shard)
            self.world.update_checkpoint(
                PROJECT, STEADY, GROUP, shard, end - shard % 3, consumer=f"worker-{number}-{shard}"
            )
        # In every third step, cursors cannot be read, which is an error of every logstore.
        (self.simulator.deny if number % 3 == 0 else self.simulator.allow)("GetCursor")
        self.simulator.forget_requests()

    def _logstores(self, number: int) -> None:
        name = f"short-{number}"
        self.world.create_logstore(PROJECT, name, shards=1 + number % 2)
        self.world.create_group(PROJECT, name, GROUP)
        self.world.write(PROJECT, name, 0, 5)
        self.world.split_shard(PROJECT, name, 0)
        if number >= LIVES_STEPS:
            self.world.delete_logstore(PROJECT, f"short-{number - LIVES_STEPS}")

    def _groups(self, number: int) -> None:
        self.world.create_group(PROJECT, STEADY, f"job-{number}")
        if number >= LIVES_STEPS:
            self.world.delete_group(PROJECT, STEADY, f"job-{number - LIVES_STEPS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Memory of the exporter: its objects and those of prometheus_client by type, and bytes.

    Bytes are those that its own lines have allocated. ``lines`` is the length of a scrape.
    Records that hold nothing but values are not tracked as objects: shards are counted in their
    snapshots, and the others, among them what is remembered of cursors, by their bytes alone.
    """

    objects: Counter[str]
    shards: int
    allocated: int
    lines: int


@contextmanager
def polled(churn: Churn) -> Iterator[Parts]:
    text = CONFIG.format(
        key_id=DEFAULT_CREDENTIALS.access_key_id,
        key_secret=DEFAULT_CREDENTIALS.access_key_secret,
        endpoint=churn.simulator.endpoint,
    )
    config = parse(text, name="test", environ={}, base_dir=Path())
    engine = assemble(config, environ={}, clock=churn.held.clock, start_rate=10_000.0)
    try:
        yield engine
    finally:
        engine.close()


def live(churn: Churn, engine: Parts, steps: int) -> bytes:
    """Live through some steps, each with discovery, polls and a scrape; return the last scrape."""
    text = b""
    for _ in range(steps):
        churn.step()
        engine.manager.discover()
        for target in engine.manager.targets:
            engine.manager.poll(target.key)
        text = b"".join(engine.scrape().body)
    return text


def held(text: bytes) -> Held:
    gc.collect()
    modules = ("exporter.", "prometheus_client.")
    tracked = gc.get_objects()
    shards = sum(len(each.shards) for each in tracked if isinstance(each, GroupSnapshot))
    names = (f"{type(each).__module__}.{type(each).__qualname__}" for each in tracked)
    objects = Counter(
        name
        for name in names
        if name.startswith(modules) and not name.startswith("exporter.simulator.")
    )
    ours = [
        tracemalloc.Filter(inclusive=True, filename_pattern="*/exporter/*"),
        tracemalloc.Filter(inclusive=False, filename_pattern="*/exporter/simulator/*"),
    ]
    snapshot = tracemalloc.take_snapshot().filter_traces(ours)
    allocated = sum(trace.size for trace in snapshot.traces)
    return Held(objects=objects, shards=shards, allocated=allocated, lines=text.count(b"\n"))


def test_a_day_of_churn_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "exporter")  # otherwise pytest keeps every record
    churn = Churn()
    with churn.simulator, polled(churn) as engine:
        live(churn, engine, 2 * end_history.STEPS)  # after that, no history grows any more
        tracemalloc.start()
        try:
            early = held(live(churn, engine, 3 * HOUR_STEPS))
            late = held(live(churn, engine, 18 * HOUR_STEPS))
        finally:
            tracemalloc.stop()
    assert early.shards > SHARDS
    assert (late.objects, late.shards) == (early.objects, early.shards)
    assert late.lines == early.lines
    # Numbers in names grow by a digit; a leak of one label per step would be several times that.
    assert late.allocated - early.allocated < 0.02 * early.allocated + 4096


def test_the_garbage_collection_has_little_to_look_through() -> None:
    # A full collection stops the process while it visits all tracked objects.
    groups, shards = 20, 64
    text = PolledText()
    statuses = []
    gc.collect()
    before = len(gc.get_objects())
    for number in range(groups):
        key = TargetKey(ENDPOINT, "shop", f"orders-{number}")
        behind = (
            snapshots.shard(each, unread=each, oldest_unread_at=9.0) for each in range(shards)
        )
        status = snapshots.target(snapshots.group(*behind, key=key), key=key)
        text.prepare(status, MetricsConfig())
        statuses.append(status)
    gc.collect()
    tracked = len(gc.get_objects()) - before
    assert tracked / groups < 30
