"""One poll of one logstore: from the responses of SLS to an immutable status.

Values are published as they are read. Failures are reported to an observer and isolated: a failed
shard does not affect other shards, a failed group does not affect other groups. Only a stop ends a
poll early.
"""

from collections.abc import Callable, Collection
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from exporter.base.clock import Clock
from exporter.model.progress import ShardEnd, Unread
from exporter.model.shards import Checkpoint, Shard
from exporter.model.snapshot import Instant, TargetStatus
from exporter.polling.fanout import FanOut, Submit, Unresponsive
from exporter.polling.group_poll import GroupPoll, Publish
from exporter.polling.logstore_reader import LogstoreReader
from exporter.polling.outages import PollObserver
from exporter.polling.readings import Pair, Rules
from exporter.polling.refinements import EXACT_READINGS
from exporter.polling.selection import NOT_LISTED, count_by_status, is_logstore_gone
from exporter.polling.settling import Settling
from exporter.polling.targets import GroupTarget, Target
from exporter.polling.turns import age_limit
from exporter.sls.client import SlsClient
from exporter.sls.errors import SlsError
from exporter.sls.json_values import Parsed
from exporter.sls.remedies import NO_CURSOR_ACCESS

_CHECKPOINTS = (0.0,)
_LISTINGS = (1.0,)
_SUSPECT_CHECKPOINTS = (7.0,)
_SUSPENDED_SECONDS = 5.0
_PUBLISH_SECONDS = 1.0
_PUBLISH_SHARE = 0.01  # of the time of a poll, so that large groups are published less often


