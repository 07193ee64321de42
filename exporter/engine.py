"""Everything below the HTTP server and the schedule: discovery, polls, the store, the metrics."""

import threading
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry

from exporter import status
from exporter.base.clock import Clock
from exporter.config import Config
from exporter.discovery import Discovery, Listings
from exporter.fleet import Clients, Fleet
from exporter.logs.logger import get_logger
from exporter.metrics import exposition
from exporter.metrics.counted import Counted
from exporter.metrics.own import OwnMetrics
from exporter.metrics.text import PolledText, Shape
from exporter.model.names import GroupKey
from exporter.model.snapshot import Store
from exporter.reporter import Reporter
from exporter.sharding import WHOLE, Sharding
from exporter.sls import Cancelled
from exporter.targets import Target


class Engine:
    """Polls what a configuration names, when it is told to; a single round or a scheduler tells.

    Raises CredentialsError if keys that the configuration needs cannot be had.
    """

    def __init__(
        self,
        config: Config,
        *,
        environ: Mapping[str, str],
        clock: Clock,
        sharding: Sharding = WHOLE,
    ) -> None:
        self.clock = clock
        self.cancelled = threading.Event()
        self.store = Store()
        self.registry = CollectorRegistry()
        self.own = OwnMetrics(self.registry)
        self._counted = Counted(self.registry)
        self._text = PolledText()
        self.own.sharded(sharding.shard, sharding.total)
        self._sharding = sharding
        self.discovered = False
        self._log = get_logger("exporter.polls")
        self._reporter = Reporter(self.own, self._log, clock=clock)
        self._clients = Clients(
            environ=environ, own=self.own, clock=clock, cancelled=self.cancelled
        )
        self.fleet = Fleet(
            self._clients,
            self.store,
            own=self.own,
            log=self._log,
            clock=clock,
            on_status=lambda status: self._text.prepare(status, self._shape()),
        )
        self._listings: Listings = {}
        self._targets_lock = threading.Lock()
        self.configure(config)

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._config

    @property
    def needs_listings(self) -> bool:
        """Whether names are to be resolved by listings."""
        return self._discovery.needs_listings

    def configure(self, config: Config) -> None:
        """Take over a configuration: at once what is named in full, the rest as it was listed.

        Raises CredentialsError if keys that it needs cannot be had; nothing is changed then.
        """
        discovery = Discovery(
            config,
            client_for=self._clients.get,
            observer=self._reporter,
            listings=self._listings,
            owns=self._sharding.owns,
        )
        settings = {config.effective(project) for project in config.projects}
        with self._targets_lock:
            for each in settings:
                self._clients.get(each, None)
            self._set_targets(discovery.known())
            self._config, self._discovery = config, discovery
            self._clients.forget_others(settings)
        self.discovered = self.discovered or not discovery.needs_listings
        self.own.config_loaded(at=self.clock.wall())

    def discover(self) -> None:
        """Resolve the configured names anew and take over the targets."""
        discovery = self._discovery
        try:
            targets = discovery.resolve()
        except Cancelled:
            return
        self._reporter.end_poll()
        with self._targets_lock:
            if discovery is self._discovery:  # else a reload has overtaken the listings
                self._set_targets(targets)
                self.discovered = True

    def _set_targets(self, targets: Iterable[Target]) -> None:
        mine = tuple(targets)
        self.fleet.set_targets(mine, failing=self._reporter.failing)
        self._text.keep_only(
            GroupKey(*each.key, group.name) for each in mine for group in each.groups
        )

    def _shape(self) -> Shape:
        return Shape(
            per_shard=self._config.metrics.granularity == "shard",
            consumer_label=self._config.metrics.consumer_label,
            max_series=self._config.metrics.max_series,
        )

    def groups(self) -> status.Document:
        """Return what is known of every group, for people and programs."""
        return status.document(
            self.store.view(), monotonic=self.clock.monotonic(), wall=self.clock.wall()
        )

    def scrape(self, *, accept: str = "", accept_encoding: str = "") -> exposition.Scrape:
        """Write all metrics as of now, as two request headers ask for it."""
        view = self.store.view()
        now = self.clock.monotonic()
        return exposition.render(
            self._counted,
            lambda: self._text.write(view.targets, len(view.pending), self._shape(), now),
            accept=accept,
            accept_encoding=accept_encoding,
        )

    def close(self) -> None:
        """End requests under way and close idle connections."""
        self.cancelled.set()
        self._clients.close()
