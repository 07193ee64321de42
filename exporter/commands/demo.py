"""The demonstration: the real exporter polls a simulator of the SLS API on loopback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.app.daemon import Daemon, Options
from exporter.base.clock import SYSTEM_CLOCK, Clock
from exporter.commands.flags import DEFAULT_PORT, Flags
from exporter.commands.run import serve
from exporter.commands.signals import signals
from exporter.config.reader import parse
from exporter.config.schema import Config
from exporter.simulator.demo_world import DEMO_CREDENTIALS, PLATFORM, SHOP, build_demo_world
from exporter.simulator.server import Simulator
from exporter.web.listen import ListenAddress, ListenError

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


def run_demo(flags: Flags) -> int:
    """Poll the simulated world and serve its metrics until a signal requests a stop."""

    def announce(daemon: Daemon) -> None:
        url = daemon.url
        sys.stdout.write(
            f"Status page: {url}/\n"
            f"Metrics:     {url}{flags.web_telemetry_path}\n"
            "Stop with Ctrl-C.\n"
        )
        sys.stdout.flush()

    with signals() as asked, demo_config(SYSTEM_CLOCK) as config:
        options = Options(
            listen=flags.web_listen_address or (_free_address(),),
            telemetry_path=flags.web_telemetry_path,
            max_requests=flags.web_max_requests,
            web_config_file=flags.web_config_file,
            enable_lifecycle=flags.web_enable_lifecycle,
        )
        serve(lambda: config, options, asked, announce=announce)
    return 0


@contextmanager
def demo_config(clock: Clock) -> Iterator[Config]:
    """Run the simulated world and yield a configuration that polls it."""
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


def _free_address() -> ListenAddress:
    """Return the default port on loopback, or a free port if another process uses it."""
    usual = ListenAddress(host="127.0.0.1", port=DEFAULT_PORT)
    try:
        usual.bind().close()
    except ListenError:
        return ListenAddress(host="127.0.0.1", port=0)
    return usual
