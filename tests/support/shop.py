"""A small world, and a configuration for it."""

import time
from pathlib import Path

from exporter.simulator.world import World
from tests.support.keys import CREDENTIALS

UNREACHABLE = """\
credentials: {access_key_id: id, access_key_secret: secret-of-the-key}
projects:
  - project: shop
    endpoint: http://127.0.0.1:1
    logstores: [{logstore: orders, consumer_groups: [billing]}]
"""
"""A configuration whose endpoint refuses connections."""


def config_file(
    folder: Path, endpoint: str, *, name: str = "orders", polling: str = "interval: 1s"
) -> Path:
    """Write a configuration for the consumer group of the world in logstores by name."""
    path = folder / "config.yaml"
    path.write_text(
        f"{CREDENTIALS}polling: {{{polling}}}\n"
        f"projects:\n  - project: shop\n    endpoint: {endpoint}\n    logstores:\n"
        f'      - {{logstore: "{name}", consumer_groups: [billing]}}\n'
    )
    return path


def shop() -> World:
    """Return a world with one consumer group and one shard."""
    world = World(wall=time.time)
    world.create_project("shop")
    world.create_logstore("shop", "orders", shards=1)
    world.create_group("shop", "orders", "billing")
    return world
