"""A simulated account with two projects, and engines over configurations for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.app.assembly import Parts, assemble
from exporter.config.reader import parse
from exporter.polling.scope import EVERYTHING, Scope
from exporter.simulator.world import World
from tests.support.faulty_simulator import FaultySimulator
from tests.support.held_clock import HeldClock
from tests.support.keys import CREDENTIALS
from tests.support.scrape import Scrape, scrape

NOW = 1_800_000_000.0

HEAD = f"""\
{CREDENTIALS}polling: {{requests_per_second: 10000}}
lag: false
"""


class Fleet:
    """A simulated account, and an engine over a configuration for it."""

    def __init__(self) -> None:
        self.clock = HeldClock(NOW)
        self.world = World(wall=self.clock.clock.wall)
        self.simulator = FaultySimulator(self.world)

    def engine(self, projects: str, *, head: str = HEAD, scope: Scope = EVERYTHING) -> Parts:
        """Make an engine; ENDPOINT in the text stands for that of the service."""
        text = head + projects.replace("ENDPOINT", self.simulator.endpoint)
        config = parse(text, name="config.yaml", environ={}, base_dir=Path())
        return assemble(
            config, environ={}, clock=self.clock.clock, scope=scope, start_rate=10_000.0
        )

    def discover(self, engine: Parts) -> list[str]:
        """Resolve names again, and return the groups as project/logstore/group."""
        engine.manager.discover()
        return names(engine)

    def poll(self, engine: Parts) -> Scrape:
        """Poll all targets, and scrape."""
        for target in engine.manager.targets:
            engine.manager.poll(target.key)
        return scrape(engine)


def names(engine: Parts) -> list[str]:
    """Return the groups that are polled, as project/logstore/group."""
    return [
        f"{target.key.project}/{target.key.logstore}/{group.name}"
        for target in engine.manager.targets
        for group in target.groups
    ]


@contextmanager
def shop(world: World) -> Iterator[None]:
    """Two projects: shop with app-1, app-2 and web, and bank with ledger."""
    for project, logstores in {"shop": ("app-1", "app-2", "web"), "bank": ("ledger",)}.items():
        world.create_project(project)
        for logstore in logstores:
            world.create_logstore(project, logstore)
            for group in ("billing", "etl-system"):
                world.create_group(project, logstore, group)
    yield


@contextmanager
def running_fleet() -> Iterator[Fleet]:
    """Run the account's service until the block ends."""
    fleet = Fleet()
    with fleet.simulator, shop(fleet.world):
        yield fleet
