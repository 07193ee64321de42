"""A poller against a simulated world on a held clock, with a record of its reports."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from exporter.base.clock import Clock
from exporter.config.patterns import Pattern
from exporter.evaluation.shard import stalled_seconds, state
from exporter.model.names import TargetKey
from exporter.model.progress import ShardProgress, State
from exporter.model.snapshot import GroupStatus, TargetStatus
from exporter.polling.logstore_reader import LogstoreReader
from exporter.polling.poller import SMALL_EFFORT, Effort, Poller
from exporter.polling.targets import GroupTarget, Target
from exporter.simulator.world import World
from exporter.sls.errors import SlsError
from tests.support.faulty_simulator import FaultySimulator
from tests.support.held_clock import HeldClock
from tests.support.settings import project_settings
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT, small_world
from tests.support.sls_client import rig
from tests.support.snapshots import ENDPOINT

STALE_AFTER = 180.0
REFRESH_SECONDS = 300.0
KEY = TargetKey(ENDPOINT, PROJECT, LOGSTORE)


@dataclass(kw_only=True)
class Observed:
    """Reports of a poller in addition to its results."""

    failures: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    access: list[str | None] = field(default_factory=list)
    retention: list[str | None] = field(default_factory=list)
    distrusted: int = 0

    def poll_failed(self, key: TargetKey, consumer_group: str, error: SlsError) -> None:
        assert key == KEY
        self.failures.append((consumer_group, error.code))

    def entries_skipped(self, key: TargetKey, consumer_group: str, faults: tuple[str, ...]) -> None:
        assert key == KEY
        self.skipped.append((consumer_group, faults))

    def retention_access_changed(self, key: TargetKey, error: SlsError | None) -> None:
        assert key == KEY
        self.retention.append(error.code if error else None)

    def times_distrusted(self, key: TargetKey) -> None:
        assert key == KEY
        self.distrusted += 1

    def cursor_access_changed(self, key: TargetKey, error: SlsError | None) -> None:
        assert key == KEY
        self.access.append(error.code if error else None)


@dataclass(kw_only=True)
class Bench:
    """A poller with its world; each poll passes its results to the next one."""

    held: HeldClock
    world: World
    simulator: FaultySimulator
    poller: Poller
    observed: Observed
    status: TargetStatus | None = None
    effort: Effort = SMALL_EFFORT
    published: list[GroupStatus] = field(default_factory=list)
    """Group statuses that polls published while they ran."""

    def poll(self, *, after: float = 0.0) -> TargetStatus:
        """Let time pass, then poll."""
        self.held.advance(after)
        self.status = self.poller.poll(
            self.status, effort=self.effort, publish=self.published.append
        )
        return self.status

    def group(self, name: str = GROUP) -> GroupStatus:
        """Return a group after the newest poll."""
        assert self.status is not None
        return next(group for group in self.status.groups if group.key.consumer_group == name)

    def shards(self, name: str = GROUP) -> dict[int, ShardProgress]:
        """Return the shards of a group's last successful snapshot, by number."""
        snapshot = self.group(name).snapshot
        assert snapshot is not None
        return {shard.shard: shard for shard in snapshot.shards}

    def shown(self, name: str = GROUP) -> set[int]:
        """Return the numbers of the shards that are shown."""
        snapshot = self.group(name).snapshot
        assert snapshot is not None
        return {shard.shard for shard in snapshot.shown}

    def state(self, shard: int = 0, name: str = GROUP) -> State:
        """Return the current state of a shard."""
        stall_after = self.group(name).settings.stall_after
        return state(self.shards(name)[shard], self.held.wall(), stall_after=stall_after)

    def stalled(self, shard: int = 0) -> float | None:
        """Return how long a shard has been stalled, in seconds; None if unknown."""
        return stalled_seconds(self.shards()[shard], self.held.wall())

    def calls(self) -> dict[str, int]:
        """Return the requests per operation since the previous call, and forget them."""
        operations = [record.operation for record in self.simulator.requests]
        self.simulator.forget_requests()
        return {operation: operations.count(operation) for operation in sorted(set(operations))}


@contextlib.contextmanager
def bench(
    *,
    shards: int = 1,
    ttl_days: int = 7,
    groups: tuple[GroupTarget, ...] = (GroupTarget(name=GROUP),),
    lag: bool = True,
    our_clock_ahead: float = 0.0,
    effort: Effort = SMALL_EFFORT,
) -> Iterator[Bench]:
    """Set up a world with one logstore, and a poller of some of its groups.

    The world is by the held clock; that of the poller may be some seconds ahead.
    """
    held, world = small_world(shards=shards, ttl_days=ttl_days)
    observed = Observed()
    clock = Clock(wall=lambda: held.wall() + our_clock_ahead, monotonic=held.monotonic)
    with (
        FaultySimulator(world) as simulator,
        rig(
            simulator.endpoint,
            project=PROJECT,
            clock=clock,
            uniform=lambda _low, _high: 0.0,
        ) as made,
    ):
        settings = project_settings(
            simulator.endpoint,
            lag=lag,
            stale_after=STALE_AFTER,
            requests_per_second=10_000.0,
        )
        target = Target(key=KEY, groups=groups, settings=settings, refresh_seconds=REFRESH_SECONDS)
        logstore = LogstoreReader(target, made.client, clock=clock, observer=observed)
        poller = Poller(target, made.client, logstore=logstore, clock=clock, observer=observed)
        yield Bench(
            held=held,
            world=world,
            simulator=simulator,
            poller=poller,
            observed=observed,
            effort=effort,
        )


def owners(*texts: str) -> tuple[Pattern, ...]:
    """Return patterns of owners."""
    return tuple(Pattern.parse(text) for text in texts)
