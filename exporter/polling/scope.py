"""The part of a configuration that this process polls."""

from msgspec import Struct

from exporter.config.patterns import Pattern
from exporter.model.names import TargetKey
from exporter.polling.sharding import WHOLE, Sharding


class Scope(Struct, frozen=True, kw_only=True):
    """A shard of the logstores, and patterns of names. None matches every name."""

    sharding: Sharding = WHOLE
    project: Pattern | None = None
    logstore: Pattern | None = None
    consumer_group: Pattern | None = None

    @property
    def has_all_names(self) -> bool:
        """True if no name is left out, apart from those of other shards."""
        return self.project is self.logstore is self.consumer_group is None

    def has_project(self, name: str) -> bool:
        """Return whether projects with this name are polled."""
        return _matches(self.project, name)

    def has_target(self, key: TargetKey) -> bool:
        """Return whether a logstore of such a project is polled."""
        return _matches(self.logstore, key.logstore) and self.sharding.owns(key)

    def has_group(self, name: str) -> bool:
        """Return whether consumer groups with this name are polled."""
        return _matches(self.consumer_group, name)


EVERYTHING = Scope()


def _matches(pattern: Pattern | None, name: str) -> bool:
    return pattern is None or pattern.matches(name)
