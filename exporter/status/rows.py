"""Consumer groups and their shards as rows: their state at one time.

A listing that fails is a row as well, since it may hide groups. So is a logstore that is left out.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from exporter.evaluation.shard import stalled_seconds, state
from exporter.model.names import GroupKey
from exporter.model.progress import UNKNOWN_OUTLOOK, Outlook, ShardProgress, State
from exporter.model.snapshot import (
    CONFLICT_REMEDY,
    Conflict,
    EntryStatus,
    GroupSettings,
    GroupStatus,
    TargetStatus,
    View,
)
from exporter.status.console import console_url
from exporter.status.history import NO_HISTORIES, History, Rates, known_sum
from exporter.status.shard_rows import ShardRow, ShardRows, age, time_since

Listing = Literal["projects", "logstores", "consumer_groups"]


class GroupRow(Struct, frozen=True, kw_only=True):
    """One consumer group, a listing that fails, or a logstore that is left out.

    Times are in seconds, and None if unknown.
    """

    project: str
    """Empty for a listing of projects."""
    logstore: str
    """Empty for a listing of projects or logstores."""
    consumer_group: str
    """Empty for a listing or a logstore."""
    listing: Listing | None = None
    """The kind of names that the listing would find; None for a group."""
    conflicts_with: str | None = None
    """The endpoint whose logstore is polled instead of this one; None if this is not left out."""
    sls_endpoint: str
    state: State
    """The state of the worst shard; unknown if none is known, and if others may be worse."""
    up: bool
    """Whether the newest poll succeeded and its values are still shown."""
    consumers: Sequence[str] = ()
    """The distinct names of the owners, sorted."""
    last_success_seconds: float | None
    """The time since the last successful poll; None if there was none."""
    error: str | None
    error_code: str | None = None
    remedy: str | None = None
    """The remedy for the error; None if only its message is known."""
    failing_seconds: float | None
    """The time for which polls have failed; None if they succeed."""
    worst_shard: int | None = None
    age_seconds: float | None = None
    """The age of the worst shard's checkpoint."""
    lag_seconds: float | None = None
    """The largest lag of a shard."""
    stalled_seconds: float | None = None
    """The longest stall of a shard."""
    cursor_access: bool | None = None
    """Whether the exporter is allowed to read end cursors; None if it does not request them."""
    cursor_remedy: str | None = None
    """The remedy for a missing permission to read end cursors."""
    shard_error: str | None = None
    """The error because of which shards are unknown; None if there are none or no error."""
    shard_remedy: str | None = None
    """The remedy for that error; None if only its message is known."""
    rates: Rates = Rates()
    outlook: Outlook = UNKNOWN_OUTLOOK
    """When the group will have caught up, or lose data."""
    history: History | None = None
    """The samples of the last hour; None for a listing, and before the first poll."""
    settings: GroupSettings | None = None
    """The limits and labels of the group; None for a listing."""
    shards: Sequence[ShardRow] = ()
    """The shards that are shown, sorted by their numbers."""

    @property
    def is_group(self) -> bool:
        """True for a consumer group."""
        return self.listing is None and self.conflicts_with is None

    @property
    def title(self) -> str:
        """The name of the group, or a description of the listing or the logstore."""
        if self.listing is not None:
            return f"listing of {self.listing.replace('_', ' ')}"
        return self.consumer_group if self.is_group else "logstore left out"

    @property
    def worst(self) -> ShardRow | None:
        """The worst shard; None if there is none that is shown."""
        return next((shard for shard in self.shards if shard.shard == self.worst_shard), None)

    @property
    def unread_log_groups(self) -> int | None:
        """The number of unread log groups in the shards, as far as known; None if unknown."""
        return known_sum(shard.unread_log_groups for shard in self.shards)

    @property
    def console_url(self) -> str | None:
        """The page of the logstore in the console of the service; None if there is none."""
        return console_url(self.sls_endpoint, self.project, self.logstore)


class StatusRows(Struct, frozen=True, kw_only=True):
    """All groups, the listings that fail, and the logstores that are left out, at one time.

    ``at`` is a Unix timestamp in seconds, and ``monotonic`` the same time on the monotonic clock.
    ``pending_targets`` is the number of logstores that have not been polled yet.
    ``items_without_groups`` are places of the configuration file.
    """

    at: float
    monotonic: float
    groups: Sequence[GroupRow]
    pending_targets: int
    items_without_groups: tuple[str, ...] = ()


# From worst to best. A group has the state of its worst shard.
SEVERITY = (
    State.EXPIRED,
    State.STALLED,
    State.UNKNOWN,
    State.UNCONSUMED,
    State.CONSUMING,
    State.CAUGHT_UP,
    State.FINISHED,
)


def badness(
    state: State, stalled_seconds: float | None, age_seconds: float | None, number: int
) -> tuple[int, float, float, int]:
    """Return a sort key with which the worst shard comes first."""
    return SEVERITY.index(state), -(stalled_seconds or 0.0), -(age_seconds or 0.0), number


