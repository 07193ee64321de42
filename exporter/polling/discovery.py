"""Targets from the patterns of the configuration, with only the listings that patterns need.

A listing that fails removes nothing, since the last successful listing replaces it. A listing that
succeeds counts, even if it is empty.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from msgspec import Struct

from exporter.config.patterns import Pattern, any_matches
from exporter.config.schema import Config, LogstoreConfig, ProjectConfig
from exporter.config.settings import ProjectSettings, project_settings
from exporter.model.names import EntryKey, TargetKey
from exporter.model.shards import ConsumerGroup
from exporter.model.snapshot import EntryStatus
from exporter.polling.fanout import Unresponsive
from exporter.polling.listings import Entries, Listings, Place
from exporter.polling.targets import GroupTarget, Target
from exporter.sls.client import SlsClient
from exporter.sls.json_values import Parsed

ClientFor = Callable[[ProjectSettings, str | None], SlsClient]
"""Returns the client of a project, or (None) of an endpoint without a project."""

_PROJECTS_AT_ONCE = 8
_WAIT_SECONDS = 5.0

_Map = Callable[..., Iterable[Any]]


class Found(Struct, frozen=True, kw_only=True):
    """The targets of a configuration, and the listings that it needs to find them."""

    targets: tuple[Target, ...]
    needed: frozenset[Place]
    places: frozenset[tuple[str, str]]
    """The endpoints and projects that requests are sent to.

    The project is empty where projects are listed.
    """


class Discovery:
    """A resolver of a configuration into targets, which is used repeatedly.

    ``listings`` contains the last successful ones, and another configuration may keep using them.
    ``on_entry`` gets the status of each listing that was attempted. A logstore that belongs to
    another exporter causes no requests.
    """

    def __init__(
        self,
        config: Config,
        *,
        client_for: ClientFor,
        listings: Listings,
        on_entry: Callable[[EntryStatus], None],
        owns: Callable[[TargetKey], bool],
    ) -> None:
        self._config = config
        self._client_for = client_for
        self._listings = listings
        self._on_entry = on_entry
        self._owns = owns

    @property
    def needs_listings(self) -> bool:
        """True if any name is a pattern that only a listing can resolve."""
        return any(
            not pattern.literal
            for project in self._config.projects
            for logstore in project.logstores
            for pattern in (project.project, logstore.logstore, *logstore.consumer_groups)
        )

    def known(self) -> Found:
        """Return the targets of literal names and earlier listings, without requests."""
        return self._found(_Round(self._listings, lambda _: False, self._on_entry), map)

    def resolve(
        self, *, only_due: bool = False, on_wait: Callable[[], None] = lambda: None
    ) -> Found:
        """Return all targets, from new listings. Raises Cancelled when the exporter stops.

        With ``only_due``, read only listings that have never succeeded and are due again. If this
        takes long, ``on_wait`` is called from time to time.
        """
        is_wanted = self._listings.is_due if only_due else lambda _: True
        with ThreadPoolExecutor(_PROJECTS_AT_ONCE) as pool:

            def run(function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
                futures = [pool.submit(function, item) for item in items]
                while wait(futures, timeout=_WAIT_SECONDS).not_done:
                    on_wait()
                return [future.result() for future in futures]

            return self._found(_Round(self._listings, is_wanted, self._on_entry), run)

    def _found(self, listing: "_Round", run: _Map) -> Found:
        projects = [
            (project, project_settings(self._config, project)) for project in self._config.projects
        ]
        names = run(lambda each: self._project_names(listing, *each), projects)
        named = [
            (project, settings, name)
            for (project, settings), found in zip(projects, names, strict=True)
            for name in found
        ]
        targets = _merged(run(lambda each: self._resolve_project(listing, *each), named))
        places = {(str(settings.endpoint), name) for _, settings, name in named}
        listed = {place.key[:2] for place in listing.needed}
        return Found(
            targets=targets, needed=frozenset(listing.needed), places=frozenset(places | listed)
        )

    def _resolve_project(
        self, listing: "_Round", project: ProjectConfig, settings: ProjectSettings, name: str
    ) -> list[Target]:
        client = self._client_for(settings, name)
        unanswered = Unresponsive[str](trusting=False)

        def logstores(pattern: Pattern) -> Iterable[str]:
            if pattern.literal:
                return [pattern.text]
            found = listing.entries(
                _place(settings, name),
                TargetKey(name, ""),
                lambda: unanswered.ask("", client.list_logstores),
            )
            return [each for each in _names(found) if pattern.matches(each)]

        def groups(logstore: str) -> Sequence[ConsumerGroup]:
            found = listing.entries(
                _place(settings, name, logstore),
                TargetKey(name, logstore),
                lambda: unanswered.ask(logstore, lambda: client.list_consumer_groups(logstore)),
            )
            return [each for each in found if isinstance(each, ConsumerGroup)]

        return [
            Target(
                key=TargetKey(name, logstore),
                groups=tuple(_groups(entry, logstore, groups)),
                settings=settings,
                refresh_seconds=self._config.discovery.interval,
            )
            for entry in project.logstores
            for logstore in logstores(entry.logstore)
            if not any_matches(project.exclude_logstores, logstore)
            and self._owns(TargetKey(name, logstore))
        ]

    def _project_names(
        self, listing: "_Round", project: ProjectConfig, settings: ProjectSettings
    ) -> list[str]:
        return [
            name
            for name in self._matching_projects(listing, project, settings)
            if not any_matches(self._config.exclude_projects, name)
        ]

    def _matching_projects(
        self, listing: "_Round", project: ProjectConfig, settings: ProjectSettings
    ) -> Iterable[str]:
        if project.project.literal:
            return [project.project.text]
        client = self._client_for(settings, None)
        found = listing.entries(
            _place(settings),
            TargetKey(project.project.text, ""),
            client.list_projects,
        )
        return [name for name in _names(found) if project.project.matches(name)]


class _Round:
    """One pass over the configuration, which reads each wanted listing once.

    ``needed`` are the listings that the pass has come across. Threads may share an instance.
    """

    def __init__(
        self,
        listings: Listings,
        is_wanted: Callable[[Place], bool],
        on_entry: Callable[[EntryStatus], None],
    ) -> None:
        self._listings = listings
        self._is_wanted = is_wanted
        self._on_entry = on_entry
        self._read: set[Place] = set()
        self.needed: set[Place] = set()

    def entries(
        self, place: Place, reported: TargetKey, request: Callable[[], Parsed[Any]]
    ) -> Entries:
        """Return the entries of a listing; if it fails or is not wanted, those of the last one."""
        self.needed.add(place)
        if place not in self._read and self._is_wanted(place):
            self._on_entry(self._listings.read(place, reported, request))
            self._read.add(place)
        return self._listings.entries(place)


def _place(settings: ProjectSettings, project: str = "", logstore: str = "") -> Place:
    return Place(EntryKey(str(settings.endpoint), project, logstore), settings.credentials)


def _merged(lists: Iterable[Iterable[Target]]) -> tuple[Target, ...]:
    """Join targets of one logstore; a group that several entries select goes to the first."""
    merged: dict[TargetKey, Target] = {}
    for target in (each for targets in lists for each in targets):
        known = merged.get(target.key)
        first = {group.name: group for group in known.groups} if known else {}
        groups = {**{group.name: group for group in target.groups}, **first}
        if groups:
            merged[target.key] = Target(
                key=target.key,
                groups=tuple(groups[name] for name in sorted(groups)),
                settings=known.settings if known else target.settings,
                refresh_seconds=target.refresh_seconds,
            )
    return tuple(merged.values())


def _groups(
    entry: LogstoreConfig, logstore: str, list_groups: Callable[[str], Sequence[ConsumerGroup]]
) -> Iterable[GroupTarget]:
    """Choose the consumer groups of a logstore. Exclusion has priority over any selection."""
    names = {pattern.text for pattern in entry.consumer_groups if pattern.literal}
    patterns = [pattern for pattern in entry.consumer_groups if not pattern.literal]
    listed = {group.name: group for group in list_groups(logstore)} if patterns else {}
    names |= {name for name in listed if any_matches(patterns, name)}
    for name in names:
        if not any_matches(entry.exclude_consumer_groups, name):
            yield GroupTarget(
                name=name,
                shards=None if entry.shards is None else frozenset(entry.shards),
                consumers=entry.consumers or (),
                exclude_consumers=entry.exclude_consumers,
                listing=listed.get(name),
            )


def _names(listed: Sequence[object]) -> list[str]:
    return [name for name in listed if isinstance(name, str)]
