"""Drives a simulated world and the real exporter through virtual hours, and records what it shows.

Both run on one held clock; requests go over real HTTP. Nothing waits: between two instants at which
something happens there is no time. A slow service and a request that waits for its slot move the
clock. Events that are due then happen during the poll.
"""

import contextlib
import functools
import heapq
import itertools
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from exporter.app.assembly import Parts, assemble
from exporter.base.clock import Clock
from exporter.config.reader import parse
from exporter.config.schema import Config, MetricsConfig
from exporter.metrics.gzip_stream import plain
from exporter.metrics.polled_text import PolledText
from exporter.model.names import TargetKey
from exporter.simulator.errors import ServiceError
from exporter.simulator.server import DEFAULT_CREDENTIALS
from exporter.simulator.views import ShardTruth
from exporter.simulator.world import World
from exporter.sls.request_rate import START as START_RATE
from exporter.sls.request_rate import RequestRate
from tests.simulation.truth.service import FAST, Service, SlowSimulator
from tests.support.held_clock import HeldClock
from tests.support.scrape import parsed

START = 1_700_000_000.0
POLL_SECONDS = 60.0
POLL_PHASE = 50.0  # late after the full minutes, when consumers commit: the hardest to be right at
SCRAPE_SECONDS = 15.0
LATE_SECONDS = 0.001  # by which a thread wakes late
LOOK_SECONDS = 10.0  # how often Burrow asks for the ends of partitions
LOGSTORE = ("shop", "orders")
BY_GROUP = MetricsConfig.model_construct(granularity="group")
TROUBLED = "billing"  # the only group of most scenes
GROUP = (*LOGSTORE, TROUBLED)

_EVENT, _LOOK, _POLL, _SCRAPE = range(4)  # the order of things that happen at the same instant

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """The samples of one group in one scrape, by name and labels; none if the exporter is down.

    ``at`` is in seconds since the start of the scene, as everywhere here.
    """

    at: float
    samples: Mapping[str, Mapping[Labels, float]]

    def by_shard(self, name: str) -> dict[str, float]:
        """Return a metric by shard, the largest value of each: a maximum without the consumer."""
        values: dict[str, float] = {}
        for labels, value in self.samples.get(name, {}).items():
            shard = dict(labels).get("shard", "")
            values[shard] = max(value, values.get(shard, value))
        return values


@dataclass(frozen=True, slots=True)
class Look:
    """The actual state of a group in each shard at an instant; empty if the group is deleted."""

    at: float
    shards: Mapping[int, ShardTruth]


@dataclass(frozen=True, slots=True)
class Recording:
    """All observations of one group in one run of a scene."""

    frames: list[Frame] = field(default_factory=list)
    group_frames: list[Frame] = field(default_factory=list)
    """The same scrapes with ``metrics.granularity: group``, without the exporter's own metrics."""
    looks: list[Look] = field(default_factory=list)


