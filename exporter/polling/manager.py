"""All targets, each with its poller. Names are resolved here, and targets change by difference.

A scheduler or a single round calls ``poll`` and ``discover``; this module knows no schedule.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

from msgspec.structs import replace

from exporter.base.clock import Clock
from exporter.config.schema import Config
from exporter.logs.logger import Logger
from exporter.model.names import GroupKey, TargetKey
from exporter.model.snapshot import TargetStatus
from exporter.polling.discovery import Discovery, Listings
from exporter.polling.logstore_reader import LogstoreReader
from exporter.polling.outages import Outages
from exporter.polling.poller import Poller
from exporter.polling.sharding import Sharding
from exporter.polling.store import Store
from exporter.polling.targets import Target
from exporter.sls.clients import Clients
from exporter.sls.errors import Cancelled


class PollCounts(Protocol):
    """Counts of polls and of their failures."""

    def poll_ended(self, seconds: float) -> None:
        """Count a completed poll."""
        ...

    def poll_failed(self, key: GroupKey, code: str) -> None:
        """Count a failure; an empty consumer group stands for the logstore."""
        ...

    def keep_only(self, groups: Collection[GroupKey]) -> None:
        """Forget the failures of all other groups."""
        ...


class PollManager:
    """Polls the targets of a configuration into a store.

    ``on_status`` gets each new status, ``on_groups`` all groups whenever the targets change. Raises
    CredentialsError if keys that the configuration needs cannot be obtained.
    """

    def __init__(
        self,
        config: Config,
        *,
        clients: Clients,
        store: Store,
        counts: PollCounts,
        sharding: Sharding,
        log: Logger,
        clock: Clock,
        on_status: Callable[[TargetStatus], None],
        on_groups: Callable[[Collection[GroupKey]], None],
    ) -> None:
        self._clients = clients
        self._store = store
        self._counts = counts
        self._sharding = sharding
        self._log = log
        self._clock = clock
        self._on_status = on_status
        self._on_groups = on_groups
        self._listing_outages = Outages(counts.poll_failed, log, clock=clock)
        self._listings: Listings = {}
        self._targets_lock = threading.Lock()
        self._members: Mapping[TargetKey, _Member] = {}
        self._kept: Collection[GroupKey] = ()
        self.discovered = False
        """Whether every name was resolved once."""
        self.configure(config)

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._config

    @property
    def needs_listings(self) -> bool:
        """Whether names are resolved by listings."""
        return self._discovery.needs_listings

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets, in the order of project and logstore."""
        return tuple(self._members[key].target for key in sorted(self._members))

    def configure(self, config: Config) -> None:
        """Apply a configuration: plain names immediately, patterns as they were last listed.

        Raises CredentialsError if keys that it needs cannot be obtained. Nothing changes then.
        """
        discovery = Discovery(
            config,
            client_for=self._clients.get,
            observer=self._listing_outages,
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

    def discover(self) -> None:
        """Resolve the configured names again and apply the targets that they stand for."""
        discovery = self._discovery
        try:
            targets = discovery.resolve()
        except Cancelled:
            return
        self._listing_outages.end_poll()
        with self._targets_lock:
            if discovery is self._discovery:  # otherwise a reload has overtaken the listings
                self._set_targets(targets)
                self.discovered = True

    def poll(self, key: TargetKey) -> None:
        """Poll one target and store its new status. A stop keeps the old one."""
        member = self._members.get(key)
        if member is None:
            return
        started = self._clock.monotonic()
        try:
            status = member.poller.poll(self._store.get(key))
        except Cancelled:
            return
        self._counts.poll_ended(self._clock.monotonic() - started)
        if self._members.get(key) is not member:
            # The target left, or changed, during its poll: nothing of the old one may stay.
            self._counts.keep_only(self._kept)
            return
        self._store.put(status)
        self._on_status(status)
        member.outages.end_poll({group.key.consumer_group for group in status.groups if group.up})

    def _set_targets(self, targets: Iterable[Target]) -> None:
        """Apply a new set of targets. Unchanged targets keep their pollers.

        Failures of removed targets are forgotten, except those of listings that still fail.
        """
        members = {target.key: self._member(target) for target in targets}
        self._members = members
        groups = {
            key: {group.name for group in member.target.groups} for key, member in members.items()
        }
        self._store.expect(groups)
        polled = {GroupKey(*key, name) for key in groups for name in groups[key]}
        self._kept = polled | self._listing_outages.failing
        self._counts.keep_only(self._kept)
        self._on_groups(polled)

    def _member(self, target: Target) -> "_Member":
        known = self._members.get(target.key)
        if known is not None and known.target == target:
            return known
        outages = (
            known.outages
            if known
            else Outages(self._counts.poll_failed, self._log, clock=self._clock)
        )
        client = self._clients.get(target.settings, target.key.project)
        if known is not None and replace(known.target, groups=target.groups) == target:
            # Only its groups have changed, so the knowledge about the logstore is still true.
            logstore = known.logstore
        else:
            logstore = LogstoreReader(target, client, clock=self._clock, observer=outages)
        poller = Poller(target, client, logstore=logstore, clock=self._clock, observer=outages)
        return _Member(target, poller, logstore, outages)


class _Member:
    """A target with what polls it."""

    def __init__(
        self, target: Target, poller: Poller, logstore: LogstoreReader, outages: Outages
    ) -> None:
        self.target = target
        self.poller = poller
        self.logstore = logstore
        self.outages = outages
