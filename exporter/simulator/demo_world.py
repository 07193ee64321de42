"""A world for demonstrations: two projects whose consumer groups are in different states.

The world is returned with a simulated past, so that it shows activity immediately. It then
continues with the wall clock, and its flush intervals are short enough to watch.
"""

from collections.abc import Callable
from itertools import cycle

from exporter.model.credentials import Credentials
from exporter.simulator.world import World

DEMO_CREDENTIALS = Credentials(
    access_key_id="demo-key",
    access_key_secret="demo-secret",  # noqa: S106  # opens only a simulator
)

SHOP = "demo-shop"
ORDERS = "orders"
CLICKS = "clicks"
NIGHTLY = "nightly-export"
PLATFORM = "demo-platform"
AUDIT = "audit"

IDLE = "idle"
STEADY = "steady"
SLOW = "slow"
STALLED = "stalled"
EXPIRED = "expired"
REBALANCING = "rebalancing"
UNCONSUMED = "unconsumed"

FLUSH_SECONDS = 10.0
REBALANCE_SECONDS = 90.0

_MINUTE = 60.0
_HOUR = 60 * _MINUTE


class _Past:
    """A wall clock that can be set to past instants and later continues as the real one."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._present = wall()
        self._held: float | None = self._present

    def __call__(self) -> float:
        return self._wall() if self._held is None else self._held

    def ago(self, seconds: float) -> None:
        self._held = self._present - seconds

    def over(self) -> None:
        self._held = None


def build_demo_world(wall: Callable[[], float]) -> World:
    """Build the world with a past of 36 hours before the wall clock's time."""
    past = _Past(wall)
    past.ago(36 * _HOUR)
    world = World(wall=past)
    _create(world)
    # Audit logs are kept for a day, so the unread logs of these consumers have expired.
    past.ago(30 * _HOUR)
    for shard in range(2):
        world.crash_consumer(PLATFORM, AUDIT, EXPIRED, f"auditor-{shard}")
    past.ago(12 * _HOUR)
    for shard in range(2):
        world.set_producer(SHOP, NIGHTLY, shard, None)
    past.ago(3 * _HOUR)
    _let_fall_behind(world)
    past.ago(2 * _HOUR)
    _split(world)
    past.ago(1 * _HOUR)
    _rebalance(world)
    past.ago(40 * _MINUTE)
    world.crash_consumer(SHOP, ORDERS, STALLED, "mailer-3")
    past.over()
    return world


def _create(world: World) -> None:
    for project, logstore, shards, ttl_days, interval in (
        (SHOP, ORDERS, 4, 7, 1.0),
        (SHOP, CLICKS, 2, 3, 0.5),
        (SHOP, NIGHTLY, 2, 30, 20.0),
        (PLATFORM, AUDIT, 2, 1, 5.0),
    ):
        if project not in {row.name for row in world.projects()}:
            world.create_project(project)
        world.create_logstore(project, logstore, shards=shards, ttl_days=ttl_days)
        for shard in range(shards):
            world.set_producer(project, logstore, shard, interval)
    for project, logstore, group, consumer, shards in (
        (SHOP, ORDERS, STEADY, "billing", 4),
        (SHOP, ORDERS, STALLED, "mailer", 4),
        (SHOP, CLICKS, STEADY, "funnel", 2),
        (SHOP, NIGHTLY, IDLE, "exporter", 2),
        (PLATFORM, AUDIT, EXPIRED, "auditor", 2),
        (PLATFORM, AUDIT, STEADY, "siem", 2),
    ):
        world.create_group(project, logstore, group)
        for shard in range(shards):
            name = f"{consumer}-{shard}"
            world.start_consumer(
                project, logstore, group, name, shards=[shard], flush_interval=FLUSH_SECONDS
            )
    world.create_group(SHOP, CLICKS, UNCONSUMED)


def _let_fall_behind(world: World) -> None:
    world.create_group(SHOP, ORDERS, SLOW)
    for shard in range(4):
        # Without a checkpoint it would begin with the oldest log group, 33 hours behind.
        end = world.end_cursor(SHOP, ORDERS, shard)
        world.update_checkpoint(SHOP, ORDERS, SLOW, shard, end)
        world.start_consumer(
            SHOP,
            ORDERS,
            SLOW,
            f"indexer-{shard}",
            shards=[shard],
            flush_interval=FLUSH_SECONDS,
            max_rate=0.8,
        )


def _split(world: World) -> None:
    """Split a shard while its consumer drains it and continues with the new ones."""
    children = world.split_shard(SHOP, CLICKS, 0)
    world.assign(SHOP, CLICKS, STEADY, {"funnel-0": children})


def _rebalance(world: World) -> None:
    names = [f"worker-{number}" for number in range(3)]
    world.create_group(SHOP, ORDERS, REBALANCING)
    for number, name in enumerate(names):
        world.start_consumer(
            SHOP, ORDERS, REBALANCING, name, shards=[number], flush_interval=FLUSH_SECONDS
        )
    world.assign(SHOP, ORDERS, REBALANCING, {names[0]: [3]})
    turns = cycle(range(1, len(names) + 1))

    def rebalance() -> None:
        turn = next(turns)
        for shard in range(4):
            owner = names[(shard + turn) % len(names)]
            world.assign(SHOP, ORDERS, REBALANCING, {owner: [shard]})

    world.every(REBALANCE_SECONDS, rebalance)
