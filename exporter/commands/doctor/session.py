"""The parts that an examination uses: the exporter's client, and a record of its requests."""

import threading
from collections.abc import Mapping
from functools import partial

from msgspec.structs import replace

from exporter.base.clock import Clock
from exporter.commands.doctor.recording import Exchange, Recorder
from exporter.commands.doctor.redaction import Redactor
from exporter.config.schema import Config
from exporter.config.settings import ProjectSettings
from exporter.credentials.providers import Providers
from exporter.http.response import Response
from exporter.http.transport import Transport
from exporter.polling.scope import Scope
from exporter.sls.client import SlsClient
from exporter.sls.clients import Clients
from exporter.sls.request_rate import START

_MAX_BODY_BYTES = 128 * 2**10  # A list of 256 checkpoints has a third of it.


class Session:
    """One run of the command. Setting ``cancelled`` ends its requests."""

    def __init__(
        self,
        config: Config,
        *,
        environ: Mapping[str, str],
        clock: Clock,
        scope: Scope,
        cancelled: threading.Event,
        start_rate: float = START,
    ) -> None:
        self.config = config
        self.clock = clock
        self.scope = scope
        self.cancelled = cancelled
        self.exchanges: list[Exchange] = []
        """The responses about the current entry."""
        self.notes = Notes()
        self.redactor = Redactor()
        """The names that were found."""
        self.providers = Providers(environ, clock=clock, cancelled=cancelled)
        self._clients = Clients(
            provider=lambda settings: self.providers.of_project(settings).provider,
            observer=self.notes,
            clock=clock,
            cancelled=cancelled,
            on_rate_change=self.notes.rate_changed,
            start=start_rate,
            make_transport=partial(Transport, on_response=self._record),
        )

    @property
    def is_narrowed(self) -> bool:
        """True if the scope leaves out a part of the configuration."""
        scope = self.scope
        return bool(scope.project or scope.logstore or scope.consumer_group)

    def begin_entry(self) -> None:
        """Forget the requests about the previous entry."""
        self.exchanges.clear()
        self.notes.clear()

    def client(self, settings: ProjectSettings, project: str | None) -> SlsClient:
        """Return the client of a project, or (None) of its endpoint."""
        return self._clients.get(settings, project)

    def recorder(self, client: SlsClient) -> Recorder:
        """Return the sender of requests of a client."""
        return Recorder(self.exchanges, client.server_now)

    def _record(self, target: str, response: Response) -> None:
        """Keep a response, without its body if that is far longer than any regular one."""
        if len(response.body) > _MAX_BODY_BYTES:
            response = replace(response, body=b"")
        self.exchanges.append(Exchange(target=target, response=response))

    def close(self) -> None:
        """Close idle connections."""
        self._clients.close()


class Notes:
    """The reports of a client about its requests."""

    def __init__(self) -> None:
        self.sent = 0
        """Number of requests, with each attempt."""
        self.codes: set[str] = set()
        """The error codes of all requests."""
        self.skew: float | None = None
        """The server's clock minus the exporter's in seconds, None if not known."""
        self.is_lowered = False
        """Whether refusals have lowered the request rate."""

    def clear(self) -> None:
        """Forget all reports."""
        vars(self).update(vars(Notes()))

    def request_ended(
        self,
        place: tuple[str, str],  # noqa: ARG002  as Observer's
        operation: str,  # noqa: ARG002  as Observer's
        seconds: float,  # noqa: ARG002  as Observer's
        error_code: str | None,
    ) -> None:
        """Note an attempt."""
        self.sent += 1
        if error_code is not None:
            self.codes.add(error_code)

    def request_retried(self, operation: str) -> None:
        """Do nothing, since each attempt is noted."""

    def clock_skew(self, endpoint: str, seconds: float) -> None:  # noqa: ARG002  as Observer's
        """Note the difference of the clocks."""
        self.skew = seconds

    def server_time_ignored(self, endpoint: str) -> None:
        """Do nothing."""

    def rate_changed(self, _endpoint: str, _project: str, _limit: float, is_lowered: bool) -> None:  # noqa: FBT001  as OnRateChange
        """Note whether refusals have lowered the rate."""
        self.is_lowered = self.is_lowered or is_lowered