class Stage:
    """A world with one logstore and its groups, an exporter that polls it, and a plan of events."""

    def __init__(
        self,
        *,
        shards: int = 2,
        groups: Sequence[str] = (TROUBLED,),
        ttl_days: int = 7,
        our_clock_ahead: float = 0.0,
        service: Service = FAST,
        consumers: Sequence[str] = (),
        is_listed: bool = False,
        lists_groups: bool = False,
    ) -> None:
        self.shards = shards
        self.consumers = consumers
        self.is_listed = is_listed
        self.lists_groups = lists_groups
        self.groups = groups
        self.held = HeldClock(START)
        self.world = World(wall=self.held.wall)
        self.world.create_project(LOGSTORE[0])
        self.world.create_logstore(*LOGSTORE, shards=shards, ttl_days=ttl_days)
        for group in groups:
            self.world.create_group(*LOGSTORE, group)
        self.simulator = SlowSimulator(
            self.world, service, pass_time=self._pass_time, monotonic=self.held.monotonic
        )
        self.recordings: Mapping[str, Recording] = {group: Recording() for group in groups}
        self._is_fast = service == FAST
        self._is_polling = False
        self._skipped_polls = 0
        self._clock = Clock(
            wall=lambda: self.held.wall() + our_clock_ahead, monotonic=self.held.monotonic
        )
        self._engine: Parts | None = None
        self._group_text = PolledText()
        self._plan: list[tuple[float, int, int, Callable[[], object]]] = []
        self._numbers = itertools.count()

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return self.held.wall() - START

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Plan an event."""
        self._put(seconds, _EVENT, action)

    def start_exporter(self) -> None:
        """Start the exporter without any stored state."""
        on_held_clock = functools.partial(
            RequestRate, monotonic=self.held.monotonic, wait=self._wait
        )
        self._engine = assemble(
            self._config(),
            environ={},
            clock=self._clock,
            start_rate=10_000.0 if self._is_fast else START_RATE,
            make_rate=RequestRate if self._is_fast else on_held_clock,
        )

    def stop_exporter(self) -> None:
        """Stop the exporter. Scrapes fail until it is started again."""
        if self._engine is not None:
            self._engine.close()
        self._engine = None

    def skip_poll(self) -> None:
        """Skip the next poll."""
        self._skipped_polls += 1

    def run(self, *, until: float, watch_from: float, poll_phase: float) -> Mapping[str, Recording]:
        """Live through the plan, with polls and scrapes from an instant on; return it by group."""
        with self.simulator:
            self.at(watch_from, self.start_exporter)
            self._repeat(watch_from, LOOK_SECONDS, _LOOK, self._look)
            self._repeat(watch_from + poll_phase, POLL_SECONDS, _POLL, self._poll)
            self._repeat(watch_from, SCRAPE_SECONDS, _SCRAPE, self._scrape)
            try:
                self._live(until)
            finally:
                self.stop_exporter()
        return self.recordings

    def _live(self, until: float) -> None:
        while self._plan and self._plan[0][0] <= until:
            at, _, _, action = heapq.heappop(self._plan)
            self.held.set(START + at)
            action()

    def _pass_time(self, seconds: float) -> None:
        until = self.now + seconds
        self._live(until)
        self.held.set(START + until)

    def _wait(self, event: threading.Event, seconds: float) -> bool:
        self._pass_time(seconds + LATE_SECONDS)
        return event.is_set()

    def _put(self, at: float, kind: int, action: Callable[[], object]) -> None:
        heapq.heappush(self._plan, (at, kind, next(self._numbers), action))

    def _repeat(self, at: float, interval: float, kind: int, action: Callable[[], None]) -> None:
        def act() -> None:
            self._repeat(at + interval, interval, kind, action)
            action()

        self._put(at, kind, act)

    def _poll(self) -> None:
        if self._skipped_polls:
            self._skipped_polls -= 1
        elif self._engine is not None and not self._is_polling:
            self._is_polling = True
            if self.is_listed or self.lists_groups:
                self._engine.manager.discover()
            self._engine.manager.poll(TargetKey(self.simulator.endpoint, *LOGSTORE))
            self._is_polling = False

    def _look(self) -> None:
        for group, recording in self.recordings.items():
            truths: Mapping[int, ShardTruth] = {}
            # Neither the logstore nor the group lasts through every scene.
            with contextlib.suppress(ServiceError):
                truths = self.world.truths(*LOGSTORE, group)
            recording.looks.append(Look(self.now, truths))

    def _scrape(self) -> None:
        by_shard = by_group = b""
        if self._engine is not None:
            by_shard = b"".join(self._engine.scrape().body)
            view, now = self._engine.store.view(), self.held.monotonic()
            by_group = b"".join(plain(self._group_text.write(view, BY_GROUP, now)))
        frames, group_frames = self._frames(by_shard), self._frames(by_group)
        for group, recording in self.recordings.items():
            recording.frames.append(frames(group))
            recording.group_frames.append(group_frames(group))

    def _frames(self, written: bytes) -> Callable[[str], Frame]:
        """Read a scrape; return the function of the frame of each group."""
        found: dict[str, dict[str, dict[Labels, float]]] = defaultdict(lambda: defaultdict(dict))
        for line in written.decode().splitlines():
            if line.startswith("sls_"):
                series, _, value = line.rpartition(" ")
                group, name, labels = _named(series)
                found[group][name][labels] = float(value)
        at = self.now
        return lambda group: Frame(at, {**found[""], **found[group]})

    def _config(self) -> Config:
        project, logstore = LOGSTORE
        pattern = f"{logstore}.*" if self.is_listed else logstore
        groups = [f"{group}.*" if self.lists_groups else group for group in self.groups]
        # One thread waits for one slot after the other, so that each run is the same.
        workers = 8 if self._is_fast else 1
        requests_per_second = 10_000 if self._is_fast else 100
        owners = f", consumers: [{', '.join(self.consumers)}]" if self.consumers else ""
        return parse(
            f"""\
credentials:
  access_key_id: {DEFAULT_CREDENTIALS.access_key_id}
  access_key_secret: {DEFAULT_CREDENTIALS.access_key_secret}
polling: {{timeout: 2s, workers: {workers}, requests_per_second: {requests_per_second}}}
projects:
  - project: {project}
    endpoint: {self.simulator.endpoint}
    logstores:
      - {{logstore: {pattern}, consumer_groups: [{", ".join(groups)}]{owners}}}
""",
            name="truth",
            environ={},
            base_dir=Path(),
        )


@functools.cache
def _named(series: str) -> tuple[str, str, Labels]:
    """Read the group, the name and the labels of a series, which come at every scrape."""
    (sample,) = parsed(f"{series} 0\n").samples
    group = sample.labels.get("consumer_group", "")
    return group, sample.name, tuple(sorted(sample.labels.items()))