class Effort(Struct, frozen=True, kw_only=True):
    """The limits of a poll for requests and threads."""

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
    """A poller of one target, which keeps no results.

    The cache in the reader of the logstore may outlive the poller.
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


class _Poll:
    """One poll. Everything except the requests runs under the lock of ``fan``."""

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
        known = {group.key.consumer_group: group for group in previous.groups} if previous else {}
        self._groups = [
            GroupPoll(
                group,
                known.get(group.name),
                key=poller.target.key,
                settings=self._settings,
                publish=publish,
            )
            for group in poller.target.groups
        ]
        self._by_name = {group.target.name: group for group in self._groups}
        self._effort = effort
        self._settling: Settling | None = None
        self._awaited = 0
        self._listing = NOT_LISTED
        self._is_listing = self._is_listed = False
        self._publish_at = poller.clock.monotonic() + _PUBLISH_SECONDS
        self._offsets: dict[GroupTarget, float] = {}
        """The exporter's wall clock minus the monotonic one when the checkpoints were requested."""

    def run(self) -> TargetStatus:
        """Send all requests, and return the status of the target."""
        self._reader.begin_poll()
        self._ask_checkpoints()
        self._fan.run()
        self._reader.end_poll(self._listing.shards)
        for group in self._groups:
            group.complete(cursor_access=self._reader.cursor_access, is_read=self._is_read)
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
        client, clock = self._poller.client, self._poller.clock
        self._offsets[group] = clock.wall() - clock.monotonic()
        found = client.get_checkpoints(self._poller.target.key.logstore, group.name)
        return found, Instant(server=client.server_now(), monotonic=clock.monotonic())

    def _checkpoints_read(
        self,
        group: GroupPoll,
        outcome: tuple[Parsed[Checkpoint], Instant] | SlsError,
        *,
        is_awaited: bool,
    ) -> None:
        key, observer = self._poller.target.key, self._poller.observer
        error = outcome if isinstance(outcome, SlsError) else None
        self._poller.unresponsive.note(group.target, error)
        if isinstance(outcome, SlsError):
            observer.poll_failed(key, group.target.name, outcome)
            group.failed(outcome, wall=self._poller.clock.wall())
        else:
            checkpoints, read = outcome
            if checkpoints.faults:
                name = group.target.name
                self._reader.entries_skipped("GetCheckPoint", checkpoints.faults, name)
            group.checkpoints_read(checkpoints, read=read, wall=self._poller.clock.wall())
            if self._is_listed:
                self._settle([group])
        self._awaited -= is_awaited
        if not self._awaited and not self._is_listing:
            self._list_shards()

    def _list_shards(self) -> None:
        reader = self._reader
        if all(group.checkpoints is None for group in self._groups):
            return  # A group that is still being read may justify the requests.
        self._is_listing = True
        if not reader.wants_shards:
            self._shards_known()
            return
        self._awaited = 1 + reader.wants_retention
        if reader.wants_retention:
            self._fan.add(reader.read_retention, self._retention_read, priority=_LISTINGS)
        self._fan.add(reader.list_shards, self._shards_listed, priority=_LISTINGS)

    def _retention_read(self, days: int | SlsError) -> None:
        self._reader.retention_read(days)
        self._listing_read()

    def _shards_listed(self, listing: Parsed[Shard] | SlsError) -> None:
        self._listing = self._reader.shards_listed(listing)
        self._listing_read()

    def _listing_read(self) -> None:
        self._awaited -= 1
        if not self._awaited:
            self._shards_known()

    def _shards_known(self) -> None:
        self._is_listed = True
        self._reader.unresponsive.begin_round(self._listing.listed)
        if self._listing.shards is not None:
            polling = self._settings.polling
            self._settling = Settling(
                self._fan,
                self._reader,
                Rules(interval=polling.interval, retention=self._reader.retention_seconds),
                on_settled=self._settled,
                budget=self._effort.budget,
                exact=self._effort.exact,
                age_limit=age_limit(polling),
            )
        self._settle(self._groups)

    def _settle(self, groups: Collection[GroupPoll]) -> None:
        """Determine how far groups have read the shards of interest.

        By now there are several responses, so a single one with a wrong time does not matter.
        """
        client, clock = self._poller.client, self._poller.clock
        now = Instant(server=client.server_now(), monotonic=clock.monotonic())
        offset = clock.wall() - now.monotonic
        for group in groups:
            # While the machine is suspended, the time since the reading does not count.
            if offset - self._offsets.get(group.target, offset) < _SUSPENDED_SECONDS:
                group.read = group.read.seen_from(now)
            group.retention_seconds = self._reader.retention_seconds
        pairs = [pair for group in groups for pair in group.pairs(self._listing)]
        listed = self._listing.listed
        if self._settling is not None:
            self._settling.add((listed[pair.checkpoint.shard], pair) for pair in pairs)

    def _is_read(self, shard: int) -> bool:
        """Return whether a shard would be known now if its end could be read."""
        reader = self._reader
        is_asked = self._settling is None or reader.is_denied or self._settling.is_read(shard)
        return is_asked or reader.turns.has_missed(shard)

    def _settled(self, pair: Pair, end: ShardEnd, unread: Unread, read_at: float | None) -> None:
        self._by_name[pair.group].settle(pair, end, unread, read_at)
        clock = self._poller.clock
        started = clock.monotonic()
        if started < self._publish_at:
            return
        for group in self._groups:
            if group.is_changed:
                group.show()
        now = clock.monotonic()
        self._publish_at = now + max(_PUBLISH_SECONDS, (now - started) / _PUBLISH_SHARE)

    def _target_status(self) -> TargetStatus:
        target, reader, listed = self._poller.target, self._reader, self._listing.shards
        groups = tuple(group.status for group in self._groups)
        stale_after = self._settings.polling.stale_after
        status = TargetStatus(
            key=target.key,
            groups=groups,
            polled_monotonic=self._poller.clock.monotonic(),
            stale_after=stale_after,
            labels=target.labels,
        )
        errors = [group.error for group in self._groups]
        if all(errors):
            if self._previous is None or all(is_logstore_gone(each) for each in errors if each):
                return status
            # Values of the logstore have the age of the poll that read them.
            return replace(
                self._previous, groups=groups, stale_after=stale_after, labels=target.labels
            )
        return replace(
            status,
            polled_monotonic=max(group.read.monotonic for group in self._groups),
            shards_by_status=None if listed is None else count_by_status(listed.values()),
            retention_seconds=reader.retention_seconds,
            cursor_access=reader.cursor_access,
            cursor_remedy=NO_CURSOR_ACCESS if reader.cursor_access is False else None,
            retention_access=reader.retention_access,
            shard_failure=reader.failure,
        )
