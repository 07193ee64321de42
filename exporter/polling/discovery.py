"""Targets from the patterns of the configuration, with only the listings that patterns need.

A listing that fails removes nothing, since the last successful listing replaces it. A listing that
succeeds counts, even if it is empty.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from operator import itemgetter
from typing import Any

from msgspec import Struct

from exporter.config.patterns import any_matches
from exporter.config.problems import KeyPath
from exporter.config.schema import Config
from exporter.config.selectors import Decision, ProjectSelectors, Selector, Selectors, decide
from exporter.config.settings import ProjectSettings
from exporter.model.names import ProjectKey, TargetKey
from exporter.model.shards import ConsumerGroup
from exporter.model.snapshot import Conflict, EntryStatus
from exporter.polling.conflicts import separate
from exporter.polling.fanout import LIMIT, Unresponsive
from exporter.polling.listings import ListingKey, ListingReader, Listings, listing_key
from exporter.polling.matches import count_matches
from exporter.polling.scope import Scope
from exporter.polling.targets import GroupTarget, Target
from exporter.sls.client import SlsClient
from exporter.sls.errors import Throttled
from exporter.sls.json_values import Parsed

ClientFor = Callable[[ProjectSettings, str | None], SlsClient]
"""Returns the client of a project, or (None) of an endpoint without a project."""

_PROJECTS_AT_ONCE = 8
_WAIT_SECONDS = 5.0

_Map = Callable[..., Iterable[Any]]
_Ordered = tuple[KeyPath, Target]


class Found(Struct, frozen=True, kw_only=True):
    """The targets of a configuration, and the listings that it needs to find them."""

    targets: tuple[Target, ...]
    conflicts: tuple[Conflict, ...]
    matches: Mapping[str, int]
    """The number of groups that match each item of the configuration, as far as known."""
    needed: frozenset[ListingKey]
    projects: frozenset[ProjectKey]
    """The projects that requests are sent to."""


class Discovery:
    """A resolver of a configuration into targets, which is used repeatedly.

    ``listings`` contains the last successful ones, and another configuration may keep using them.
    ``on_entry`` gets the status of each listing that was attempted. A logstore that is not in
    ``scope`` causes no requests.
    """

    def __init__(
        self,
        config: Config,
        *,
        client_for: ClientFor,
        listings: Listings,
        on_entry: Callable[[EntryStatus], None],
        scope: Scope,
    ) -> None:
        self._config = config
        self._selectors = Selectors(config)
        self._client_for = client_for
        self._listings = listings
        self._on_entry = on_entry
        self._scope = scope

    @property
    def settings(self) -> frozenset[ProjectSettings]:
        """The settings of all projects, at each of their endpoints."""
        return frozenset(owner.settings for owner in self._selectors.projects)

    @property
    def needs_listings(self) -> bool:
        """True if any name is a pattern that only a listing can resolve."""
        return any(
            not pattern.literal
            for project in self._config.projects
            for logstore in project.logstores
            for pattern in (project.project, logstore.logstore, *logstore.group_names)
        )

    def known(self) -> Found:
        """Return the targets of literal names and earlier listings, without requests."""
        return self._found(ListingReader(self._listings, lambda _: False, self._on_entry), map)

    def resolve(
        self,
        *,
        only_due: bool = False,
        on_wait: Callable[[], None] = lambda: None,
        is_current: Callable[[], bool] = lambda: True,
    ) -> Found:
        """Return all targets, from new listings. Raises Cancelled when the exporter stops.

        With ``only_due``, read only listings that have never succeeded and are due again. If this
        takes long, ``on_wait`` is called from time to time. When ``is_current`` returns False, no
        more listings are read.
        """
        is_due = self._listings.is_due if only_due else lambda _: True
        with ThreadPoolExecutor(_PROJECTS_AT_ONCE) as pool:

            def run(function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
                futures = [pool.submit(function, item) for item in items]
                while wait(futures, timeout=_WAIT_SECONDS).not_done:
                    on_wait()
                return [future.result() for future in futures]

            reader = ListingReader(
                self._listings, lambda key: is_current() and is_due(key), self._on_entry
            )
            return self._found(reader, run)

    def _found(self, reader: ListingReader, run: _Map) -> Found:
        names = run(partial(self._project_names, reader), self._selectors.projects)
        # A project that several entries find appears once for each of its endpoints.
        projects = dict.fromkeys(
            ProjectKey(str(owner.settings.endpoint), name)
            for owner, found in zip(self._selectors.projects, names, strict=True)
            for name in found
        )
        resolved = run(partial(self._resolve_project, reader), projects)
        ordered = sorted((each for found in resolved for each in found), key=itemgetter(0))
        in_order = [target for _, target in ordered]
        targets, conflicts = separate(in_order)
        listed = {ProjectKey(*key.entry[:2]) for key in reader.needed}
        unread = self._listings.never_read(reader.needed)
        matches = count_matches(
            self._selectors, in_order, unread if self._scope.has_all_names else None
        )
        return Found(
            targets=targets,
            conflicts=conflicts,
            matches=matches,
            needed=frozenset(reader.needed),
            projects=frozenset(projects.keys() | listed),
        )

    def _resolve_project(self, reader: ListingReader, key: ProjectKey) -> list[_Ordered]:
        """Return the targets of a project, each with the order of its first item in the file."""
        owners = self._selectors.of_project(*key)
        project = _Project(self._client_for, reader, key)
        logstores = dict.fromkeys(
            logstore
            for owner in owners
            for selector in owner.all
            for logstore in project.logstores(selector)
            if not selector.excludes_logstore(logstore)
        )
        targets = [
            self._target(project, logstore, [each for o in owners for each in o.matching(logstore)])
            for logstore in logstores
            if self._scope.has_target(TargetKey(*key, logstore))
        ]
        return [target for target in targets if target is not None]

    def _target(
        self, project: "_Project", logstore: str, selectors: Sequence[Selector]
    ) -> _Ordered | None:
        """Return a logstore with its consumer groups; None if there are none.

        The first of ``selectors`` that decides about a group also decides about the logstore.
        """
        listed: dict[str, ConsumerGroup] = {}
        names: set[str] = set()
        for selector in selectors:
            if not selector.excludes_logstore(logstore):
                names.update(selector.plain_names)
                listed.update(project.groups(selector, logstore))
        decisions = {
            name: decision
            for name in sorted(names | listed.keys())
            if (decision := decide(selectors, logstore, name))
        }
        deciding = {id(decision.selector) for decision in decisions.values()}
        first = next((each for each in selectors if id(each) in deciding), None)
        groups = tuple(
            _group(name, decision, listed.get(name))
            for name, decision in decisions.items()
            if self._scope.has_group(name)
        )
        if first is None or not groups:
            return None
        # The order must not depend on which groups exist, so that the same target stays.
        order = min(each.order for each in selectors if not each.excludes_logstore(logstore))
        return order, Target(
            key=TargetKey(*project.key, logstore),
            groups=groups,
            settings=first.project_settings,
            labels=first.labels,
            refresh_seconds=self._config.discovery.interval,
        )

    def _project_names(self, reader: ListingReader, owner: ProjectSelectors) -> list[str]:
        return [
            name
            for name in self._matching_projects(reader, owner)
            if not any_matches(self._config.exclude_projects, name)
            and self._scope.has_project(name)
        ]

    def _matching_projects(self, reader: ListingReader, owner: ProjectSelectors) -> Iterable[str]:
        pattern, settings = owner.project.project, owner.settings
        if pattern.literal:
            return [pattern.text]
        client = self._client_for(settings, None)
        key = listing_key(settings)
        reported = TargetKey(key.entry.sls_endpoint, pattern.text, "")
        found = reader.entries(key, reported, client.list_projects)
        return [name for name in _names(found) if pattern.matches(name)]


class _Project:
    """One project at one endpoint, whose listings a pass needs."""

    def __init__(self, client_for: ClientFor, reader: ListingReader, key: ProjectKey) -> None:
        self.key = key
        self._client_for = client_for
        self._reader = reader
        self._unresponsive = Unresponsive[str](trusting=False)
        self._refusals: list[Throttled] = []

    def logstores(self, selector: Selector) -> Iterable[str]:
        """Return the logstores that an item selects, even if they are excluded."""
        pattern, settings = selector.logstore.logstore, selector.project_settings
        if pattern.literal:
            return [pattern.text]
        found = self._reader.entries(
            listing_key(settings, self.key.project),
            TargetKey(*self.key, ""),
            lambda: self._ask("", self._client(settings).list_logstores),
        )
        return [name for name in _names(found) if pattern.matches(name)]

    def groups(self, selector: Selector, logstore: str) -> Mapping[str, ConsumerGroup]:
        """Return all consumer groups of a logstore if an item needs their listing."""
        if not selector.needs_listing:
            return {}
        settings = selector.project_settings
        found = self._reader.entries(
            listing_key(settings, self.key.project, logstore),
            TargetKey(*self.key, logstore),
            lambda: self._ask(
                logstore, lambda: self._client(settings).list_consumer_groups(logstore)
            ),
        )
        return {each.name: each for each in found if isinstance(each, ConsumerGroup)}

    def _ask(self, logstore: str, request: Callable[[], Parsed[Any]]) -> Parsed[Any]:
        """Read a listing; skip it if several had no response, or only refusals for an interval."""
        if len(self._refusals) >= LIMIT:
            latest = self._refusals[-1]
            raise Throttled(
                f"skipped because SLS refused {LIMIT} earlier requests for a polling interval each",
                operation=latest.operation,
                code=latest.code,
            )
        try:
            return self._unresponsive.ask(logstore, request)
        except Throttled as error:
            self._refusals.append(error)
            raise

    def _client(self, settings: ProjectSettings) -> SlsClient:
        return self._client_for(settings, self.key.project)


def _group(name: str, decision: Decision, listing: ConsumerGroup | None) -> GroupTarget:
    logstore = decision.selector.logstore
    return GroupTarget(
        name=name,
        shards=None if logstore.shards is None else frozenset(logstore.shards),
        consumers=logstore.consumers or (),
        exclude_consumers=logstore.exclude_consumers,
        settings=decision.settings,
        listing=listing,
    )


def _names(listed: Sequence[object]) -> list[str]:
    return [name for name in listed if isinstance(name, str)]
