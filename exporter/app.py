"""The composition root and the lifecycle of the daemon: what is made, started, stopped, in order.

Parts do not import each other sideways; each is handed the callables it needs here.
"""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from exporter.base.clock import Clock
from exporter.base.text import bounded
from exporter.config.models import Config
from exporter.engine import Engine
from exporter.logs.logger import get_logger
from exporter.polling.capacity import shortages
from exporter.polling.scheduler import BACKGROUND, Job, Pool, Scheduler
from exporter.polling.sharding import WHOLE, Sharding
from exporter.polling.targets import Target
from exporter.reload import FileWatch, Load, Reloader
from exporter.status import api, page
from exporter.web.listen import ListenAddress
from exporter.web.nodes import WebConfigError
from exporter.web.pages import MetricsAnswer, MetricsRequest, Pages
from exporter.web.routes import create_app
from exporter.web.server import WebServer

_DISCOVERY = "discovery"
_HEARTBEAT_SECONDS = 5.0
_LATE_SECONDS = 30.0  # half of what makes the process unhealthy
_WEB_GRACE_SECONDS = 1.0
_CLOCK_JUMP_SECONDS = 5.0
_TEND_SECONDS = 1.0
_TRY_AGAIN_SECONDS = 1.0
_WATCH_FILE_SECONDS = 5.0


class Options(Struct, frozen=True, kw_only=True):
    """What the command line says."""

    listen: Sequence[ListenAddress]
    telemetry_path: str = "/metrics"
    max_requests: int = 40
    web_config_file: Path | None = None
    enable_lifecycle: bool = False
    """Whether ``POST /-/reload`` is answered."""
    watched_file: Path | None = None
    """Reload whenever the content of this file changes."""
    sharding: Sharding = WHOLE


class Patience(Struct, frozen=True, kw_only=True):
    """After how many seconds without a sign of life something counts as stuck."""

    heartbeat: float = 60.0
    poll: float = 900.0
    """Longer than any poll takes that still ends by itself."""


DEFAULT_PATIENCE = Patience()