def document(
    view: View,
    *,
    monotonic: float,
    wall: float,
    histories: Mapping[GroupKey, History] = NO_HISTORIES,
) -> StatusRows:
    """Return the rows of a view at one time, given on the monotonic clock and the wall clock."""
    return StatusRows(
        at=wall,
        monotonic=monotonic,
        groups=[
            _group(group, target, monotonic, wall, histories.get(group.key))
            for target in view.targets
            for group in target.groups
        ]
        + [_listing(entry, wall) for entry in view.entries if entry.failure]
        + [_conflict(conflict) for conflict in view.conflicts],
        pending_targets=len(view.pending),
        items_without_groups=tuple(item for item, count in view.matches.items() if not count),
    )


def _group(
    group: GroupStatus,
    target: TargetStatus,
    monotonic: float,
    wall: float,
    history: History | None,
) -> GroupRow:
    snapshot = group.visible(monotonic)
    now = snapshot.polled.server_now(monotonic) if snapshot else wall
    shown = snapshot.shown if snapshot else ()
    shards = shown or (snapshot.shards if snapshot else ())  # a bad shard is always shown
    stalls = [stalled_seconds(shard, now, interval=group.interval) for shard in shards]
    states = [state(shard, now, stall_after=group.settings.stall_after) for shard in shards]
    worst = _worst(shards, states, stalls, now)
    if snapshot and snapshot.unnamed:
        states.append(State.UNKNOWN)
    failure = group.failure
    shard_failure = target.shard_failure if State.UNKNOWN in states else None
    return GroupRow(
        sls_endpoint=group.key.sls_endpoint,
        project=group.key.project,
        logstore=group.key.logstore,
        consumer_group=group.key.consumer_group,
        state=min(states, key=SEVERITY.index, default=State.UNKNOWN),
        up=group.is_up(monotonic),
        consumers=sorted(snapshot.consumers) if snapshot else (),
        last_success_seconds=time_since(group.last_success, wall),
        error=failure.message if failure else None,
        error_code=failure.code if failure else None,
        remedy=failure.remedy if failure else None,
        failing_seconds=time_since(failure.since, wall) if failure else None,
        worst_shard=worst.shard if worst else None,
        age_seconds=age(worst, now) if worst else None,
        lag_seconds=_most([shard.lag_seconds for shard in shards]),
        stalled_seconds=_most(stalls),
        cursor_access=target.cursor_access,
        cursor_remedy=target.cursor_remedy,
        shard_error=shard_failure.message if shard_failure else None,
        shard_remedy=shard_failure.remedy if shard_failure else None,
        outlook=snapshot.outlook if snapshot else UNKNOWN_OUTLOOK,
        rates=history.rates if history and snapshot else Rates(),
        history=history,
        settings=group.settings,
        shards=ShardRows(
            shown,
            snapshot.causes if snapshot else {},
            now=now,
            stall_after=group.settings.stall_after,
            interval=group.interval,
        ),
    )


def _worst(
    shards: Sequence[ShardProgress],
    states: Sequence[State],
    stalls: Sequence[float | None],
    now: float,
) -> ShardProgress | None:
    """Return the worst shard, given the state and the stall of each; None without shards."""
    found = zip(shards, states, stalls, strict=True)
    # The position is unique, so it decides between shards that are otherwise equal.
    worst = min(
        (
            badness(name, stalled, age(shard, now), position)
            for position, (shard, name, stalled) in enumerate(found)
        ),
        default=None,
    )
    return shards[worst[-1]] if worst else None


def _listing(entry: EntryStatus, wall: float) -> GroupRow:
    key, failure = entry.key, entry.failure
    kind: Listing = "logstores" if key.project else "projects"
    return GroupRow(
        project=key.project,
        logstore=key.logstore,
        consumer_group="",
        listing="consumer_groups" if key.logstore else kind,
        sls_endpoint=key.sls_endpoint,
        state=State.UNKNOWN,
        up=failure is None,
        last_success_seconds=time_since(entry.last_success, wall),
        error=failure.message if failure else None,
        error_code=failure.code if failure else None,
        remedy=failure.remedy if failure else None,
        failing_seconds=time_since(failure.since, wall) if failure else None,
    )


def _conflict(conflict: Conflict) -> GroupRow:
    key, other = conflict.key, conflict.polled.sls_endpoint
    return GroupRow(
        sls_endpoint=key.sls_endpoint,
        project=key.project,
        logstore=key.logstore,
        consumer_group="",
        conflicts_with=other,
        state=State.UNKNOWN,
        up=False,
        last_success_seconds=None,
        error=f"not polled, because its series would be those of the same name at {other}",
        remedy=CONFLICT_REMEDY,
        failing_seconds=None,
    )


def _most(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
