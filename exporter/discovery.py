"""From the patterns of the configuration to targets, by listing only what a pattern needs.

A listing that fails removes nothing: the last good one stands in for it. A listing that succeeds
is the truth, also an empty one.
"""

from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

from exporter.config import Config, LogstoreConfig, Pattern, ProjectConfig, ProjectSettings
from exporter.report import PollObserver
from exporter.sls import Cancelled, ConsumerGroup, NotFound, Parsed, SlsClient, SlsError
from exporter.snapshot import GroupListing, TargetKey
from exporter.targets import GroupTarget, Target

ClientFor = Callable[[ProjectSettings, str | None], SlsClient]
"""Gives the client of a project, or (None) of an endpoint without a project."""

_PROJECTS_AT_ONCE = 8

T = TypeVar("T")


class Discovery:
    """Resolves a configuration into targets, again and again; remembers the last good listings."""

    def __init__(self, config: Config, *, client_for: ClientFor, observer: PollObserver) -> None:
        self._config = config
        self._client_for = client_for
        self._observer = observer
        self._listings: dict[Hashable, tuple[object, ...]] = {}

    @property
    def needs_listings(self) -> bool:
        """Whether any name is a pattern that only a listing can resolve."""
        return any(
            not pattern.literal
            for project in self._config.projects
            for logstore in project.logstores
            for pattern in (project.project, logstore.logstore, *logstore.consumer_groups)
        )

    def literals(self) -> tuple[Target, ...]:
        """Return the targets that are named in full, without asking the API."""
        return self._merged(
            self._targets(project, settings, name, _literals, _no_groups)
            for project, settings in self._projects()
            for name in _literals(project.project)
        )

    def resolve(self) -> tuple[Target, ...]:
        """Return all targets, from new listings; raises Cancelled when the exporter stops."""
        named = [
            (project, settings, name)
            for project, settings in self._projects()
            for name in self._project_names(project, settings)
        ]
        with ThreadPoolExecutor(_PROJECTS_AT_ONCE) as pool:
            return self._merged(pool.map(lambda each: self._resolve_project(*each), named))

    def _projects(self) -> list[tuple[ProjectConfig, ProjectSettings]]:
        return [(project, self._config.effective(project)) for project in self._config.projects]

    def _resolve_project(
        self, project: ProjectConfig, settings: ProjectSettings, name: str
    ) -> list[Target]:
        client = self._client_for(settings, name)

        def logstores(pattern: Pattern) -> Iterable[str]:
            if pattern.literal:
                return [pattern.text]
            key = TargetKey(name, "")
            names = self._listing(("logstores", key), key, client.list_logstores)
            return [each for each in names if pattern.matches(each)]

        def groups(logstore: str) -> tuple[ConsumerGroup, ...]:
            key = TargetKey(name, logstore)
            return self._listing(
                ("groups", key), key, lambda: client.list_consumer_groups(logstore)
            )

        return self._targets(project, settings, name, logstores, groups)

    def _project_names(self, project: ProjectConfig, settings: ProjectSettings) -> Iterable[str]:
        if project.project.literal:
            return [project.project.text]
        client = self._client_for(settings, None)
        place = ("projects", str(settings.endpoint))
        names = self._listing(place, TargetKey(project.project.text, ""), client.list_projects)
        return [name for name in names if project.project.matches(name)]

    def _targets(
        self,
        project: ProjectConfig,
        settings: ProjectSettings,
        name: str,
        logstores: Callable[[Pattern], Iterable[str]],
        groups: Callable[[str], tuple[ConsumerGroup, ...]],
    ) -> list[Target]:
        return [
            Target(
                key=TargetKey(name, logstore),
                groups=tuple(_groups(entry, logstore, groups)),
                settings=settings,
                refresh_seconds=self._config.discovery.interval,
            )
            for entry in project.logstores
            for logstore in logstores(entry.logstore)
        ]

    def _listing(
        self, place: Hashable, key: TargetKey, read: Callable[[], Parsed[T]]
    ) -> tuple[T, ...]:
        """Read a listing, or give its last good answer where it fails."""
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
        return cast("tuple[T, ...]", self._listings.get(place, ()))

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
    entry: LogstoreConfig, logstore: str, list_groups: Callable[[str], tuple[ConsumerGroup, ...]]
) -> Iterable[GroupTarget]:
    """Choose the consumer groups of a logstore; an excluded one is out, however it is named."""
    names = {pattern.text for pattern in entry.consumer_groups if pattern.literal}
    patterns = [pattern for pattern in entry.consumer_groups if not pattern.literal]
    listed = {group.name: group for group in list_groups(logstore)} if patterns else {}
    names |= {name for name in listed if any(pattern.matches(name) for pattern in patterns)}
    for name in names:
        if not any(pattern.matches(name) for pattern in entry.exclude_consumer_groups):
            group = listed.get(name)
            yield GroupTarget(
                name=name,
                shards=None if entry.shards is None else frozenset(entry.shards),
                consumers=entry.consumers or (),
                listing=_listing(group) if group else None,
            )


def _literals(pattern: Pattern) -> Iterable[str]:
    return [pattern.text] if pattern.literal else []


def _no_groups(_logstore: str) -> tuple[ConsumerGroup, ...]:
    return ()


def _listing(group: ConsumerGroup) -> GroupListing:
    return GroupListing(order=group.order, timeout_seconds=group.timeout_seconds)
