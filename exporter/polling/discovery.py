"""Targets from the patterns of the configuration, with only the listings that patterns need.

A listing that fails removes nothing, since the last successful listing replaces it. A listing that
succeeds counts, even if it is empty.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from exporter.config.patterns import Pattern, any_matches
from exporter.config.schema import Config, LogstoreConfig, ProjectConfig
from exporter.config.settings import ProjectSettings, project_settings
from exporter.model.names import TargetKey
from exporter.model.shards import ConsumerGroup
from exporter.polling.fanout import Unresponsive
from exporter.polling.outages import PollObserver
from exporter.polling.targets import GroupTarget, Target
from exporter.sls.client import SlsClient
from exporter.sls.errors import Cancelled, NotFound, SlsError
from exporter.sls.json_values import Parsed

ClientFor = Callable[[ProjectSettings, str | None], SlsClient]
"""Returns the client of a project, or (None) of an endpoint without a project."""

_PROJECTS_AT_ONCE = 8

Listings = dict[Hashable, tuple[object, ...]]
_Listing = Callable[[Hashable, TargetKey, Callable[[], Parsed[Any]]], Sequence[object]]


class Discovery:
    """A resolver of a configuration into targets, which is used repeatedly.

    ``listings`` contains the last successful ones, and another configuration may keep using them.
    A logstore that belongs to another exporter causes no requests.
    """

    def __init__(
        self,
        config: Config,
        *,
        client_for: ClientFor,
        observer: PollObserver,
        listings: Listings,
        owns: Callable[[TargetKey], bool],
    ) -> None:
        self._config = config
        self._client_for = client_for
        self._observer = observer
        self._listings = listings
        self._owns = owns
        self._asked: set[Hashable] = set()

    @property
    def needs_listings(self) -> bool:
        """True if any name is a pattern that only a listing can resolve."""
        return any(
            not pattern.literal
            for project in self._config.projects
            for logstore in project.logstores
            for pattern in (project.project, logstore.logstore, *logstore.consumer_groups)
        )

    def known(self) -> tuple[Target, ...]:
        """Return the targets of literal names and earlier listings, without requests."""
        return self._merged(
            self._resolve_project(project, settings, name, self._remembered)
            for project, settings in self._projects()
            for name in self._project_names(project, settings, self._remembered)
        )

    def places(self) -> set[tuple[str, str]]:
        """Return the endpoints and projects that requests are sent to, as they are known.

        The project is empty where projects are listed.
        """
        return {
            (str(settings.endpoint), name)
            for project, settings in self._projects()
            for name in (
                *self._project_names(project, settings, self._remembered),
                *(() if project.project.literal else ("",)),
            )
        }

    def resolve(self) -> tuple[Target, ...]:
        """Return all targets, from new listings. Raises Cancelled when the exporter stops.

        Listings that are no longer needed are forgotten.
        """
        self._asked.clear()
        named = [
            (project, settings, name)
            for project, settings in self._projects()
            for name in self._project_names(project, settings, self._listed)
        ]
        with ThreadPoolExecutor(_PROJECTS_AT_ONCE) as pool:
            found = pool.map(
                lambda each: self._resolve_project(each[0], each[1], each[2], self._listed), named
            )
            targets = self._merged(found)
        for place in self._listings.keys() - self._asked:
            del self._listings[place]
        return targets

    def _projects(self) -> list[tuple[ProjectConfig, ProjectSettings]]:
        return [
            (project, project_settings(self._config, project)) for project in self._config.projects
        ]

    def _resolve_project(
        self, project: ProjectConfig, settings: ProjectSettings, name: str, listing: _Listing
    ) -> list[Target]:
        client = self._client_for(settings, name)
        unanswered = Unresponsive[str](trusting=False)

        def logstores(pattern: Pattern) -> Iterable[str]:
            if pattern.literal:
                return [pattern.text]
            key = TargetKey(name, "")
            found = listing(
                ("logstores", str(settings.endpoint), key),
                key,
                lambda: unanswered.ask("", client.list_logstores),
            )
            return [each for each in _names(found) if pattern.matches(each)]

        def groups(logstore: str) -> Sequence[ConsumerGroup]:
            key = TargetKey(name, logstore)
            found = listing(
                ("groups", str(settings.endpoint), key),
                key,
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
        self, project: ProjectConfig, settings: ProjectSettings, listing: _Listing
    ) -> list[str]:
        return [
            name
            for name in self._matching_projects(project, settings, listing)
            if not any_matches(self._config.exclude_projects, name)
        ]

    def _matching_projects(
        self, project: ProjectConfig, settings: ProjectSettings, listing: _Listing
    ) -> Iterable[str]:
        if project.project.literal:
            return [project.project.text]
        client = self._client_for(settings, None)
        found = listing(
            ("projects", str(settings.endpoint)),
            TargetKey(project.project.text, ""),
            client.list_projects,
        )
        return [name for name in _names(found) if project.project.matches(name)]

    def _listed(
        self, place: Hashable, key: TargetKey, read: Callable[[], Parsed[Any]]
    ) -> Sequence[object]:
        """Read a listing, or return the last successful one if that fails."""
        self._asked.add(place)
        try:
            parsed = read()
        except Cancelled:
            raise
        except SlsError as error:
            self._observer.poll_failed(key, "", error)
            if isinstance(error, NotFound):
                self._listings.pop(place, None)
        else:
            if parsed.faults:
                self._observer.entries_skipped(key, "", parsed.faults)
            self._listings[place] = parsed.entries
        return self._listings.get(place, ())

    def _remembered(
        self, place: Hashable, _key: TargetKey, _read: Callable[[], Parsed[Any]]
    ) -> Sequence[object]:
        """Return the last successful listing."""
        return self._listings.get(place, ())

    @staticmethod
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
