"""One poll of one logstore: from the responses of SLS to an immutable status.

Values are published as they are read. Failures are reported to an observer and isolated: a failed
shard does not affect other shards, a failed group does not affect other groups. Only a stop ends a
poll early.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from exporter.base.clock import Clock
from exporter.evaluation.shard import carry_over, evaluate
from exporter.model.names import GroupKey
from exporter.model.progress import NOTHING_UNREAD, ShardEnd, ShardProgress, Unread
from exporter.model.shards import Checkpoint, Shard
from exporter.model.snapshot import Failure, GroupSnapshot, GroupStatus, Instant, TargetStatus
from exporter.polling.fanout import FanOut, Submit, Unresponsive
from exporter.polling.logstore_reader import LogstoreReader
from exporter.polling.outages import PollObserver
from exporter.polling.readings import Pair, Rules
from exporter.polling.refinements import EXACT_READINGS
from exporter.polling.selection import count_by_status, is_logstore_gone, select
from exporter.polling.settling import Settling
from exporter.polling.targets import GroupTarget, Target
from exporter.sls.client import SlsClient
from exporter.sls.errors import NotFound, SlsError
from exporter.sls.json_values import Parsed

_CHECKPOINTS = (0.0,)
_LISTINGS = (1.0,)
_SUSPECT_CHECKPOINTS = (7.0,)
_PUBLISH_SECONDS = 1.0

Publish = Callable[[GroupStatus], None]


class Effort(Struct, frozen=True, kw_only=True):
    """How a poll may spend requests and threads."""

    submit: Submit | None = None
    """Runs a callable on another thread of the project; without it a poll uses one thread."""
    width: int = 1
    """Number of requests that may be under way at the same time."""
    budget: int = 1_000
    """Number of requests that make values more exact."""
    exact: int = EXACT_READINGS
    """Number of receive times to read beyond those that are needed."""


SMALL_EFFORT = Effort()


class Poller:
    """Polls one target; it keeps no result, only what saves requests.

    What the reader of the logstore remembers may outlive the poller.
    """

    def __init__(
        self,
        target: Target,
        client: SlsClient,
        *,
        logstore: LogstoreReader,
        clock: Clock,
        observer: PollObserver,
    ) -> None:
        self.target = target
        self.client = client
        self.clock = clock
        self.observer = observer
        self.unresponsive = Unresponsive[GroupTarget]()
        self.logstore = logstore

    def poll(
        self,
        previous: TargetStatus | None,
        *,
        effort: Effort = SMALL_EFFORT,
        publish: Publish = lambda _: None,
        on_fan: Callable[[FanOut], None] = lambda _: None,
        on_response: Callable[[], None] = lambda: None,
    ) -> TargetStatus:
        """Poll every group of the target once; raises Cancelled when the exporter stops.

        ``publish`` gets the status of a group whenever more of it is known. ``on_fan`` gets the
        queue of requests, and ``on_response`` is called after each request.
        """
        fan = FanOut(submit=effort.submit, width=effort.width, on_response=on_response)
        on_fan(fan)
        return _Poll(self, previous, fan, effort, publish).run()


class _Group:
    """A consumer group while it is polled."""

    def __init__(self, target: GroupTarget, status: GroupStatus) -> None:
        self.target = target
        self.status = status
        shards = status.snapshot.shards if status.snapshot else ()
        self.before: Mapping[int, ShardProgress] = {shard.shard: shard for shard in shards}
        self.shown: dict[int, ShardProgress] = {**self.before}
        """What is published: lines of this poll, and of the one before for all other shards."""
        self.lines: dict[int, ShardProgress] = {}
        """What this poll has settled."""
        self.is_changed = False
        self.checkpoints: Parsed[Checkpoint] | None = None
        self.selected: Mapping[int, Checkpoint] = {}
        self.read = Instant(server=0.0, monotonic=0.0)
        self.read_wall = 0.0
        self.error: SlsError | None = None


class _Poll:
    """One poll. Everything but the requests runs under the lock of ``fan``."""

    def __init__(
        self,
        poller: Poller,
        previous: TargetStatus | None,
        fan: FanOut,
        effort: Effort,
        publish: Publish,
    ) -> None:
        self._poller = poller
        self._settings = poller.target.settings
        self._reader = poller.logstore
        self._previous = previous
        self._fan = fan
        self._publish = publish
        known = {group.key.consumer_group: group for group in previous.groups} if previous else {}
        self._groups = [self._group(group, known) for group in poller.target.groups]
        self._by_name = {group.target.name: group for group in self._groups}
        self._effort = effort
        self._settling: Settling | None = None
        self._awaited = 0
        self._listed: Mapping[int, Shard] | None = None
        self._is_listed = False
        self._published_at = poller.clock.monotonic()

    def run(self) -> TargetStatus:
        """Send all requests, and return the status of the target."""
        self._reader.begin_poll()
        self._ask_checkpoints()
        self._fan.run()
        self._reader.end_poll(self._listed)
        for group in self._groups:
            self._complete(group)
        return self._target_status()

    # Checkpoints come first and ends second, so that no checkpoint is ahead of its end.

    def _ask_checkpoints(self) -> None:
        unresponsive = self._poller.unresponsive
        groups = {group.target: group for group in self._groups}
        in_turn = unresponsive.begin_round(groups)
        trusted = [group for group in in_turn if not unresponsive.is_suspect(group)] or in_turn
        self._awaited = len(trusted)
        for target in in_turn:
            priority = _CHECKPOINTS if target in trusted else _SUSPECT_CHECKPOINTS
            self._fan.add(
                partial(self._read_checkpoints, target),
                partial(self._checkpoints_read, groups[target], is_awaited=target in trusted),
                priority=priority,
            )

    def _read_checkpoints(self, group: GroupTarget) -> tuple[Parsed[Checkpoint], Instant]:
        self._poller.unresponsive.check(group)
        client = self._poller.client
        found = client.get_checkpoints(self._poller.target.key.logstore, group.name)
        monotonic = self._poller.clock.monotonic()
        return found, Instant(server=client.server_now(), monotonic=monotonic)

    def _checkpoints_read(
        self,
        group: _Group,
        outcome: tuple[Parsed[Checkpoint], Instant] | SlsError,
        *,
        is_awaited: bool,
    ) -> None:
        key, observer = self._poller.target.key, self._poller.observer
        error = outcome if isinstance(outcome, SlsError) else None
        self._poller.unresponsive.note(group.target, error)
        if isinstance(outcome, SlsError):
            observer.poll_failed(key, group.target.name, outcome)
            self._fail(group, outcome)
        else:
            group.checkpoints, group.read = outcome
            group.read_wall = self._poller.clock.wall()
            if group.checkpoints.faults:
                observer.entries_skipped(key, group.target.name, group.checkpoints.faults)
            if self._is_listed:
                self._settle([group])
            elif group.status.snapshot is None:
                self._show_ages(group, group.checkpoints)
        self._awaited -= is_awaited
        if is_awaited and not self._awaited:
            self._list_shards()

    def _list_shards(self) -> None:
        reader = self._reader
        if not any(group.checkpoints for group in self._groups):
            return
        if not reader.wants_shards:
            self._shards_known(None)
            return
        self._awaited = 1 + reader.wants_retention
        if reader.wants_retention:
            self._fan.add(reader.read_retention, self._retention_read, priority=_LISTINGS)
        self._fan.add(reader.list_shards, self._shards_listed, priority=_LISTINGS)

    def _retention_read(self, days: int | SlsError) -> None:
        self._reader.retention_read(days)
        self._listing_read()

    def _shards_listed(self, listing: Parsed[Shard] | SlsError) -> None:
        self._listed = self._reader.shards_listed(listing)
        self._listing_read()

    def _listing_read(self) -> None:
        self._awaited -= 1
        if not self._awaited:
            self._shards_known(self._listed)

    def _shards_known(self, listed: Mapping[int, Shard] | None) -> None:
        self._is_listed = True
        self._reader.unresponsive.begin_round(listed or {})
        if listed is not None:
            settings = self._settings
            self._settling = Settling(
                self._fan,
                self._reader,
                Rules(
                    interval=settings.interval,
                    stall_after=settings.stall_after,
                    retention=self._reader.retention_seconds,
                ),
                on_settled=self._settled,
                budget=self._effort.budget,
                exact=self._effort.exact,
            )
        self._settle([group for group in self._groups if group.checkpoints])

    def _settle(self, groups: Iterable[_Group]) -> None:
        """Choose the shards of groups, and find out how far each has been read."""
        listed = self._listed
        pairs: list[tuple[Shard, Pair]] = []
        for group in groups:
            if group.checkpoints is None:
                continue
            chosen = select(
                group.target, group.checkpoints, listed, self._maybe_unconsumed(group, listed)
            )
            group.selected = {each.shard: each for each in chosen}
            for each in chosen:
                pair = Pair(
                    group.target.name, each, group.before.get(each.shard), group.read.server
                )
                if listed is not None and each.shard in listed:
                    pairs.append((listed[each.shard], pair))
        if self._settling is not None:
            self._settling.add(pairs)

    def _maybe_unconsumed(
        self, group: _Group, listed: Mapping[int, Shard] | None
    ) -> Collection[int]:
        """Return the shards that count as never consumed if the group has no checkpoint of them.

        An earlier listing may name a shard that has vanished together with its checkpoint. Then
        they are those that the group had no checkpoint of before.
        """
        if listed is None or self._reader.has_listed:
            return listed or ()
        return {shard for shard, line in group.before.items() if not line.is_consumed} & {*listed}

    # Results

    def _settled(self, pair: Pair, end: ShardEnd, unread: Unread) -> None:
        group = self._by_name[pair.group]
        line = evaluate(
            pair.checkpoint,
            previous=pair.previous,
            end=end,
            unread=unread,
            seen_at=pair.seen_at,
        )
        if group.lines.get(line.shard) == line:
            return
        group.lines[line.shard] = group.shown[line.shard] = line
        group.is_changed = True
        now = self._poller.clock.monotonic()
        if now - self._published_at >= _PUBLISH_SECONDS:
            self._published_at = now
            for changed in self._groups:
                if changed.is_changed:
                    self._show(changed)

    def _show_ages(self, group: _Group, checkpoints: Parsed[Checkpoint]) -> None:
        """Publish the ages of a group that no poll has read before."""
        for each in select(group.target, checkpoints, None, ()):
            group.shown[each.shard] = self._age_alone(group, each)
        self._show(group)

    def _show(self, group: _Group) -> None:
        group.is_changed = False
        shards = tuple(group.shown[shard] for shard in sorted(group.shown))
        group.status = replace(
            group.status,
            last_success=group.read_wall,
            failure=None,
            snapshot=GroupSnapshot(polled=group.read, shards=shards),
        )
        self._publish(group.status)

    def _fail(self, group: _Group, error: SlsError) -> None:
        status = group.status
        since = status.failure.since if status.failure else self._poller.clock.wall()
        group.status = replace(
            status,
            failure=Failure(code=error.code, message=str(error), since=since),
            # What does not exist is removed immediately; what cannot be read may still be true.
            snapshot=None if isinstance(error, NotFound) else status.snapshot,
        )
        group.error = error
        self._publish(group.status)

    def _complete(self, group: _Group) -> None:
        """Replace the lines of all shards, also of those that could not be settled."""
        if group.checkpoints is None:
            return
        lines: dict[int, ShardProgress] = {}
        for shard, checkpoint in group.selected.items():
            line = None if self._reader.is_denied else group.lines.get(shard)
            if line is None:
                line = self._age_alone(group, checkpoint)
                before = group.before.get(shard)
                if before is not None and self._reader.cursor_access:
                    max_age = self._settings.stale_after
                    line = carry_over(line, before, now=group.read.server, max_age=max_age)
            lines[shard] = line
        group.shown = lines
        self._show(group)

    def _age_alone(self, group: _Group, checkpoint: Checkpoint) -> ShardProgress:
        return evaluate(
            checkpoint,
            previous=group.before.get(checkpoint.shard),
            end=None,
            unread=NOTHING_UNREAD,
            seen_at=group.read.server,
        )

    def _target_status(self) -> TargetStatus:
        target, reader = self._poller.target, self._reader
        groups = tuple(group.status for group in self._groups)
        stale_after = self._settings.stale_after
        errors = [group.error for group in self._groups]
        if all(errors):
            # What was read of the logstore is as old as the poll that read it.
            is_gone = all(is_logstore_gone(error) for error in errors if error)
            if self._previous is not None and not is_gone:
                return replace(self._previous, groups=groups, stale_after=stale_after)
            return TargetStatus(
                key=target.key,
                groups=groups,
                polled_monotonic=self._poller.clock.monotonic(),
                stale_after=stale_after,
            )
        listed = self._listed
        return TargetStatus(
            key=target.key,
            groups=groups,
            polled_monotonic=max(group.read.monotonic for group in self._groups),
            stale_after=stale_after,
            shards_by_status=None if listed is None else count_by_status(listed.values()),
            retention_seconds=reader.retention_seconds,
            cursor_access=reader.cursor_access,
        )

    def _group(self, target: GroupTarget, known: Mapping[str, GroupStatus]) -> _Group:
        key = GroupKey(*self._poller.target.key, target.name)
        status = known.get(target.name) or GroupStatus(
            key=key,
            interval=self._settings.interval,
            stale_after=self._settings.stale_after,
            stall_after=self._settings.stall_after,
        )
        status = replace(
            status,
            interval=self._settings.interval,
            stale_after=self._settings.stale_after,
            stall_after=self._settings.stall_after,
            listing=target.listing,
        )
        return _Group(target, status)
