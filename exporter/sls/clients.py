"""One client per project. Clients share connections, request rates and keys if they can."""

import threading
from collections.abc import Callable, Collection
from functools import partial

from exporter import __version__
from exporter.base.clock import Clock
from exporter.config.schema import HttpConfig
from exporter.config.settings import ProjectSettings
from exporter.http.transport import Transport
from exporter.model.credentials import Credentials
from exporter.sls.client import SlsClient
from exporter.sls.observer import Observer
from exporter.sls.request_rate import START, RequestRate

Provider = Callable[[], Credentials]
"""Returns the current keys. Raises CredentialsUnavailableError while there are none."""
OnRateChange = Callable[[str, str, float, bool], None]
"""Gets an endpoint, a project, its limit, and whether refusals have lowered it."""


class Clients:
    """The clients of all projects.

    Each project has one request rate, over all reloads. Projects with equal HTTP settings share
    one transport. ``provider`` returns the source of keys of a project, or raises CredentialsError.
    ``total_shards`` exporters share the limits of a project. ``start`` is where
    the rate of a project begins, in requests per second, and ``make_rate`` makes it from its
    ceiling. ``on_rate_change`` gets each new limit of a project, and the current one whenever its
    client is requested.
    ``make_transport`` makes a transport from the arguments of ``Transport``.
    """

    def __init__(
        self,
        *,
        provider: Callable[[ProjectSettings], Provider],
        observer: Observer,
        clock: Clock,
        cancelled: threading.Event,
        on_rate_change: OnRateChange,
        total_shards: int = 1,
        start: float = START,
        make_rate: Callable[..., RequestRate] = RequestRate,
        make_transport: Callable[..., Transport] = Transport,
    ) -> None:
        self._provider = provider
        self._observer = observer
        self._clock = clock
        self._cancelled = cancelled
        self._on_rate_change = on_rate_change
        self._total_shards = total_shards
        self._start = start / total_shards
        self._make_rate = make_rate
        self._make_transport = make_transport
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str | None, ProjectSettings], SlsClient] = {}
        self._rates: dict[tuple[str, str | None], RequestRate] = {}
        self._transports: dict[HttpConfig, Transport] = {}

    def get(self, settings: ProjectSettings, project: str | None) -> SlsClient:
        """Return the client of a project, or (None) of its endpoint; raises CredentialsError."""
        key = str(settings.endpoint), project, settings
        with self._lock:
            provider = self._provider(settings)
            rate = self._rate(settings, project)
            client = self._clients.get(key)
            if client is None:
                client = SlsClient(
                    settings,
                    project,
                    transport=self._transport(settings.http),
                    rate=rate,
                    credentials=provider,
                    observer=self._observer,
                    clock=self._clock,
                    cancelled=self._cancelled,
                )
                self._clients[key] = client
            return client

    def forget_others(self, live: Collection[ProjectSettings]) -> None:
        """Forget the clients of settings that are not in use any more."""
        with self._lock:
            self._clients = {key: client for key, client in self._clients.items() if key[2] in live}

    def close(self) -> None:
        """Close idle connections."""
        with self._lock:  # a reload under way may add one
            transports = list(self._transports.values())
        for transport in transports:
            transport.close()

    def _rate(self, settings: ProjectSettings, project: str | None) -> RequestRate:
        """Return the request rate of a project, with this exporter's share as its ceiling."""
        endpoint = str(settings.endpoint)
        ceiling = settings.polling.requests_per_second / self._total_shards
        rate = self._rates.get((endpoint, project))
        if rate is None:
            rate = self._rates[endpoint, project] = self._make_rate(ceiling, start=self._start)
            if project is not None:
                rate.on_change = partial(self._on_rate_change, endpoint, project)
        rate.set_ceiling(ceiling)
        return rate

    def _transport(self, http: HttpConfig) -> Transport:
        if http not in self._transports:
            self._transports[http] = self._make_transport(
                cancelled=self._cancelled,
                ca_file=http.ca_file,
                proxy_from_environment=http.proxy_from_environment,
                user_agent=f"sls-exporter/{__version__}",
            )
        return self._transports[http]
