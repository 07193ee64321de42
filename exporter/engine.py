"""Everything below the HTTP server and the schedule: polls, the store, the metrics."""

import threading
from collections.abc import Mapping
from functools import partial

from prometheus_client import CollectorRegistry

from exporter.base.clock import Clock
from exporter.config.models import Config
from exporter.credentials.providers import provider
from exporter.logs.logger import get_logger
from exporter.metrics import exposition
from exporter.metrics.counted import Counted
from exporter.metrics.own import OwnMetrics
from exporter.metrics.text import PolledText, Shape
from exporter.polling.manager import PollManager
from exporter.polling.rate_reports import RateReports
from exporter.polling.sharding import WHOLE, Sharding
from exporter.polling.store import Store
from exporter.sls.clients import Clients
from exporter.sls.request_rate import START
from exporter.status import rows


class Engine:
    """The parts of an exporter, put together. Raises CredentialsError if keys cannot be obtained.

    A scheduler or a single round drives ``manager``. The rate of each project begins at
    ``start_rate`` requests per second.
    """

    def __init__(
        self,
        config: Config,
        *,
        environ: Mapping[str, str],
        clock: Clock,
        sharding: Sharding = WHOLE,
        start_rate: float = START,
    ) -> None:
        self.clock = clock
        self.cancelled = threading.Event()
        self.store = Store()
        self.registry = CollectorRegistry()
        self.own = OwnMetrics(self.registry)
        self.own.sharded(sharding.shard, sharding.total)
        self._counted = Counted(self.registry)
        self._text = PolledText()
        self._clients = Clients(
            provider=partial(provider, environ=environ, clock=clock, cancelled=self.cancelled),
            observer=self.own,
            clock=clock,
            cancelled=self.cancelled,
            on_rate_change=RateReports(
                self.own.request_limit, get_logger("exporter.polls")
            ).changed,
            total_shards=sharding.total,
            start=start_rate,
        )
        self.manager = PollManager(
            config,
            clients=self._clients,
            store=self.store,
            counts=self.own,
            sharding=sharding,
            log=get_logger("exporter.polls"),
            clock=clock,
            on_status=lambda status: self._text.prepare(status, self._shape()),
            on_groups=self._text.keep_only,
        )
        self.own.config_loaded(at=clock.wall())

    def configure(self, config: Config) -> None:
        """Apply a configuration. Raises CredentialsError, and changes nothing then."""
        self.manager.configure(config)
        self.own.config_loaded(at=self.clock.wall())

    def groups(self) -> rows.Document:
        """Return what is known of every group, for people and programs."""
        return rows.document(
            self.store.view(), monotonic=self.clock.monotonic(), wall=self.clock.wall()
        )

    def scrape(self, *, accept: str = "", accept_encoding: str = "") -> exposition.Scrape:
        """Write all metrics as of now, in the format that two request headers ask for."""
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

    def _shape(self) -> Shape:
        metrics = self.manager.config.metrics
        return Shape(
            per_shard=metrics.granularity == "shard",
            consumer_label=metrics.consumer_label,
            max_series=metrics.max_series,
        )
