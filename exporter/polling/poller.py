"""One poll of one logstore: from what SLS answers to an immutable status.

What fails is told through a hook and kept from spreading: a shard's fault leaves the other shards,
a group's the other groups. Only a stop ends a poll early.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter

from msgspec.structs import replace

from exporter.base.clock import Clock
from exporter.evaluation.shard import carry_over, evaluate
from exporter.model.names import GroupKey
from exporter.model.progress import NOTHING_UNREAD, ShardEnd, ShardProgress, Unread
from exporter.model.shards import Checkpoint, Shard
from exporter.model.snapshot import Failure, GroupSnapshot, GroupStatus, Instant, TargetStatus
from exporter.polling.fanout import FanOut
from exporter.polling.logstore_reader import LogstoreReader
from exporter.polling.outages import PollObserver
from exporter.polling.targets import GroupTarget, Target
from exporter.sls.client import SlsClient
from exporter.sls.errors import Cancelled, NotFound, SlsError
from exporter.sls.json_values import Parsed

_SHARD = attrgetter("shard")


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
        self._target = target
        self._client = client
        self._clock = clock
        self._observer = observer
        self._unanswered = FanOut[GroupTarget]()
        self._logstore = logstore

    def poll(self, previous: TargetStatus | None) -> TargetStatus:
        """Poll every group of the target once; raises Cancelled when the exporter stops."""
        known = (
            {status.key.consumer_group: status for status in previous.groups} if previous else {}
        )
        # Checkpoints come first and ends second, so that no checkpoint is ahead of its end.
        asked = {
            group: self._checkpoints(group)
            for group in self._unanswered.begin_round(self._target.groups)
        }
        answers = [(group, asked[group]) for group in self._target.groups]
        now = Instant(server=self._client.server_now(), monotonic=self._clock.monotonic())
        good = {group: answer for group, answer in answers if not isinstance(answer, SlsError)}
        if not good:
            errors = [(group, answer) for group, answer in answers if isinstance(answer, SlsError)]
            return self._all_failed(errors, known, previous, now)
        listed = self._logstore.shards()
        selected = {
            group: select(
                group, answer, listed, self._maybe_unconsumed(known.get(group.name), listed)
            )
            for group, answer in good.items()
        }
        wanted = {checkpoint.shard for chosen in selected.values() for checkpoint in chosen}
        ends = self._logstore.ends(
            shard for shard in (listed or {}).values() if shard.shard in wanted
        )
        unread = self._logstore.unread(
            {group.name: chosen for group, chosen in selected.items()}, ends
        )
        groups = tuple(
            self._failed(group, known.get(group.name), answer)
            if isinstance(answer, SlsError)
            else self._succeeded(
                group, known.get(group.name), selected[group], unread[group.name], now
            )
            for group, answer in answers
        )
        self._logstore.end_poll(listed)
        return TargetStatus(
            key=self._target.key,
            groups=groups,
            polled_monotonic=now.monotonic,
            stale_after=self._target.settings.stale_after,
            shards_by_status=None if listed is None else count_by_status(listed.values()),
            retention_seconds=self._logstore.retention_seconds(),
            cursor_access=self._logstore.cursor_access,
        )

    def _all_failed(
        self,
        errors: Sequence[tuple[GroupTarget, SlsError]],
        known: Mapping[str, GroupStatus],
        previous: TargetStatus | None,
        now: Instant,
    ) -> TargetStatus:
        """Keep what was last read of the logstore, unless there is definitely no such logstore."""
        groups = tuple(self._failed(group, known.get(group.name), error) for group, error in errors)
        stale_after = self._target.settings.stale_after
        if previous is None or all(is_logstore_gone(error) for _, error in errors):
            return TargetStatus(
                key=self._target.key,
                groups=groups,
                polled_monotonic=now.monotonic,
                stale_after=stale_after,
            )
        # It is as old as the poll that read it.
        return replace(previous, groups=groups, stale_after=stale_after)

    def _maybe_unconsumed(
        self, known: GroupStatus | None, listed: Mapping[int, Shard] | None
    ) -> Collection[int]:
        """Return the shards that count as never consumed where a group has no checkpoint of them.

        An earlier listing may name a shard that has vanished together with its checkpoint, so then
        they are those that the group had no checkpoint of before.
        """
        if listed is None or self._logstore.has_listed:
            return listed or ()
        before = known.snapshot.shards if known and known.snapshot else ()
        return {shard.shard for shard in before if not shard.is_consumed} & listed.keys()

    def _checkpoints(self, group: GroupTarget) -> Parsed[Checkpoint] | SlsError:
        try:
            parsed = self._unanswered.ask(
                group,
                lambda: self._client.get_checkpoints(self._target.key.logstore, group.name),
            )
        except Cancelled:
            raise
        except SlsError as error:
            self._observer.poll_failed(self._target.key, group.name, error)
            return error
        if parsed.faults:
            self._observer.entries_skipped(self._target.key, group.name, parsed.faults)
        return parsed

    def _failed(
        self, group: GroupTarget, known: GroupStatus | None, error: SlsError
    ) -> GroupStatus:
        status = known or self._unknown(group)
        since = status.failure.since if status.failure else self._clock.wall()
        return replace(
            status,
            failure=Failure(code=error.code, message=str(error), since=since),
            # What does not exist is withdrawn at once; what cannot be read may still be true.
            snapshot=None if isinstance(error, NotFound) else status.snapshot,
            listing=group.listing,
        )

    def _succeeded(
        self,
        group: GroupTarget,
        known: GroupStatus | None,
        checkpoints: Sequence[Checkpoint],
        unread: Mapping[int, tuple[ShardEnd, Unread]],
        now: Instant,
    ) -> GroupStatus:
        before = known.snapshot.shards if known and known.snapshot else ()
        previous = {shard.shard: shard for shard in before}
        judged = [
            self._judged(each, previous.get(each.shard), unread.get(each.shard), now.server)
            for each in checkpoints
        ]
        return replace(
            self._unknown(group),
            last_success=self._clock.wall(),
            snapshot=GroupSnapshot(polled=now, shards=tuple(judged)),
        )

    def _judged(
        self,
        checkpoint: Checkpoint,
        previous: ShardProgress | None,
        found: tuple[ShardEnd, Unread] | None,
        now: float,
    ) -> ShardProgress:
        end, unread = found or (None, NOTHING_UNREAD)
        progress = evaluate(checkpoint, previous=previous, end=end, unread=unread, seen_at=now)
        if end is None and previous is not None and self._logstore.cursor_access:
            max_age = self._target.settings.stale_after
            return carry_over(progress, previous, now=now, max_age=max_age)
        return progress

    def _unknown(self, group: GroupTarget) -> GroupStatus:
        return GroupStatus(
            key=GroupKey(*self._target.key, group.name),
            stale_after=self._target.settings.stale_after,
            stall_after=self._target.settings.stall_after,
            listing=group.listing,
        )


def is_logstore_gone(error: SlsError) -> bool:
    """Tell whether there is definitely no such logstore, or no such project."""
    return isinstance(error, NotFound) and error.code != "ConsumerGroupNotExist"


def select(
    group: GroupTarget,
    answer: Parsed[Checkpoint],
    listed: Mapping[int, Shard] | None,
    maybe_unconsumed: Collection[int],
) -> tuple[Checkpoint, ...]:
    """Choose the checkpoints of interest, in the order of shards.

    Where the shards are listed, one that is gone is left out. One of ``maybe_unconsumed`` that the
    group has no checkpoint of is there as never consumed; but not if that might be an entry that
    could not be read.
    """
    chosen = list(answer.entries)
    if not group.wants_all:
        chosen = [each for each in chosen if group.wants(each.shard, each.consumer)]
    if listed is not None:
        chosen = [each for each in chosen if each.shard in listed]
    if maybe_unconsumed and not group.consumers and not answer.faults:
        known = {each.shard for each in answer.entries}
        chosen += [
            Checkpoint(shard=shard, cursor="", updated_at=None, consumer="")
            for shard in maybe_unconsumed
            if shard not in known and group.wants_shard(shard)
        ]
    return tuple(sorted(chosen, key=_SHARD))


def count_by_status(shards: Iterable[Shard]) -> Mapping[str, int]:
    """Count shards by status, both statuses always present."""
    statuses = [shard.status for shard in shards]
    return {status: statuses.count(status) for status in ("readwrite", "readonly")}
