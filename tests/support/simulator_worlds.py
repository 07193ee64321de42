"""Small worlds on a held clock for the tests of the simulator."""

from exporter.simulator.world import World
from tests.support.held_clock import HeldClock

START = 1_700_000_000.0
PROJECT = "shop"
LOGSTORE = "orders"
GROUP = "billing"


def small_world(*, shards: int = 1, ttl_days: int = 7) -> tuple[HeldClock, World]:
    """Return a clock and a world of one project, one logstore and one group, still without data."""
    held = HeldClock(START)
    world = World(wall=held.wall)
    world.create_project(PROJECT)
    world.create_logstore(PROJECT, LOGSTORE, shards=shards, ttl_days=ttl_days)
    world.create_group(PROJECT, LOGSTORE, GROUP)
    return held, world
