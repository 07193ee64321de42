"""Targets of polls: logstores with consumer groups and the settings of their projects."""

from msgspec import Struct

from exporter.config.patterns import Pattern, any_matches
from exporter.config.settings import ProjectSettings
from exporter.model.names import TargetKey
from exporter.model.shards import ConsumerGroup
from exporter.model.snapshot import DEFAULT_SETTINGS, GroupSettings, Labels


class GroupTarget(Struct, frozen=True, kw_only=True):
    """A consumer group, with the choice of its shards."""

    name: str
    shards: frozenset[int] | None = None
    """Numbers of the shards, None for all."""
    consumers: tuple[Pattern, ...] = ()
    """Patterns of the owners whose shards are always shown; empty for any owner."""
    exclude_consumers: tuple[Pattern, ...] = ()
    """Patterns of owners that are not named. A shard without an owner is not excluded."""
    settings: GroupSettings = DEFAULT_SETTINGS
    listing: ConsumerGroup | None = None
    """The settings of the group; None if it was not listed."""

    @property
    def is_filtered(self) -> bool:
        """True if the owner of a shard matters."""
        return bool(self.consumers or self.exclude_consumers)

    def wants_shard(self, shard: int) -> bool:
        """Return whether a shard is watched."""
        return self.shards is None or shard in self.shards

    def names(self, consumer: str) -> bool:
        """Return whether the shards of a consumer are shown regardless of their state."""
        return (not self.consumers or any_matches(self.consumers, consumer)) and not (
            consumer and any_matches(self.exclude_consumers, consumer)
        )


class Target(Struct, frozen=True, kw_only=True):
    """One logstore, whose groups are polled together so that shard ends are read only once."""

    key: TargetKey
    groups: tuple[GroupTarget, ...]
    settings: ProjectSettings
    labels: Labels = ()
    """The constant labels of the series of the logstore itself."""
    refresh_seconds: float
    """Seconds between requests for rare changes (retention time, a missing permission)."""
