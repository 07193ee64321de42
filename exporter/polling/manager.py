"""The polls and the discovery of a configuration, whose results go to a store.

A scheduler or a single round calls ``poll`` and ``discover``, as this module has no schedule.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from exporter.base.clock import Clock
from exporter.config.schema import Config
from exporter.logs.logger import Logger
from exporter.model.names import GroupKey, ProjectKey, TargetKey
from exporter.model.snapshot import EntryStatus, GroupStatus, Labels
from exporter.polling.capacity import Demand, count_shards, demands
from exporter.polling.conflicts import ConflictReports
from exporter.polling.discovery import Discovery, Found
from exporter.polling.hooks import Hooks
from exporter.polling.listings import ListingKey, Listings
from exporter.polling.matches import MatchReports
from exporter.polling.members import Member, Members
from exporter.polling.poller import Effort
from exporter.polling.scope import Scope
from exporter.polling.store import Store
from exporter.polling.targets import Target
from exporter.polling.workers import Pool, Workers
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
        scope: Scope,
        log: Logger,
        clock: Clock,
        is_single_round: bool = False,
    ) -> None:
        self._clients = clients
        self._store = store
        self._conflicts = ConflictReports(log)
        self._matches = MatchReports(log)
        self._hooks = hooks
        self._counts = counts = hooks.counts
        self._scope = scope
        self._clock = clock
        self._workers = workers
        self._is_single_round = is_single_round
        self._listings = Listings(counts.poll_failed, log, clock=clock)
        self._targets_lock = threading.Lock()
        self._members = Members(clients, count=counts.poll_failed, log=log, clock=clock)
        self._kept: Mapping[GroupKey, Labels] = MappingProxyType({})
        self._projects: Collection[ProjectKey] = ()
        self._needed: Collection[ListingKey] = ()
        self.on_progress: Callable[[TargetKey], None] = lambda _: None
        """Called after each request of a poll."""
        self.on_targets: Callable[[], None] = lambda: None
        """Called when the targets have changed while a discovery goes on."""
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
        """The targets, in the order of their keys."""
        members = self._members.by_key
        return tuple(members[key].target for key in sorted(members))

    def demands(self) -> Sequence[Demand]:
        """Return the demand of the polls of each project, from known shards and latencies."""
        members = self._members.by_key
        shards = {
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
        return demands(targets, shards=shards, seconds=seconds)

    def report_usage(self) -> None:
        """Report the share of the interval that the polls of each project take at present."""
        with self._targets_lock:
            for place, load in self._members.loads.items():
                self._counts.interval_usage(*place, load.usage_ratio())

    def configure(self, config: Config) -> None:
        """Apply a configuration: plain names immediately, patterns as they were last listed.

        Raises CredentialsError if keys that it needs cannot be obtained. Nothing changes then.
        """
        discovery = Discovery(
            config,
            client_for=self._clients.get,
            listings=self._listings,
            on_entry=lambda status: self._put_entry(discovery, status),
            scope=self._scope,
        )
        settings = discovery.settings
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
        whether the targets have changed at the end.
        """
        discovery = self._discovery
        try:
            found = discovery.resolve(
                only_due=only_due,
                on_wait=self._apply_known,
                is_current=lambda: discovery is self._discovery,
            )
        except Cancelled:
            return False
        with self._targets_lock:
            if discovery is not self._discovery:  # a reload has overtaken the listings
                self._listings.keep_only(self._needed)
                self._forget_others()
                return False
            has_changed = self._apply(found)
            self.discovered = True
            return has_changed

    def seconds_to_listing(self) -> float | None:
        """Return the seconds until a listing that never succeeded is due; None without one."""
        return self._listings.seconds_to_due()

    def poll(self, key: TargetKey) -> bool:
        """Poll one target and store its new status. Return False if a stop or a change ended it."""
        member = self._members.by_key.get(key)
        if member is None:
            return False
        # If a reload moves a job to other threads, a queued run is run twice.
        if not member.logstore.turn.acquire(blocking=False):
            self._counts.poll_skipped()
            return True
        try:
            return self._poll(member)
        finally:
            member.logstore.turn.release()

    def _poll(self, member: Member) -> bool:
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
            return False
        finally:
            member.load.ended(key.logstore, status)
        self._counts.poll_ended(self._clock.monotonic() - started)
        self._counts.interval_usage(*key.project_key, member.load.usage_ratio())
        if self._members.by_key.get(key) is not member:
            # The target was removed or changed during its poll, so discard the result.
            self._forget_others()
            return False
        self._store.put(status)
        self._hooks.on_status(status)
        member.outages.end_poll({group.key.consumer_group for group in status.groups if group.up})
        return True

    def _progress(self, member: Member) -> None:
        """Note a response of a poll, or end the poll if its target was removed or changed."""
        key = member.target.key
        if self._members.by_key.get(key) is not member:
            raise _Outdated
        self.on_progress(key)

    def _publish(self, member: Member, group: GroupStatus, monotonic: float) -> None:
        key = member.target.key
        is_current = self._members.by_key.get(key) is member
        if is_current and self._store.put_group(key, group, monotonic=monotonic):
            self._hooks.on_group(group)

    def _effort(self, member: Member) -> Effort:
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

    def _apply(self, found: Found) -> bool:
        self._needed = found.needed
        self._listings.keep_only(found.needed)
        self._store.keep_entries({listing.entry for listing in found.needed})
        has_changed = self._set_targets(found)
        self.unread_listings = self._listings.unread
        return has_changed

    def _apply_known(self) -> None:
        """Apply the targets that are known while other projects are still being listed."""
        with self._targets_lock:
            has_changed = self._set_targets(self._discovery.known())
        if has_changed:
            self.on_targets()

    def _set_targets(self, found: Found) -> bool:
        """Apply a new set of targets, and return whether it differs.

        Failures of removed targets are forgotten, except those of listings that still fail.
        """
        has_changed = self._members.update(found.targets)
        self._counts.keep_only_projects(self._members.loads.keys())
        groups = {target.key: {group.name for group in target.groups} for target in found.targets}
        self._store.expect(groups, found.conflicts, found.matches)
        self._conflicts.report(found.conflicts)
        self._matches.report(found.matches)
        polled = {GroupKey(*key, name) for key in groups for name in groups[key]}
        self._kept = {**dict.fromkeys(self._listings.failing, ()), **_labels(found.targets)}
        self._projects = found.projects
        self._forget_others()
        self._hooks.on_groups(polled)
        return has_changed

    def _forget_others(self) -> None:
        """Forget what was counted about anything that the configuration does not name any more."""
        self._counts.keep_only(self._kept)
        self._counts.keep_only_requests(self._projects)


def _labels(targets: Iterable[Target]) -> Mapping[GroupKey, Labels]:
    """Return the constant labels of each logstore, with an empty group, and of each group."""
    return {
        GroupKey(*target.key, name): labels
        for target in targets
        for name, labels in (
            ("", target.labels),
            *((group.name, group.settings.labels) for group in target.groups),
        )
    }


class _Outdated(Exception):  # noqa: N818  not an error
    """A signal that ends the poll of a removed or changed target."""


def pool_of(target: Target) -> Pool:
    """Return the pool of threads that a target is polled on."""
    endpoint, project = target.key.project_key
    return Pool(name=f"project {project} at {endpoint}", workers=target.settings.polling.workers)
