"""All targets, each with its poller. A change of targets affects only those that differ.

A scheduler or a single round calls ``poll`` and ``discover``, as this module has no schedule.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from exporter.base.clock import Clock
from exporter.config.schema import Config
from exporter.config.settings import project_settings
from exporter.logs.logger import Logger
from exporter.model.names import GroupKey, TargetKey
from exporter.model.snapshot import EntryStatus, GroupStatus
from exporter.polling.capacity import Demand, count_shards, demands
from exporter.polling.discovery import Discovery, Found
from exporter.polling.failures import first_read_seconds
from exporter.polling.hooks import Hooks
from exporter.polling.listings import Listings
from exporter.polling.logstore_reader import LogstoreReader
from exporter.polling.outages import Outages
from exporter.polling.poller import Effort, Poller
from exporter.polling.project_load import ProjectLoad
from exporter.polling.sharding import Sharding
from exporter.polling.store import Store
from exporter.polling.targets import Target
from exporter.polling.workers import Pool, Workers
from exporter.sls.client import SlsClient
from exporter.sls.clients import Clients
from exporter.sls.errors import Cancelled

_THOROUGH = 1_000, 64  # largest numbers of readings of a poll that make values more exact


class PollManager:
    """The pollers of a configuration, which write to a store.

    ``is_single_round`` makes the values of the first poll of each target exact. Raises
    CredentialsError if keys that the configuration needs cannot be obtained.
    """

    def __init__(
        self,
        config: Config,
        *,
        clients: Clients,
        store: Store,
        workers: Workers,
        hooks: Hooks,
        sharding: Sharding,
        log: Logger,
        clock: Clock,
        is_single_round: bool = False,
    ) -> None:
        self._clients = clients
        self._store = store
        self._hooks = hooks
        self._counts = counts = hooks.counts
        self._sharding = sharding
        self._log = log
        self._clock = clock
        self._workers = workers
        self._is_single_round = is_single_round
        self._listings = Listings(counts.poll_failed, log, clock=clock)
        self._targets_lock = threading.Lock()
        self._members: Mapping[TargetKey, _Member] = {}
        self._loads: dict[tuple[str, str], ProjectLoad] = {}
        self._kept: Collection[GroupKey] = ()
        self._places: Collection[tuple[str, str]] = ()
        self.on_progress: Callable[[TargetKey], None] = lambda _: None
        """Called after each request of a poll."""
        self.discovered = False
        """Whether every name has been resolved at least once, as far as listings succeeded."""
        self.unread_listings = 0
        """Number of listings that have never succeeded for a reason that can pass by itself."""
        self.configure(config)

    @property
    def config(self) -> Config:
        """The current configuration."""
        return self._config

    @property
    def needs_listings(self) -> bool:
        """True if listings are needed to resolve names."""
        return self._discovery.needs_listings

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets, in the order of project and logstore."""
        return tuple(self._members[key].target for key in sorted(self._members))

    def demands(self) -> Sequence[Demand]:
        """Return the demand of the polls of each project, from known shards and latencies."""
        members = self._members
        counted = {
            status.key: count
            for status in self._store.view().targets
            if status.key in members
            and (count := count_shards(members[status.key].target, status)) is not None
        }
        seconds = {
            key: latency
            for key, member in members.items()
            if (latency := member.client.latency) is not None
        }
        targets = [members[key].target for key in sorted(members)]
        return demands(
            targets,
            shards={key: shards for key, (shards, _) in counted.items()},
            others={key: others for key, (_, others) in counted.items()},
            seconds=seconds,
        )

    def configure(self, config: Config) -> None:
        """Apply a configuration: plain names immediately, patterns as they were last listed.

        Raises CredentialsError if keys that it needs cannot be obtained. Nothing changes then.
        """
        discovery = Discovery(
            config,
            client_for=self._clients.get,
            listings=self._listings,
            on_entry=lambda status: self._put_entry(discovery, status),
            owns=self._sharding.owns,
        )
        settings = {project_settings(config, project) for project in config.projects}
        with self._targets_lock:
            for each in settings:
                self._clients.get(each, None)
            self._apply(discovery.known())
            self._config, self._discovery = config, discovery
            self._clients.forget_others(settings)
        self.discovered = self.discovered or not discovery.needs_listings

    def discover(self, *, only_due: bool = False) -> bool:
        """Resolve the configured names again and apply the targets that they stand for.

        With ``only_due``, read only listings that have never succeeded and are due again. Return
        whether the targets have changed.
        """
        discovery = self._discovery
        try:
            found = discovery.resolve(only_due=only_due)
        except Cancelled:
            return False
        with self._targets_lock:
            if discovery is not self._discovery:  # a reload has overtaken the listings
                self._forget_others()
                return False
            before = self._members
            self._apply(found)
            self.discovered = True
            return before != self._members

    def seconds_to_listing(self) -> float | None:
        """Return the seconds until a listing that never succeeded is due; None without one."""
        return self._listings.seconds_to_due()

    def seconds_to_poll(self, key: TargetKey) -> float | None:
        """Return the seconds until a target of which nothing was read is due; None otherwise."""
        status = self._store.get(key)
        return first_read_seconds(status, self._clock.wall()) if status else None

    def poll(self, key: TargetKey) -> None:
        """Poll one target and store its new status. A stop keeps the old one."""
        member = self._members.get(key)
        if member is None:
            return
        # If a reload moves a job to other threads, a queued run is run twice.
        if not member.logstore.turn.acquire(blocking=False):
            self._counts.poll_skipped()
            return
        try:
            self._poll(member)
        finally:
            member.logstore.turn.release()

    def _poll(self, member: "_Member") -> None:
        key = member.target.key
        started = self._clock.monotonic()
        status = None
        try:
            status = member.poller.poll(
                self._store.get(key),
                effort=self._effort(member),
                publish=lambda group: self._publish(member, group, started),
                on_fan=lambda fan: member.load.started(key.logstore, fan),
                on_response=lambda: self._progress(member),
            )
        except (Cancelled, _Outdated):
            self._forget_others()
            return
        finally:
            member.load.ended(key.logstore, status)
        self._counts.poll_ended(self._clock.monotonic() - started)
        place = str(member.target.settings.endpoint), key.project
        self._counts.interval_usage(*place, member.load.usage_ratio())
        if self._members.get(key) is not member:
            # The target was removed or changed during its poll, so discard the result.
            self._forget_others()
            return
        self._store.put(status)
        self._hooks.on_status(status)
        member.outages.end_poll({group.key.consumer_group for group in status.groups if group.up})

    def _progress(self, member: "_Member") -> None:
        """Note a response of a poll, or end the poll if its target was removed or changed."""
        key = member.target.key
        if self._members.get(key) is not member:
            raise _Outdated
        self.on_progress(key)

    def _publish(self, member: "_Member", group: GroupStatus, monotonic: float) -> None:
        key = member.target.key
        is_current = self._members.get(key) is member
        if is_current and self._store.put_group(key, group, monotonic=monotonic):
            self._hooks.on_group(group)

    def _effort(self, member: "_Member") -> Effort:
        settings = member.target.settings
        budget, exact = member.load.budget(settings.polling.interval, member.client.rate.limit)
        if self._is_single_round:  # no later poll makes its values more exact
            budget, exact = _THOROUGH
        pool = pool_of(member.target)
        return Effort(
            submit=lambda run: self._workers.submit(pool, run),
            width=settings.polling.workers,
            budget=budget,
            exact=exact,
        )

    def _put_entry(self, discovery: Discovery, status: EntryStatus) -> None:
        with self._targets_lock:
            if discovery is self._discovery:
                self._store.put_entry(status)

    def _apply(self, found: Found) -> None:
        self._listings.keep_only(found.needed)
        self._store.keep_entries({place.key for place in found.needed})
        self._set_targets(found.targets, found.places)
        self.unread_listings = self._listings.unread

    def _set_targets(self, targets: Iterable[Target], places: Collection[tuple[str, str]]) -> None:
        """Apply a new set of targets. Unchanged targets keep their pollers.

        ``places`` are the endpoints and projects that requests are sent to.
        Failures of removed targets are forgotten, except those of listings that still fail.
        """
        loads: dict[tuple[str, str], ProjectLoad] = {}
        members = {target.key: self._member(target, loads) for target in targets}
        self._members, self._loads = members, loads
        for load in loads.values():
            load.keep_only({key.logstore for key, member in members.items() if member.load is load})
        self._counts.keep_only_projects(loads.keys())
        groups = {
            key: {group.name for group in member.target.groups} for key, member in members.items()
        }
        self._store.expect(groups)
        polled = {GroupKey(*key, name) for key in groups for name in groups[key]}
        self._kept, self._places = polled | self._listings.failing, places
        self._forget_others()
        self._hooks.on_groups(polled)

    def _forget_others(self) -> None:
        """Forget what was counted about anything that the configuration does not name any more."""
        self._counts.keep_only(self._kept)
        self._counts.keep_only_requests(self._places)

    def _member(self, target: Target, loads: dict[tuple[str, str], ProjectLoad]) -> "_Member":
        known = self._members.get(target.key)
        load = self._load(target, loads)
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
        client.rate.needed = load.needed
        return _Member(
            target=target,
            poller=poller,
            logstore=logstore,
            outages=outages,
            client=client,
            load=load,
        )

    def _load(self, target: Target, loads: dict[tuple[str, str], ProjectLoad]) -> ProjectLoad:
        place = str(target.settings.endpoint), target.key.project
        load = loads.get(place)
        if load is None:
            load = loads[place] = self._loads.get(place) or ProjectLoad(
                monotonic=self._clock.monotonic
            )
        load.expect(target)
        return load


class _Member(Struct, frozen=True, kw_only=True, eq=False):
    """A target with its poller and its client."""

    target: Target
    poller: Poller
    logstore: LogstoreReader
    outages: Outages
    client: SlsClient
    load: ProjectLoad


class _Outdated(Exception):  # noqa: N818  not an error
    """A signal that ends the poll of a removed or changed target."""


def pool_of(target: Target) -> Pool:
    """Return the pool of threads that a target is polled on."""
    return Pool(name=f"project {target.key.project}", workers=target.settings.polling.workers)
