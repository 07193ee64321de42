"""The assembly of an exporter, without its schedule and its HTTP server.

The parts do not import each other. This module passes them the callables that they need.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path

from msgspec import Struct
from prometheus_client import CollectorRegistry

from exporter.base.clock import Clock
from exporter.base.text import bounded
from exporter.config.schema import Config
from exporter.credentials.providers import Providers
from exporter.http.transport import Transport
from exporter.logs.logger import get_logger
from exporter.metrics import exposition
from exporter.metrics.polled_text import PolledText
from exporter.metrics.self_metrics import SelfMetrics
from exporter.model.names import GroupKey
from exporter.model.snapshot import TargetStatus, View
from exporter.polling.hooks import Hooks
from exporter.polling.manager import PollManager
from exporter.polling.rate_reports import RateReports
from exporter.polling.scope import EVERYTHING, Scope
from exporter.polling.store import Store
from exporter.polling.workers import Workers
from exporter.sls.clients import Clients
from exporter.sls.operations import OPERATION_NAMES
from exporter.sls.request_rate import START, RequestRate
from exporter.status import rows
from exporter.status.history import Histories


class Parts(Struct, frozen=True, kw_only=True, eq=False):
    """The parts of an exporter. A schedule or a single round drives ``manager``."""

    clock: Clock
    cancelled: threading.Event
    store: Store
    registry: CollectorRegistry
    self_metrics: SelfMetrics
    polled_text: PolledText
    histories: Histories
    clients: Clients
    workers: Workers
    manager: PollManager
    is_single_round: bool = False
    """Whether each target is polled only once, so that values are shown regardless of their age."""

    def configure(self, config: Config) -> None:
        """Apply a configuration.

        Raises CredentialsError if keys cannot be obtained. The previous configuration is kept then.
        """
        self.manager.configure(config)
        self.self_metrics.config_loaded(at=self.clock.wall())

    def groups(self) -> rows.StatusRows:
        """Return the state of every group for the status page and the JSON API."""
        return rows.document(
            self._view(),
            monotonic=self.clock.monotonic(),
            wall=self.clock.wall(),
            histories=self.histories.view(),
        )

    def scrape(self, *, accept: str = "", accept_encoding: str = "") -> exposition.Scrape:
        """Return the current metrics in the format that the two request headers select."""
        view = self._view()
        now = self.clock.monotonic()
        config = self.manager.config.metrics
        return exposition.render(
            self.registry,
            lambda openmetrics: self.polled_text.write(view, config, now, openmetrics=openmetrics),
            accept=accept,
            accept_encoding=accept_encoding,
        )

    def _view(self) -> View:
        view = self.store.view()
        return view.without_age_limit() if self.is_single_round else view

    def close(self) -> None:
        """End current requests and close idle connections."""
        self.cancelled.set()
        self.workers.close()
        self.clients.close()


def assemble(
    config: Config,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    scope: Scope = EVERYTHING,
    start_rate: float = START,
    is_single_round: bool = False,
    make_rate: Callable[..., RequestRate] = RequestRate,
) -> Parts:
    """Create the parts of an exporter. Raises CredentialsError if keys cannot be obtained.

    Names beyond ``scope`` are not polled. The request rate of each project begins at ``start_rate``
    requests per second. ``make_rate`` creates the rate limiter of a project and determines the
    clock by which requests wait.
    """
    cancelled = threading.Event()
    store = Store()
    registry = CollectorRegistry()
    self_metrics = SelfMetrics(registry, operations=OPERATION_NAMES)
    self_metrics.sharded(scope.sharding.shard, scope.sharding.total)
    polled_text = PolledText()
    histories = Histories(is_single_round=is_single_round)
    providers = Providers(environ, clock=clock, cancelled=cancelled)
    clients = Clients(
        provider=lambda settings: providers.of_project(settings).provider,
        observer=self_metrics,
        clock=clock,
        cancelled=cancelled,
        on_rate_change=RateReports(
            self_metrics.request_limit, get_logger("exporter.polls")
        ).changed,
        make_transport=partial(Transport, on_ca_change=_log_ca_change),
        total_shards=scope.sharding.total,
        start=start_rate,
        make_rate=make_rate,
    )
    workers = Workers()

    def target_polled(status: TargetStatus) -> None:
        polled_text.prepare(status, manager.config.metrics)
        histories.record(status)

    def groups_configured(keys: Collection[GroupKey]) -> None:
        polled_text.keep_only(keys)
        histories.keep_only(keys)

    manager = PollManager(
        config,
        clients=clients,
        store=store,
        workers=workers,
        hooks=Hooks(
            counts=self_metrics,
            on_group=lambda group: polled_text.prepare_group(group, manager.config.metrics),
            on_status=target_polled,
            on_groups=groups_configured,
        ),
        scope=scope,
        log=get_logger("exporter.polls"),
        clock=clock,
        is_single_round=is_single_round,
    )
    self_metrics.config_loaded(at=clock.wall())
    return Parts(
        clock=clock,
        cancelled=cancelled,
        store=store,
        registry=registry,
        self_metrics=self_metrics,
        polled_text=polled_text,
        histories=histories,
        clients=clients,
        workers=workers,
        manager=manager,
        is_single_round=is_single_round,
    )


def _log_ca_change(ca_file: Path, reason: str | None) -> None:
    log, path = get_logger("exporter.polls"), bounded(str(ca_file))
    if reason is None:
        log.info("file of authorities loaded again", path=path)
    else:
        log.warning(
            "cannot load file of authorities, keeping the previous ones", path=path, error=reason
        )
