"""The results of polls, as immutable values."""

from collections import Counter
from collections.abc import Mapping
from math import inf
from types import MappingProxyType

from msgspec import Struct, field
from msgspec.structs import replace

from exporter.model.names import EntryKey, GroupKey, ProjectKey, TargetKey
from exporter.model.progress import (
    UNKNOWN_OUTLOOK,
    Cause,
    Outlook,
    OwnerChange,
    ShardProgress,
    Totals,
    Track,
)
from exporter.model.shards import ConsumerGroup

STUCK_SECONDS = 900.0
"""Seconds without progress after which polls are considered stuck."""


class Instant(Struct, frozen=True, kw_only=True):
    """A moment on the server's clock (Unix seconds) and on the exporter's monotonic clock.

    With both, the server's time can be computed later without the exporter's wall clock, which may
    be wrong or jump.
    """

    server: float
    monotonic: float

    def server_now(self, monotonic: float) -> float:
        """Return the server's time at a reading of the monotonic clock."""
        return self.server + max(0.0, monotonic - self.monotonic)

    def seen_from(self, later: "Instant") -> "Instant":
        """Return the same moment, with the server's time according to a later instant."""
        server = later.server - (later.monotonic - self.monotonic)
        return Instant(server=server, monotonic=self.monotonic)


class GroupSnapshot(Struct, frozen=True, kw_only=True):
    """The result of one successful poll of a consumer group."""

    polled: Instant
    shards: tuple[ShardProgress, ...]
    """All known shards of the group, including hidden ones."""
    unnamed: int = 0
    """Least number of shards that exist although no response names them. Their state is unknown."""
    hidden: frozenset[int] = frozenset()
    """Numbers of the shards that are counted but not shown: other consumers own them."""
    causes: Mapping[int, Cause] = MappingProxyType({})
    """The likely cause of the stall of each shard that is stalled."""
    owner_changes: Mapping[int, tuple[OwnerChange, ...]] = MappingProxyType({})
    """The recent changes of owners, by shard, the oldest first."""
    tracks: Mapping[int, Track] = MappingProxyType({})
    """The recent positions in each shard that is behind."""
    outlook: Outlook = UNKNOWN_OUTLOOK
    """When the group will have caught up, or lose data, in its worst shard."""

    @property
    def shown(self) -> tuple[ShardProgress, ...]:
        """The shards with per-shard series and rows."""
        if not self.hidden:
            return self.shards
        return tuple(shard for shard in self.shards if shard.shard not in self.hidden)

    @property
    def consumers(self) -> frozenset[str]:
        """The distinct owners that have a name."""
        return frozenset({shard.consumer for shard in self.shards} - {""})


class Failure(Struct, frozen=True, kw_only=True):
    """The reason why polls, their requests or a listing fail, and the time of the first failure.

    The time is in Unix seconds.
    """

    code: str
    message: str
    since: float
    remedy: str | None = None
    """What to do about it; None if the message is all that is known."""
    is_refusal: bool = False
    """Whether SLS refused the request, so that the failure does not pass by itself."""


Labels = tuple[tuple[str, str], ...]
"""Names and values of constant labels, in the order of the names."""


class GroupSettings(Struct, frozen=True, kw_only=True):
    """The settings of a consumer group, by default those of the configuration's defaults."""

    stall_after: float = 300.0
    """The time in seconds after which a shard counts as stalled."""
    lag_limit: float = 600.0
    """The lag in seconds that is too high for the alert."""
    labels: Labels = ()
    """The constant labels of the series of the group."""


DEFAULT_SETTINGS = GroupSettings()


