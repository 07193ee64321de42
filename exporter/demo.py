"""The demonstration: a simulator of the SLS API and the real exporter against it, on loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.base.clock import Clock
from exporter.config.models import Config
from exporter.config.reader import parse
from exporter.simulator.demo_world import DEMO_CREDENTIALS, PLATFORM, SHOP, build_demo_world
from exporter.simulator.server import Simulator

CONFIG = """\
credentials:
  access_key_id: {key_id}
  access_key_secret: {key_secret}
signature: v4
polling: {{interval: 5s, stale_after: 30s, requests_per_second: 200}}
discovery: {{interval: 15s}}
projects:
  - project: {shop}
    endpoint: {endpoint}
    region: cn-shanghai
    logstores:
      - {{logstore: ".*", consumer_groups: [".*"]}}
  - project: {platform}
    endpoint: {endpoint}
    region: cn-shanghai
    logstores:
      - {{logstore: audit, consumer_groups: [expired, steady]}}
"""


@contextmanager
def demo_config(clock: Clock) -> Iterator[Config]:
    """Run the simulated world, and give the configuration that watches it."""
    world = build_demo_world(clock.wall)
    with Simulator(world, credentials=[DEMO_CREDENTIALS]) as simulator:
        text = CONFIG.format(
            key_id=DEMO_CREDENTIALS.access_key_id,
            key_secret=DEMO_CREDENTIALS.access_key_secret,
            shop=SHOP,
            platform=PLATFORM,
            endpoint=simulator.endpoint,
        )
        yield parse(text, name="demo", environ={}, base_dir=Path())
