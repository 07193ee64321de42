"""The items of ``logstores`` in the configuration, and which of them decides about a group.

The first item in the order of the file whose patterns match a consumer group decides about it. Its
settings hold, or, if an exclusion of the item matches too, the group is left out.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from exporter.config.patterns import ByName, any_matches
from exporter.config.problems import KeyPath
from exporter.config.schema import Config, GroupConfig, LogstoreConfig, ProjectConfig
from exporter.config.settings import (
    ProjectSettings,
    at_endpoints,
    group_settings,
    project_settings,
)
from exporter.model.snapshot import GroupSettings, Labels


class Selector:
    """One item of ``logstores``, with its project."""

    def __init__(
        self,
        config: Config,
        project: ProjectConfig,
        logstore: LogstoreConfig,
        project_settings: ProjectSettings,
        path: KeyPath,
        *,
        number: int,
    ) -> None:
        self.path = path
        """The place in the configuration."""
        self.order = (*path, number)
        """The place in the configuration, and the number of the endpoint."""
        self.project = project
        self.logstore = logstore
        self.project_settings = project_settings
        self._config = config
        self._settings = group_settings(config, project, logstore)
        self._groups = ByName((item.name, item) for item in logstore.consumer_groups)

    @property
    def labels(self) -> Labels:
        """The labels of the series of the logstore itself."""
        return self._settings.labels

    @property
    def needs_listing(self) -> bool:
        """True if a pattern selects consumer groups."""
        return self._groups.has_patterns

    @property
    def plain_names(self) -> Iterable[str]:
        """The plain names of consumer groups."""
        return self._groups.plain_names

    def find(self, group: str) -> GroupConfig | None:
        """Return the first of ``consumer_groups`` that matches, even if the group is excluded."""
        return next(self._groups.matching(group), None)

    def excludes_logstore(self, logstore: str) -> bool:
        """Return whether the project leaves a logstore out."""
        return any_matches(self.project.exclude_logstores, logstore)

    def excludes(self, group: str) -> bool:
        """Return whether a consumer group is left out."""
        return any_matches(self.logstore.exclude_consumer_groups, group)

    def settings(self, item: GroupConfig) -> GroupSettings:
        """Return the settings of the consumer groups that an item of this one selects."""
        if not item.has_settings:
            return self._settings
        return group_settings(self._config, self.project, self.logstore, item)


class ProjectSelectors:
    """The items of one entry of ``projects`` at one endpoint, which is number ``number`` of it."""

    def __init__(
        self, config: Config, project: ProjectConfig, path: KeyPath, number: int = 0
    ) -> None:
        self.project = project
        self.settings = project_settings(config, project)
        paths = [(*path, "logstores", index) for index in range(len(project.logstores))]
        self.all = [
            Selector(config, project, each, self.settings, path, number=number)
            for each, path in zip(project.logstores, paths, strict=True)
        ]
        self._logstores = ByName((each.logstore.logstore, each) for each in self.all)

    def matching(self, logstore: str) -> Sequence[Selector]:
        """Return the items whose pattern matches a logstore, in the order of the file."""
        return [*self._logstores.matching(logstore)]


class Selectors:
    """All items of a configuration."""

    def __init__(self, config: Config) -> None:
        self.projects = [
            ProjectSelectors(config, each, ("projects", index), number)
            for index, project in enumerate(config.projects)
            for number, each in enumerate(at_endpoints(project))
        ]
        by_endpoint: dict[str, list[ProjectSelectors]] = {}
        for each in self.projects:
            by_endpoint.setdefault(str(each.settings.endpoint), []).append(each)
        self._by_endpoint = {
            endpoint: ByName((each.project.project, each) for each in found)
            for endpoint, found in by_endpoint.items()
        }

    def of_project(self, endpoint: str, project: str) -> Sequence[ProjectSelectors]:
        """Return the entries that match a project at an endpoint, in the order of the file."""
        found = self._by_endpoint.get(endpoint)
        return [] if found is None else [*found.matching(project)]


class Decision(NamedTuple):
    """The item that selects a consumer group, and the part of it that matches."""

    selector: Selector
    item: GroupConfig

    @property
    def settings(self) -> GroupSettings:
        """The settings of the consumer group."""
        return self.selector.settings(self.item)


def decide(selectors: Iterable[Selector], logstore: str, group: str) -> Decision | None:
    """Return the decision about a consumer group; None if it is left out or not selected.

    ``selectors`` are those that match the logstore, in the order of the file.
    """
    for selector in selectors:
        item = selector.find(group)
        if item is not None:
            is_out = selector.excludes(group) or selector.excludes_logstore(logstore)
            return None if is_out else Decision(selector, item)
    return None
