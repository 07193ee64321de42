"""What is to be polled: a logstore with its consumer groups and the settings of its project."""

from msgspec import Struct

from exporter.config.patterns import Pattern, any_matches
from exporter.config.settings import ProjectSettings
from exporter.model.names import TargetKey
from exporter.model.shards import ConsumerGroup


class GroupTarget(Struct, frozen=True, kw_only=True):
    """A consumer group, and which of its shards are of interest."""

    name: str
    shards: frozenset[int] | None = None
    """None for all of them."""
    consumers: tuple[Pattern, ...] = ()
    """Only shards of owners that match one of these; empty for any owner."""
    exclude_consumers: tuple[Pattern, ...] = ()
    """No shards of owners that match one of these. A shard without an owner is not excluded."""
    listing: ConsumerGroup | None = None
    """How the group was set up; None if it was not listed."""

    @property
    def wants_all(self) -> bool:
        """Whether all shards are of interest, whoever owns them."""
        return self.shards is None and not self.consumers and not self.exclude_consumers

    def wants_shard(self, shard: int) -> bool:
        """Tell whether a shard is of interest, whoever owns it."""
        return self.shards is None or shard in self.shards

    def wants(self, shard: int, consumer: str) -> bool:
        """Tell whether a shard is of interest while it is owned by a consumer."""
        return (
            self.wants_shard(shard)
            and (not self.consumers or any_matches(self.consumers, consumer))
            and not (consumer and any_matches(self.exclude_consumers, consumer))
        )


class Target(Struct, frozen=True, kw_only=True):
    """One logstore: its groups are polled together, so that shard ends are read once for all."""

    key: TargetKey
    groups: tuple[GroupTarget, ...]
    settings: ProjectSettings
    refresh_seconds: float
    """How often what hardly changes (retention time, a missing right) is asked for again."""
