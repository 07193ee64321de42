"""The composition root and the lifecycle of the daemon: what is made, started, stopped, in order.

Parts do not import each other sideways; each is handed the callables it needs here.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from exporter import status
from exporter.clock import Clock
from exporter.config import Config
from exporter.discovery import Discovery
from exporter.fleet import Clients, Fleet
from exporter.logs import get_logger
from exporter.metrics import exposition
from exporter.metrics.collector import PolledCollector, Shape
from exporter.metrics.own import OwnMetrics
from exporter.reporter import Reporter
from exporter.scheduler import Job, Scheduler
from exporter.sls import Cancelled
from exporter.snapshot import Store
from exporter.targets import Target
from exporter.web.listen import ListenAddress
from exporter.web.pages import MetricsAnswer, MetricsRequest, Pages
from exporter.web.routes import create_app
from exporter.web.server import WebServer

_HEARTBEAT_SECONDS = 5.0
_HEARTBEAT_LATE_SECONDS = 60.0
_WEB_GRACE_SECONDS = 1.0
_CLOCK_JUMP_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says about the HTTP server."""

    listen: Sequence[ListenAddress]
    telemetry_path: str = "/metrics"
    max_requests: int = 40


class Engine:
    """Everything below the HTTP server: discovery, polls, the store, the metrics.

    ``once`` drives it for a single round, the daemon by its scheduler.
    """

    def __init__(self, config: Config, *, environ: Mapping[str, str], clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.cancelled = threading.Event()
        self.store = Store()
        self.registry = CollectorRegistry()
        log = get_logger("exporter.polls")
        own = OwnMetrics(self.registry)
        self.own = own
        shape = Shape(
            per_shard=config.metrics.granularity == "shard",
            consumer_label=config.metrics.consumer_label,
        )
        self.registry.register(
            PolledCollector(self.store.view, shape=lambda: shape, monotonic=clock.monotonic)
        )
        self.clients = Clients(environ=environ, own=own, clock=clock, cancelled=self.cancelled)
        self.fleet = Fleet(self.clients, self.store, own=own, log=log, clock=clock)
        self._reporter = Reporter(own, log, clock=clock)
        self._discovery = Discovery(config, client_for=self.clients.get, observer=self._reporter)
        self.discovered = not self._discovery.needs_listings
        # Every entry's credentials are looked for now, so that what is missing is told at once.
        for project in config.projects:
            self.clients.get(config.effective(project), None)
        self.fleet.set_targets(self._discovery.literals())

    @property
    def needs_listings(self) -> bool:
        """Whether names are to be resolved by listings."""
        return self._discovery.needs_listings

    def discover(self) -> None:
        """Resolve the configured names anew and take over the targets."""
        try:
            targets = self._discovery.resolve()
        except Cancelled:
            return
        self._reporter.end_poll()
        self.fleet.set_targets(targets, failing=self._reporter.failing)
        self.discovered = True

    def groups(self) -> status.Document:
        """Return what is known of every group, for people and programs."""
        return status.document(
            self.store.view(), monotonic=self.clock.monotonic(), wall=self.clock.wall()
        )

    def close(self) -> None:
        """End requests under way and close idle connections."""
        self.cancelled.set()
        self.clients.close()


class App:
    """The daemon: an engine, the scheduler that drives it, and the HTTP server over it."""

    def __init__(
        self, config: Config, options: Options, *, environ: Mapping[str, str], clock: Clock
    ) -> None:
        self._log = get_logger("exporter")
        self._clock = clock
        self._engine = engine = Engine(config, environ=environ, clock=clock)
        self._scheduler = Scheduler(
            workers=config.polling.workers,
            stopping=engine.cancelled,
            on_skip=lambda _key: engine.own.poll_skipped(),
            on_error=self._report_error,
        )
        pages = Pages(
            metrics=self._metrics,
            status=lambda query: status.page(
                engine.groups(), query, telemetry_path=options.telemetry_path
            ),
            groups=lambda query: status.as_json(engine.groups(), query),
            healthy=self._unhealthy,
            ready=self._unready,
            reload=None,
        )
        self._web = WebServer(
            create_app(
                pages,
                on_error=self._report_error,
                telemetry_path=options.telemetry_path,
                max_requests=options.max_requests,
            ),
            options.listen,
            on_error=self._report_error,
        )
        self._beat = clock.monotonic()
        self._offset = clock.wall() - clock.monotonic()

    @property
    def addresses(self) -> Sequence[ListenAddress]:
        """Where the HTTP server listens."""
        return self._web.addresses

    def start(self) -> None:
        """Serve, then poll; raises ListenError if an address cannot be listened on."""
        self._web.start()
        self._set_jobs()
        self._scheduler.start()
        config = self._engine.config
        self._log.info(
            "started",
            listening=", ".join(str(address) for address in self.addresses),
            targets=len(self._engine.fleet.targets),
            interval_seconds=config.polling.interval,
        )

    def tend(self) -> None:
        """Look after what no thread of its own does; to be called every second or so."""
        offset = self._clock.wall() - self._clock.monotonic()
        jump = offset - self._offset
        if abs(jump) > _CLOCK_JUMP_SECONDS:
            self._offset = offset
            self._log.warning("the system clock has jumped", seconds=round(jump, 1))
            self._scheduler.realign()

    def stop(self) -> None:
        """Stop within seconds, whatever is queued or under way."""
        self._log.info("stopping")
        self._engine.cancelled.set()
        self._scheduler.stop()
        self._web.stop(_WEB_GRACE_SECONDS)
        self._engine.close()

    def _set_jobs(self) -> None:
        self._scheduler.set_jobs([*self._background(), *map(self._job, self._engine.fleet.targets)])

    def _background(self) -> list[Job]:
        jobs = [
            Job(
                key="heartbeat",
                interval=_HEARTBEAT_SECONDS,
                run=self._heartbeat,
                spread=0.0,
                background=True,
            )
        ]
        if self._engine.needs_listings:
            interval = self._engine.config.discovery.interval
            jobs.append(
                Job(
                    key="discovery",
                    interval=interval,
                    run=self._discover,
                    spread=0.0,
                    background=True,
                )
            )
        return jobs

    def _job(self, target: Target) -> Job:
        key = target.key
        return Job(
            key=f"{key.project}/{key.logstore}",
            interval=target.settings.interval,
            run=lambda: self._engine.fleet.poll(key),
        )

    def _discover(self) -> None:
        self._engine.discover()
        self._set_jobs()

    def _heartbeat(self) -> None:
        self._beat = self._clock.monotonic()

    def _unhealthy(self) -> str | None:
        if self._clock.monotonic() - self._beat > _HEARTBEAT_LATE_SECONDS:
            return "the scheduler does not run"
        return None

    def _unready(self) -> str | None:
        if self._engine.cancelled.is_set():
            return "stopping"
        if not self._engine.discovered:
            return "the names in the configuration are not resolved yet"
        pending = len(self._engine.store.view().pending)
        return f"{pending} targets were not polled yet" if pending else None

    def _metrics(self, request: MetricsRequest) -> MetricsAnswer:
        content_type, encoding, body = exposition.render(
            self._engine.registry,
            accept=request.accept,
            accept_encoding=request.accept_encoding,
        )
        return MetricsAnswer(content_type=content_type, content_encoding=encoding, body=body)

    def _report_error(self, place: str, error: BaseException) -> None:
        self._log.error("internal error", place=place, exc_info=error)