class GroupStatus(Struct, frozen=True, kw_only=True):
    """A consumer group after its newest poll, with the snapshot of the last successful one."""

    key: GroupKey
    last_success: float | None = None
    """End of the last successful poll, in Unix seconds of the exporter's clock."""
    failure: Failure | None = None
    snapshot: GroupSnapshot | None = None
    totals: Totals | None = None
    """Counts over all polls since the exporter started; None before the first successful one."""
    interval: float
    """Seconds between two polls."""
    stale_after: float
    """Seconds for which the last snapshot is served while polls fail."""
    settings: GroupSettings = DEFAULT_SETTINGS
    retention_seconds: float | None = None
    """The time for which the logstore keeps logs; None if it is not known."""
    cursor_access: bool | None = None
    """Whether the exporter is allowed to read end cursors; None if it does not request them."""
    listing: ConsumerGroup | None = None
    """The settings of the group; None if it was not listed."""

    @property
    def up(self) -> bool:
        """True if the newest poll succeeded."""
        return self.failure is None

    def visible(self, monotonic: float) -> GroupSnapshot | None:
        """Return the last snapshot while it is young enough to be served.

        A late poll does not end this while polls succeed.
        """
        limit = max(self.stale_after, STUCK_SECONDS) if self.up else self.stale_after
        if self.snapshot is None or monotonic - self.snapshot.polled.monotonic > limit:
            return None
        return self.snapshot

    def is_up(self, monotonic: float) -> bool:
        """Return whether the newest poll succeeded and its values are still served."""
        return self.up and self.visible(monotonic) is not None


class TargetStatus(Struct, frozen=True, kw_only=True):
    """A logstore after its newest poll."""

    key: TargetKey
    groups: tuple[GroupStatus, ...]
    polled_monotonic: float
    stale_after: float
    shards_by_status: Mapping[str, int] | None = None
    """Number of shards by ``readwrite`` and ``readonly``; None if they were not listed."""
    retention_seconds: float | None = None
    cursor_access: bool | None = None
    """Whether the exporter is allowed to read end cursors; None if it does not request them."""
    labels: Labels = ()
    """The constant labels of the series of the logstore itself."""
    cursor_remedy: str | None = None
    """What to do about a missing permission to read end cursors."""
    retention_access: bool | None = None
    """Whether the retention time could be read; None if the exporter does not request it."""
    shard_failure: Failure | None = None
    """The reason why shards or their cursors could not be read."""

    def is_fresh(self, monotonic: float) -> bool:
        """Return whether the values of the logstore itself are young enough to be served."""
        is_up = any(group.up for group in self.groups)
        limit = max(self.stale_after, STUCK_SECONDS) if is_up else self.stale_after
        return monotonic - self.polled_monotonic <= limit


class EntryStatus(Struct, frozen=True, kw_only=True):
    """A listing that the configuration needs, after its newest attempt."""

    key: EntryKey
    last_success: float | None = None
    """Time of the last successful listing, in Unix seconds of the exporter's clock."""
    failure: Failure | None = None


CONFLICT_REMEDY = "set different labels for the projects of the two endpoints, or exclude one"
"""What to do about a conflict."""


class Conflict(Struct, frozen=True, kw_only=True):
    """A target that is not polled, since its series would be those of another target."""

    key: TargetKey
    polled: TargetKey
    """The target with the same series, which comes first in the configuration."""


class View(Struct, frozen=True, kw_only=True):
    """The statuses of all targets at one moment, in the order of their keys."""

    targets: tuple[TargetStatus, ...] = ()
    entries: tuple[EntryStatus, ...] = ()
    """The listings that have been attempted, in the order of their keys."""
    conflicts: tuple[Conflict, ...] = ()
    """The targets that are left out, in the order of their keys."""
    matches: Mapping[str, int] = MappingProxyType({})
    """The number of polled groups that match each item of the configuration, by its place."""
    pending: frozenset[TargetKey] = field(default_factory=frozenset)
    """Targets whose first poll has not ended. Some of their groups may be known already."""

    def without_age_limit(self) -> "View":
        """Return a view whose values are served however old they are."""
        targets = tuple(
            replace(
                target,
                stale_after=inf,
                groups=tuple(replace(group, stale_after=inf) for group in target.groups),
            )
            for target in self.targets
        )
        return replace(self, targets=targets)

    @property
    def target_count(self) -> int:
        """Number of targets."""
        return len(self._keys)

    @property
    def conflict_counts(self) -> Mapping[ProjectKey, int]:
        """The number of targets that are left out, by the project of the targets."""
        counts = Counter({key.project_key: 0 for key in self._keys})
        counts.update(conflict.key.project_key for conflict in self.conflicts)
        return dict(sorted(counts.items()))

    @property
    def _keys(self) -> frozenset[TargetKey]:
        return self.pending.union(target.key for target in self.targets)
