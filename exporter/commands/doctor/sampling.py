"""The part of a configuration that is examined: few names, so that few requests are needed."""

from typing import TypeVar

from exporter.model.names import TargetKey
from exporter.polling.scope import Scope

T = TypeVar("T")

MAX_LISTED = 10
"""The number of logstores of a project whose consumer groups are listed."""


class First:
    """The names in the order in which they appear. Each is noted by one thread at a time."""

    def __init__(self) -> None:
        self.projects: list[str] = []
        self.logstores: list[TargetKey] = []

    def takes_project(self, name: str) -> bool:
        """Note a project, and return whether it is the first one."""
        return _take(self.projects, name, 1)

    def takes_logstore(self, key: TargetKey) -> bool:
        """Note a logstore, and return whether it is one of the first."""
        return _take(self.logstores, key, MAX_LISTED)


class Sample(Scope, frozen=True, kw_only=True, eq=False):
    """A scope with the first project and its first logstores, and a note of all of them."""

    first: First

    def has_project(self, name: str) -> bool:
        """Return whether this is the first project."""
        return super().has_project(name) and self.first.takes_project(name)

    def has_target(self, key: TargetKey) -> bool:
        """Return whether this is one of the first logstores."""
        return super().has_target(key) and self.first.takes_logstore(key)


def _take(known: list[T], name: T, limit: int) -> bool:
    if name not in known:
        known.append(name)
    return known.index(name) < limit