class App:
    """The daemon: an engine, the scheduler that drives it, and the HTTP server over it.

    ``load`` gives the configuration, at the start and at each reload. Raises ConfigError or
    CredentialsError if there is none to start with, WebConfigError if that of the HTTP server is
    bad.
    """

    def __init__(
        self,
        load: Load,
        options: Options,
        *,
        environ: Mapping[str, str],
        clock: Clock,
        patience: Patience = DEFAULT_PATIENCE,
    ) -> None:
        self._log = get_logger("exporter")
        self._clock = clock
        self._patience = patience
        self._engine = engine = Engine(
            load(), environ=environ, clock=clock, sharding=options.sharding
        )
        self._reloader = Reloader(
            load,
            take_over=self._take_over,
            on_failure=lambda: engine.own.config_loaded(at=None),
            log=self._log,
        )
        self._watched = FileWatch(options.watched_file) if options.watched_file else None
        self._look_at_file_at = 0.0
        self._reload_asked = threading.Event()
        self._jobs_lock = threading.Lock()
        self._listings_due = threading.Event()
        self._scheduler = Scheduler(
            stopping=engine.cancelled,
            on_skip=self._skipped,
            on_error=self._report_error,
        )
        self._web = WebServer(
            lambda threads: create_app(
                self._pages(options),
                threads,
                on_error=self._report_error,
                telemetry_path=options.telemetry_path,
                max_requests=options.max_requests,
            ),
            options.listen,
            on_error=self._report_error,
            web_config_file=options.web_config_file,
        )
        self._shortages: Sequence[str] = ()
        self._beat = self._realigned = clock.monotonic()
        self._offset = clock.wall() - clock.monotonic()
        self._tending = threading.Thread(target=self._tend, name="tend", daemon=True)

    @property
    def addresses(self) -> Sequence[ListenAddress]:
        """Where the HTTP server listens."""
        return self._web.addresses

    @property
    def url(self) -> str:
        """A URL that reaches the HTTP server from this machine."""
        return self.addresses[0].url(self._web.scheme)

    def start(self) -> None:
        """Serve, then poll; raises ListenError if an address cannot be listened on."""
        self._web.start()
        self._set_jobs()
        self._scheduler.start()
        self._tending.start()
        self._log.info(
            "started",
            listening=", ".join(str(address) for address in self.addresses),
            targets=len(self._engine.manager.targets),
            interval_seconds=self._engine.manager.config.polling.interval,
        )

    def ask_for_reload(self) -> None:
        """Have the configuration reloaded soon, without waiting for it."""
        self._reload_asked.set()

    def stop(self) -> None:
        """Stop within seconds, whatever is queued or under way."""
        self._log.info("stopping")
        self._engine.cancelled.set()
        self._reload_asked.set()
        self._scheduler.stop()
        self._web.stop(_WEB_GRACE_SECONDS)
        self._engine.close()

    def _pages(self, options: Options) -> Pages:
        engine = self._engine
        return Pages(
            metrics=self._metrics,
            status=lambda query: page.page(
                engine.groups(), query, telemetry_path=options.telemetry_path
            ),
            groups=lambda query: api.as_json(engine.groups(), query),
            healthy=self._unhealthy,
            ready=self._unready,
            reload=self._reloader.reload if options.enable_lifecycle else None,
        )

    def _take_over(self, config: Config) -> None:
        self._engine.configure(config)
        self._set_jobs()
        self._listings_due.set()
        self._scheduler.run_soon(_DISCOVERY)

    def _set_jobs(self) -> None:
        # A reload and the discovery may both come here; the last one must have the newest targets.
        with self._jobs_lock:
            targets = self._engine.manager.targets
            self._scheduler.set_jobs([*self._background(), *map(self._job, targets)])
            known, self._shortages = self._shortages, shortages(targets)
        for warning in self._shortages:
            if warning not in known:
                self._log.warning(warning)

    def _skipped(self, key: str) -> None:
        if key == _DISCOVERY and self._listings_due.is_set():
            # The listings under way are those of the configuration before.
            self._scheduler.run_soon(key, after=_TRY_AGAIN_SECONDS)
        else:
            self._engine.own.poll_skipped()

    def _background(self) -> list[Job]:
        heartbeat = Job(
            key="heartbeat",
            interval=_HEARTBEAT_SECONDS,
            run=self._heartbeat,
            pool=BACKGROUND,
            spread=0.0,
        )
        discovery = Job(
            key=_DISCOVERY,
            interval=self._engine.manager.config.discovery.interval,
            run=self._discover,
            pool=BACKGROUND,
            spread=0.0,
        )
        return [heartbeat, discovery] if self._engine.manager.needs_listings else [heartbeat]

    def _job(self, target: Target) -> Job:
        key = target.key
        return Job(
            key=f"{key.project}/{key.logstore}",
            interval=target.settings.interval,
            run=lambda: self._engine.manager.poll(key),
            pool=Pool(name=f"project {key.project}", workers=target.settings.workers),
        )

    def _discover(self) -> None:
        self._listings_due.clear()
        self._engine.manager.discover()
        self._set_jobs()

    def _heartbeat(self) -> None:
        self._beat = self._clock.monotonic()

    def _tend(self) -> None:
        """Look after what no other thread does: reloads that were asked for, files, the clock."""
        while not self._engine.cancelled.is_set():
            asked = self._reload_asked.wait(_TEND_SECONDS)
            self._reload_asked.clear()
            if self._engine.cancelled.is_set():
                return
            try:
                if asked or self._file_changed():
                    self._reloader.reload()
                self._look_at_clock()
            except Exception as error:  # noqa: BLE001  it must go on; the fault is reported
                self._report_error("tend", error)

    def _file_changed(self) -> bool:
        if self._watched is None or self._clock.monotonic() < self._look_at_file_at:
            return False
        self._look_at_file_at = self._clock.monotonic() + _WATCH_FILE_SECONDS
        return self._watched.changed()

    def _look_at_clock(self) -> None:
        offset = self._clock.wall() - self._clock.monotonic()
        jump = offset - self._offset
        if abs(jump) > _CLOCK_JUMP_SECONDS:
            self._offset = offset
            self._log.warning("the system clock has jumped", seconds=round(jump, 1))
            self._scheduler.realign()
            return
        # One that jumped there and back between two looks may have left runs hours ahead.
        now = self._clock.monotonic()
        if now - max(self._beat, self._realigned) > _LATE_SECONDS:
            self._realigned = now
            self._log.warning(
                "the scheduler is late, all is run soon", seconds=round(now - self._beat, 1)
            )
            self._scheduler.realign()

    def _unhealthy(self) -> str | None:
        if self._clock.monotonic() - self._beat > self._patience.heartbeat:
            return "the scheduler does not run"
        longest = self._scheduler.longest_run()
        if longest is not None and longest[1] > self._patience.poll:
            return f"a worker is stuck in {bounded(longest[0])} for {longest[1]:.0f} s"
        return None

    def _unready(self) -> str | None:
        if self._engine.cancelled.is_set():
            return "stopping"
        if not self._engine.manager.discovered:
            return "the names in the configuration are not resolved yet"
        pending = len(self._engine.store.view().pending)
        return f"targets not polled yet: {pending}" if pending else None

    def _metrics(self, request: MetricsRequest) -> MetricsAnswer:
        found = self._engine.scrape(accept=request.accept, accept_encoding=request.accept_encoding)
        return MetricsAnswer(
            content_type=found.content_type,
            content_encoding=found.content_encoding,
            body=found.body,
        )

    def _report_error(self, place: str, error: BaseException) -> None:
        if isinstance(error, WebConfigError):
            self._log.error("web configuration not reloaded, the old one stays", error=str(error))
        else:
            self._log.error("internal error", place=place, exc_info=error)
