"""One consumer group during a poll of its logstore: its status, shard by shard."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from msgspec.structs import replace

from exporter.config.settings import ProjectSettings
from exporter.evaluation.causes import Trace, likely_causes, traces, waiting_for_parents
from exporter.evaluation.outlook import Timing, group_outlook, position_of, tracks_after
from exporter.evaluation.owners import OwnerChanges, owner_changes
from exporter.evaluation.rates import advanced
from exporter.evaluation.shard import carry_over, evaluate, state
from exporter.model.names import GroupKey, TargetKey
from exporter.model.progress import (
    NOTHING_UNREAD,
    Cause,
    Position,
    ShardEnd,
    ShardProgress,
    State,
    Totals,
    Unread,
)
from exporter.model.shards import UNREADABLE, Checkpoint
from exporter.model.snapshot import GroupSnapshot, GroupStatus, Instant
from exporter.polling.failures import failure_of
from exporter.polling.readings import Pair
from exporter.polling.selection import NOT_LISTED, ShardListing, select, without_recreated
from exporter.polling.targets import GroupTarget
from exporter.polling.turns import age_limit
from exporter.sls.errors import NotFound, SlsError
from exporter.sls.json_values import Parsed

Publish = Callable[[GroupStatus], None]

_IN_ORDER = frozenset({State.CAUGHT_UP, State.CONSUMING, State.FINISHED})


class GroupPoll:
    """A consumer group while it is polled.

    When a shard is settled, its progress is replaced as a whole, so a new checkpoint is never
    combined with an old end. Only the first poll of a group shows ages alone.

    A filter by owners hides the shards of other consumers while they are in order.
    """

    def __init__(
        self,
        target: GroupTarget,
        known: GroupStatus | None,
        *,
        key: TargetKey,
        settings: ProjectSettings,
        publish: Publish,
    ) -> None:
        self.target = target
        self.error: SlsError | None = None
        """The reason why the checkpoints could not be read."""
        self.checkpoints: Parsed[Checkpoint] | None = None
        self.read = Instant(server=0.0, monotonic=0.0)
        """The time at which the checkpoints were read."""
        self.is_changed = False
        """Whether a settled shard is not published yet."""
        polling = settings.polling
        interval, stale_after = polling.interval, polling.stale_after
        group = GroupKey(*key, target.name)
        self.status = replace(
            known or GroupStatus(key=group, interval=interval, stale_after=stale_after),
            interval=interval,
            stale_after=stale_after,
            settings=target.settings,
            listing=target.listing,
        )
        self.retention_seconds = self.status.retention_seconds
        """The time for which the logstore keeps logs, as far as it is known."""
        self._publish = publish
        self._age_limit_of_others = age_limit(polling)
        before = self.status.snapshot or GroupSnapshot(polled=self.read, shards=())
        self._before: Mapping[int, ShardProgress] = {shard.shard: shard for shard in before.shards}
        shown = before.shown if target.is_filtered else ()
        self._shown_before = {shard.shard for shard in shown}
        self._is_read: Callable[[int], bool] = lambda _: False
        self._shown: dict[int, ShardProgress] = {**self._before}
        self._settled: dict[int, ShardProgress] = {}
        self._selected: Mapping[int, Checkpoint] = {}
        self._listing = NOT_LISTED
        self._changes_before = before.owner_changes
        self._tracks_before = before.tracks
        self._positions: dict[int, Position] = {}
        self._timing = Timing(interval, target.settings.stall_after)
        self._totals_before = self.status.totals or Totals()
        self._read_wall = 0.0

    def checkpoints_read(
        self, checkpoints: Parsed[Checkpoint], *, read: Instant, wall: float
    ) -> None:
        """Note the checkpoints of the group. Without an earlier poll, publish their ages."""
        self.checkpoints, self.read, self._read_wall = checkpoints, read, wall
        if self.status.snapshot is None:
            for each in select(self.target, checkpoints, NOT_LISTED, {}):
                self._shown[each.shard] = self._age_alone(each)
            self.show()

    def failed(self, error: SlsError, *, wall: float) -> None:
        """Publish that the checkpoints could not be read."""
        self.error = error
        status = self.status
        since = status.failure.since if status.failure else wall
        self.status = replace(
            status,
            failure=failure_of(error, since=since),
            # A deleted group is removed immediately. If a read fails, old values may still hold.
            snapshot=None if isinstance(error, NotFound) else status.snapshot,
        )
        self._publish(self.status)

    def pairs(self, listing: ShardListing) -> list[Pair]:
        """Choose the shards of interest, and return those whose end can be read."""
        if self.checkpoints is None:
            return []
        self._before = without_recreated(self._before, listing)
        self._shown_before &= self._before.keys()
        chosen = select(self.target, self.checkpoints, listing, self._before)
        self._selected = {each.shard: each for each in chosen}
        self._listing = listing
        return [
            Pair(
                self.target.name,
                each,
                self._before.get(each.shard),
                self.read.server,
                stall_after=self.target.settings.stall_after,
                is_named=self.target.names(each.consumer),
            )
            for each in chosen
            if each.shard in listing.listed and each.cursor != UNREADABLE
        ]

    def settle(self, pair: Pair, end: ShardEnd, unread: Unread, read_at: float | None) -> None:
        """Note the progress in a shard; ``read_at`` is when its end was read, if it was."""
        line = evaluate(
            pair.checkpoint,
            previous=pair.previous,
            end=end,
            unread=unread,
            seen_at=pair.seen_at,
        )
        if read_at is None:  # The end is only assumed.
            known_end = pair.previous.end if pair.previous else None
            line = replace(line, evaluated_at=None, end=known_end)
        elif read_at != pair.seen_at:
            line = replace(line, evaluated_at=read_at)
        position = position_of(line, unread, self._timing)
        if position is not None:
            self._positions[line.shard] = position
        if self._settled.get(line.shard) != line:
            self._settled[line.shard] = self._shown[line.shard] = line
            self.is_changed = True

    def show(self) -> None:
        """Publish the current state of the group."""
        self.is_changed = False
        shards = tuple(self._shown[shard] for shard in sorted(self._shown))
        changes = owner_changes(
            self._changes_before,
            self._before,
            shards,
            now=self.read.server,
            stall_after=self.status.settings.stall_after,
        )
        hidden = self._hidden(shards)
        tracks = tracks_after(self._tracks_before, self._positions, shards, self._timing)
        outlook = group_outlook(
            [shard for shard in shards if shard.shard not in hidden],
            tracks,
            now=self.read.server,
            timing=self._timing,
            retention=self.retention_seconds,
        )
        self.status = replace(
            self.status,
            last_success=self._read_wall,
            failure=None,
            snapshot=GroupSnapshot(
                polled=self.read,
                shards=shards,
                unnamed=self._listing.unnamed(self._shown, self.target.shards),
                hidden=hidden,
                causes=self._causes(shards, changes),
                owner_changes=changes,
                tracks=tracks,
                outlook=outlook,
            ),
            totals=advanced(self._totals_before, self._before, shards),
            retention_seconds=self.retention_seconds,
        )
        self._publish(self.status)

    def complete(self, *, cursor_access: bool | None, is_read: Callable[[int], bool]) -> None:
        """Publish exactly the current shards, including those that could not be settled.

        ``is_read`` returns whether this poll tried to read the end of a shard.
        """
        if self.checkpoints is None:
            return
        self._is_read = is_read
        self.status = replace(self.status, cursor_access=cursor_access)
        self._shown = {
            shard: self._final(checkpoint, cursor_access=cursor_access)
            for shard, checkpoint in self._selected.items()
        }
        self.show()

    def _final(self, checkpoint: Checkpoint, *, cursor_access: bool | None) -> ShardProgress:
        settled = self._settled.get(checkpoint.shard)
        if settled is not None and cursor_access is not False:
            return settled
        line = self._age_alone(checkpoint)
        if settled is not None:
            return replace(line, end=settled.end)  # Totals that count it may be published.
        before = self._before.get(checkpoint.shard)
        if checkpoint.cursor == UNREADABLE:
            return line if before is None or self._is_old(before) else before
        if not cursor_access:
            return line
        is_listed = checkpoint.shard in self._listing.listed
        line = replace(line, is_blind=not is_listed or self._is_read(checkpoint.shard))
        if before is None:
            return line
        is_named = self.target.names(checkpoint.consumer)
        max_age = self.status.stale_after if is_named else self._age_limit_of_others
        return carry_over(line, before, now=self.read.server, max_age=max_age)

    def _hidden(self, shards: Iterable[ShardProgress]) -> frozenset[int]:
        """Return the shards of other consumers that are in order, as far as is known.

        A shard whose end was not read keeps its visibility, until a poll has tried to read it.
        """
        if not self.target.is_filtered:
            return frozenset()
        return frozenset(
            shard.shard
            for shard in shards
            if not self.target.names(shard.consumer)
            and (
                self._is_in_order(shard)
                if shard.unread is not None or self._is_read(shard.shard)
                else shard.shard not in self._shown_before
            )
        )

    def _causes(
        self, shards: Collection[ShardProgress], changes: OwnerChanges
    ) -> Mapping[int, Cause]:
        stalled = [shard for shard in shards if self._state(shard) is State.STALLED]
        if not stalled:
            return {}
        listing = self.target.listing
        waiting: Collection[int] = ()
        if listing is not None and listing.order:
            unfinished = [shard.shard for shard in shards if shard.readonly and shard.unread]
            waiting = waiting_for_parents(
                [each.shard for each in stalled], unfinished, self._listing.listed
            )
        return likely_causes(
            stalled,
            [*traces(shards, changes), *self._traces_elsewhere()],
            changes=changes,
            waiting=waiting,
            now=self.read.server,
            stall_after=self.status.settings.stall_after,
        )

    def _traces_elsewhere(self) -> Iterator[Trace]:
        """Yield the last writes in shards that are not watched: their writers are alive."""
        for each in self.checkpoints.entries if self.checkpoints else ():
            if each.cursor and each.updated_at is not None and each.shard not in self._shown:
                yield Trace(each.consumer, min(each.updated_at, self.read.server))

    def _state(self, shard: ShardProgress) -> State:
        return state(shard, self.read.server, stall_after=self.status.settings.stall_after)

    def _is_old(self, shard: ShardProgress) -> bool:
        return self.read.server - shard.read_at > self.status.stale_after

    def _is_in_order(self, shard: ShardProgress) -> bool:
        found = self._state(shard)
        return found in _IN_ORDER or (found is State.UNCONSUMED and shard.unread == 0)

    def _age_alone(self, checkpoint: Checkpoint) -> ShardProgress:
        return evaluate(
            checkpoint,
            previous=self._before.get(checkpoint.shard),
            end=None,
            unread=NOTHING_UNREAD,
            seen_at=self.read.server,
        )
