"""All targets with what polls them: clients, throttles and pollers, built by difference.

It does not know when polls happen: a scheduler or a single round calls ``poll``.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping

from msgspec.structs import replace

from exporter import __version__
from exporter.base.clock import Clock
from exporter.config import HttpConfig, ProjectSettings
from exporter.keychain import Provider, provider
from exporter.logs.logger import Logger
from exporter.logstore import LogstoreReader
from exporter.metrics.own import OwnMetrics
from exporter.model.names import GroupKey, TargetKey
from exporter.model.snapshot import Store, TargetStatus
from exporter.poller import Poller
from exporter.reporter import Reporter
from exporter.sls import Cancelled, ClientSettings, SlsClient, Throttle, Transport
from exporter.targets import Target


class Clients:
    """The clients of projects; one throttle a project, one transport a way of reaching the API."""

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        own: OwnMetrics,
        clock: Clock,
        cancelled: threading.Event,
    ) -> None:
        self._environ = environ
        self._own = own
        self._clock = clock
        self._cancelled = cancelled
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str | None, ProjectSettings], SlsClient] = {}
        self._throttles: dict[tuple[str, str | None, float], Throttle] = {}
        self._transports: dict[HttpConfig, Transport] = {}
        self._providers: list[tuple[object, Provider]] = []

    def get(self, settings: ProjectSettings, project: str | None) -> SlsClient:
        """Return the client of a project, or (None) of its endpoint; raises CredentialsError."""
        place = (str(settings.endpoint), project)
        with self._lock:
            client = self._clients.get((*place, settings))
            if client is None:
                throttle = self._throttles.setdefault(
                    (*place, settings.requests_per_second),
                    Throttle(settings.requests_per_second),
                )
                client = SlsClient(
                    ClientSettings(
                        endpoint=settings.endpoint,
                        project=project,
                        signature=settings.signature,
                        region=settings.region,
                        timeout=settings.timeout,
                    ),
                    transport=self._transport(settings.http),
                    throttle=throttle,
                    credentials=self._provider(settings),
                    observer=self._own,
                    clock=self._clock,
                    cancelled=self._cancelled,
                )
                self._clients[*place, settings] = client
            return client

    def forget_others(self, live: Collection[ProjectSettings]) -> None:
        """Forget the clients of settings that are not in use any more."""
        with self._lock:
            self._clients = {
                place: client for place, client in self._clients.items() if place[2] in live
            }

    def close(self) -> None:
        """Close idle connections."""
        with self._lock:  # a reload under way may add one
            transports = list(self._transports.values())
        for transport in transports:
            transport.close()

    def _transport(self, http: HttpConfig) -> Transport:
        if http not in self._transports:
            self._transports[http] = Transport(
                cancelled=self._cancelled,
                ca_file=http.ca_file,
                proxy_from_environment=http.proxy_from_environment,
                user_agent=f"sls-exporter/{__version__}",
            )
        return self._transports[http]

    def _provider(self, settings: ProjectSettings) -> Provider:
        for config, known in self._providers:
            if config == settings.credentials:
                return known
        made = provider(
            settings.credentials, self._environ, clock=self._clock, cancelled=self._cancelled
        )
        self._providers.append((settings.credentials, made))
        return made


class Fleet:
    """Polls targets into the store, each with its own poller and reporter."""

    def __init__(
        self,
        clients: Clients,
        store: Store,
        *,
        own: OwnMetrics,
        log: Logger,
        clock: Clock,
        on_status: Callable[[TargetStatus], None],
    ) -> None:
        self._on_status = on_status
        self._clients = clients
        self._store = store
        self._own = own
        self._log = log
        self._clock = clock
        self._members: Mapping[TargetKey, _Member] = {}
        self._kept: Collection[GroupKey] = ()

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets, in the order of project and logstore."""
        return tuple(self._members[key].target for key in sorted(self._members))

    def set_targets(self, targets: Iterable[Target], *, failing: Collection[GroupKey] = ()) -> None:
        """Take over a new set of targets; those that stay as they are keep their pollers.

        Errors of what has left are forgotten, but not of what is ``failing`` to be found. Raises
        CredentialsError if a target's credentials cannot be had; nothing is changed then.
        """
        members = {target.key: self._member(target) for target in targets}
        self._members = members
        groups = {
            key: {group.name for group in member.target.groups} for key, member in members.items()
        }
        self._store.expect(groups)
        self._kept = {GroupKey(*key, name) for key in groups for name in groups[key]} | set(failing)
        self._own.keep_only(self._kept)

    def poll(self, key: TargetKey) -> None:
        """Poll one target and put its new status in the store; a stop leaves the old one."""
        member = self._members.get(key)
        if member is None:
            return
        started = self._clock.monotonic()
        try:
            status = member.poller.poll(self._store.get(key))
        except Cancelled:
            return
        self._own.poll_ended(self._clock.monotonic() - started)
        if self._members.get(key) is not member:
            # The target left, or changed, while it was polled: nothing of the old one may stay.
            self._own.keep_only(self._kept)
            return
        self._store.put(status)
        self._on_status(status)
        member.reporter.end_poll({group.key.consumer_group for group in status.groups if group.up})

    def _member(self, target: Target) -> "_Member":
        known = self._members.get(target.key)
        if known is not None and known.target == target:
            return known
        reporter = known.reporter if known else Reporter(self._own, self._log, clock=self._clock)
        client = self._clients.get(target.settings, target.key.project)
        if known is not None and replace(known.target, groups=target.groups) == target:
            # Only its groups have changed; what is known of the logstore is as true as before.
            logstore = known.logstore
        else:
            logstore = LogstoreReader(target, client, clock=self._clock, observer=reporter)
        poller = Poller(target, client, logstore=logstore, clock=self._clock, observer=reporter)
        return _Member(target, poller, logstore, reporter)


class _Member:
    """A target with what polls it."""

    def __init__(
        self, target: Target, poller: Poller, logstore: LogstoreReader, reporter: Reporter
    ) -> None:
        self.target = target
        self.poller = poller
        self.logstore = logstore
        self.reporter = reporter
