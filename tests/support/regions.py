"""Two regions, each with its own account and access key, that have projects of the same names."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.app.assembly import Parts, assemble
from exporter.config.reader import parse
from exporter.config.schema import Config
from exporter.model.credentials import Credentials
from exporter.polling.scope import Scope
from exporter.polling.sharding import WHOLE, Sharding
from exporter.simulator.world import World
from tests.support.faulty_simulator import FaultySimulator
from tests.support.held_clock import HeldClock

NOW = 1_800_000_000.0
NAMES = ("north", "south")
HEAD = "polling: {requests_per_second: 10000}\nlag: false\n"


class Region:
    """One region with its service, which accepts only its own key."""

    def __init__(self, name: str, wall: Callable[[], float]) -> None:
        self.name = name
        self.world = World(wall=wall)
        self.key = Credentials(access_key_id=f"key-{name}", access_key_secret=f"secret-{name}")
        self.simulator = FaultySimulator(self.world, credentials=[self.key])

    @property
    def credentials(self) -> str:
        """The section ``credentials`` of the configuration."""
        return (
            f"{{access_key_id: {self.key.access_key_id},"
            f" access_key_secret: {self.key.access_key_secret}}}"
        )

    def add(self, project: str, logstore: str, *groups: str) -> None:
        """Create a logstore with groups, and the project if it does not exist."""
        if project not in {each.name for each in self.world.projects()}:
            self.world.create_project(project)
        self.world.create_logstore(project, logstore)
        for group in groups:
            self.world.create_group(project, logstore, group)

    def requested_groups(self) -> set[str]:
        """Return the groups whose checkpoints were requested. No request was refused."""
        requests = self.simulator.requests
        assert {each.status for each in requests} <= {200}
        return {each.consumer_group for each in requests if each.consumer_group}


class Regions:
    """Two regions, and engines over configurations for them."""

    def __init__(self, wall: Callable[[], float] | None = None) -> None:
        self.clock = HeldClock(NOW)
        self.north, self.south = (Region(name, wall or self.clock.wall) for name in NAMES)

    def entry(self, region: Region, project: str, logstore: str, more: str = "") -> str:
        """Return an item of ``projects`` for all consumer groups of a logstore."""
        return (
            f"- project: '{project}'\n"
            f"  endpoint: {region.simulator.endpoint}\n"
            f"  credentials: {region.credentials}\n"
            f"  logstores: [{{logstore: '{logstore}', consumer_groups: ['.*']}}]\n{more}"
        )

    def config(self, *entries: str, head: str = HEAD) -> Config:
        """Return a configuration with these items of ``projects``."""
        text = head + "projects:\n" + "".join(entries)
        return parse(text, name="config.yaml", environ={}, base_dir=Path())

    def engine(self, *entries: str, head: str = HEAD, sharding: Sharding = WHOLE) -> Parts:
        """Make an engine with these items of ``projects``."""
        config = self.config(*entries, head=head)
        return assemble(
            config,
            environ={},
            clock=self.clock.clock,
            start_rate=10_000.0,
            scope=Scope(sharding=sharding),
        )


def polled(engine: Parts) -> set[tuple[str, str]]:
    """Discover, and return the endpoints and logstores that are polled."""
    engine.manager.discover()
    return {(each.key.sls_endpoint, each.key.logstore) for each in engine.manager.targets}


@contextmanager
def running_regions(wall: Callable[[], float] | None = None) -> Iterator[Regions]:
    """Run the services of both regions until the block ends, by default on a held clock."""
    regions = Regions(wall)
    with regions.north.simulator, regions.south.simulator:
        yield regions
