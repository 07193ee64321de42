"""The daemon inside the test's process, over a configuration file that the test may change."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from exporter.app.daemon import Daemon, Options
from exporter.app.health import DEFAULT_STUCK_AFTER, StuckAfter
from exporter.base.clock import SYSTEM_CLOCK, Clock
from exporter.config.reader import load
from exporter.sls.request_rate import START
from exporter.web.listen import ListenAddress
from tests.support.scrape import Scrape, parsed


@dataclass(frozen=True, slots=True)
class Running:
    """A running daemon."""

    daemon: Daemon
    config: Path

    @property
    def url(self) -> str:
        """The URL of the server."""
        return self.daemon.addresses[0].url("http")

    def get(self, path: str) -> requests.Response:
        """Send it a GET request."""
        return requests.get(self.url + path, timeout=10)

    def post(self, path: str) -> requests.Response:
        """Send it a POST request."""
        return requests.post(self.url + path, timeout=10)

    def scrape(self) -> Scrape:
        """Scrape it."""
        return parsed(self.get("/metrics").text)


@contextmanager
def running(
    config: Path,
    *,
    enable_lifecycle: bool = False,
    watched: bool = False,
    stuck_after: StuckAfter = DEFAULT_STUCK_AFTER,
    clock: Clock = SYSTEM_CLOCK,
    start_rate: float = START,
) -> Iterator[Running]:
    """Run the daemon on a free port until the block ends."""
    options = Options(
        listen=[ListenAddress(host="127.0.0.1", port=0)],
        enable_lifecycle=enable_lifecycle,
        watched_file=config if watched else None,
        start_rate=start_rate,
    )
    daemon = Daemon(
        lambda: load(config, environ={}), options, environ={}, clock=clock, stuck_after=stuck_after
    )
    daemon.start()
    try:
        yield Running(daemon, config)
    finally:
        daemon.stop()
