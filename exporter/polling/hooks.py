"""The reports of polls to the rest of the exporter."""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from msgspec import Struct

from exporter.model.names import GroupKey, ProjectKey
from exporter.model.snapshot import GroupStatus, Labels, TargetStatus


class PollCounts(Protocol):
    """Counts of polls and of their failures."""

    def poll_ended(self, seconds: float) -> None:
        """Count a completed poll."""
        ...

    def poll_skipped(self) -> None:
        """Count a poll that was skipped because the previous one had not ended."""
        ...

    def poll_failed(self, key: GroupKey, code: str) -> None:
        """Count a failure; an empty consumer group means the logstore."""
        ...

    def keep_only(self, labels: Mapping[GroupKey, Labels]) -> None:
        """Forget the failures of all other groups and logstores; these have constant labels."""
        ...

    def interval_usage(self, endpoint: str, project: str, ratio: float) -> None:
        """Set the time that the polls of a project take, divided by their interval."""
        ...

    def keep_only_projects(self, projects: Collection[ProjectKey]) -> None:
        """Forget the values of all other projects."""
        ...

    def keep_only_requests(self, projects: Collection[ProjectKey]) -> None:
        """Forget the requests of all other projects."""
        ...


class Hooks(Struct, frozen=True, kw_only=True):
    """Functions that polls call with new results."""

    counts: PollCounts
    on_group: Callable[[GroupStatus], None]
    """Gets each new status of a group during a poll."""
    on_status: Callable[[TargetStatus], None]
    """Gets the status of a target at the end of its poll."""
    on_groups: Callable[[Collection[GroupKey]], None]
    """Gets all groups whenever the targets change."""
