"""The daemon, which starts, reloads and stops the parts of an exporter in order."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from exporter import __version__
from exporter.app.assembly import assemble
from exporter.app.health import DEFAULT_STUCK_AFTER, Health, StuckAfter
from exporter.app.housekeeping import Housekeeping
from exporter.app.jobs import Jobs
from exporter.app.reload import Load, Reloader
from exporter.base.clock import Clock
from exporter.base.files import FileWatch
from exporter.config.problems import ConfigError
from exporter.config.reader import MAX_FILE_BYTES
from exporter.config.schema import Config
from exporter.logs.logger import get_logger
from exporter.polling.scope import Scope
from exporter.polling.sharding import WHOLE, Sharding
from exporter.sls.request_rate import START
from exporter.web.listen import ListenAddress, Listener
from exporter.web.routes import Content, create_app
from exporter.web.server import WebServer

_WEB_GRACE_SECONDS = 1.0


class Options(Struct, frozen=True, kw_only=True):
    """The options of the command line."""

    listen: Sequence[Listener]
    telemetry_path: str = "/metrics"
    max_requests: int = 40
    web_config_file: Path | None = None
    enable_lifecycle: bool = False
    """Whether ``POST /-/reload`` is served."""
    watched_file: Path | None = None
    """The file whose changes cause a reload; None for no reloads of this kind."""
    sharding: Sharding = WHOLE
    start_rate: float = START
    """The initial request rate of each project in requests per second."""


class Daemon:
    """An exporter with its schedule and its HTTP server.

    ``load`` returns the configuration, at startup and at each reload. The constructor raises
    ConfigError or CredentialsError if the daemon cannot start with this configuration, and
    ConfigError if the web configuration is not valid.
    """

    def __init__(
        self,
        load: Load,
        options: Options,
        *,
        environ: Mapping[str, str],
        clock: Clock,
        stuck_after: StuckAfter = DEFAULT_STUCK_AFTER,
    ) -> None:
        self._log = get_logger("exporter")
        self._parts = parts = assemble(
            load(),
            environ=environ,
            clock=clock,
            scope=Scope(sharding=options.sharding),
            start_rate=options.start_rate,
        )
        self._jobs = Jobs(
            parts,
            total_shards=options.sharding.total,
            log=self._log,
            on_error=self._report_error,
        )
        self._health = Health(parts, self._jobs, stuck_after)
        self._reloader = Reloader(
            load,
            apply=self._apply,
            on_failure=lambda: parts.self_metrics.config_loaded(at=None),
            log=self._log,
        )
        watched = options.watched_file
        self._housekeeping = Housekeeping(
            parts,
            self._jobs,
            self._reloader,
            watched=FileWatch([watched], MAX_FILE_BYTES) if watched else None,
            log=self._log,
            on_error=self._report_error,
        )
        self._tending = threading.Thread(target=self._housekeeping.run, name="tend", daemon=True)
        self._web = WebServer(
            lambda threads: create_app(
                self._content(options),
                threads,
                on_error=self._report_error,
                telemetry_path=options.telemetry_path,
                max_requests=options.max_requests,
            ),
            options.listen,
            on_error=self._report_error,
            on_handshake_error=self._report_handshake_error,
            web_config_file=options.web_config_file,
        )

    @property
    def addresses(self) -> Sequence[ListenAddress]:
        """The addresses of the HTTP server."""
        return self._web.addresses

    @property
    def url(self) -> str:
        """A URL that reaches the HTTP server from this machine."""
        return self.addresses[0].url(self._web.scheme)

    def start(self) -> None:
        """Start the HTTP server, then the polls.

        Raises ListenError if the server cannot listen on an address, and RuntimeError if the system
        refuses a thread.
        """
        self._web.start()
        self._jobs.update()
        self._tending.start()
        self._jobs.scheduler.start()
        self._log.info(
            "started",
            version=__version__,
            scheme=self._web.scheme,
            tls="on" if self._web.scheme == "https" else "off",
            users=self._web.users,
            listening=", ".join(str(address) for address in self.addresses),
            targets=len(self._parts.manager.targets),
            interval_seconds=self._parts.manager.config.polling.interval,
        )
        for warning in self._web.warnings:
            self._log.warning("web configuration setting has no effect", reason=warning)

    def request_reload(self) -> None:
        """Request a reload of the configuration, without waiting for it."""
        self._housekeeping.request_reload()

    def stop(self) -> None:
        """Stop within seconds, regardless of queued and current polls."""
        self._log.info("stopping")
        self._parts.cancelled.set()
        self._housekeeping.request_reload()
        self._jobs.scheduler.stop()
        self._web.stop(_WEB_GRACE_SECONDS)
        self._parts.close()

    def _apply(self, config: Config) -> None:
        self._parts.configure(config)
        self._jobs.configuration_changed()

    def _content(self, options: Options) -> Content:
        return Content(
            scrape=self._parts.scrape,
            groups=self._parts.groups,
            unhealthy=self._health.unhealthy,
            unready=self._health.unready,
            reload=self._reloader.reload if options.enable_lifecycle else None,
        )

    def _report_handshake_error(self, reason: str, client: str) -> None:
        self._parts.self_metrics.tls_handshake_failed(reason)
        # A health check that only opens a connection is not worth a warning.
        log = self._log.debug if reason == "disconnected" else self._log.warning
        log("TLS handshake failed", reason=reason, client=client)

    def _report_error(self, place: str, error: BaseException) -> None:
        if isinstance(error, ConfigError):
            self._log.error(
                "web configuration reload failed, keeping the previous configuration",
                faults=len(error.problems),
                first=str(error.problems[0]),
            )
        else:
            self._log.error("internal error", place=place, exc_info=error)
