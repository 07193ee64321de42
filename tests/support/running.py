"""The daemon inside the test's process, over a configuration file that the test may change."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from exporter.app import DEFAULT_PATIENCE, App, Options, Patience
from exporter.base.clock import SYSTEM_CLOCK, Clock
from exporter.config.reader import load
from exporter.web.listen import ListenAddress
from tests.support.scrape import Scrape, parsed


@dataclass(frozen=True, slots=True)
class Running:
    """A running daemon."""

    app: App
    config: Path

    @property
    def url(self) -> str:
        """Where it serves."""
        return self.app.addresses[0].url("http")

    def get(self, path: str) -> requests.Response:
        """Ask it over HTTP."""
        return requests.get(self.url + path, timeout=10)

    def post(self, path: str) -> requests.Response:
        """Ask it to do something."""
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
    patience: Patience = DEFAULT_PATIENCE,
    clock: Clock = SYSTEM_CLOCK,
) -> Iterator[Running]:
    """Run the daemon on a free port until the block ends."""
    options = Options(
        listen=[ListenAddress(host="127.0.0.1", port=0)],
        enable_lifecycle=enable_lifecycle,
        watched_file=config if watched else None,
    )
    app = App(lambda: load(config, environ={}), options, environ={}, clock=clock, patience=patience)
    app.start()
    try:
        yield Running(app, config)
    finally:
        app.stop()
