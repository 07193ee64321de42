"""Reads what all groups of a logstore share: its shards, their ends, its retention time.

Without the right to read cursors it says so once and asks again later; until then there are only
checkpoints.
"""

from collections.abc import Iterable, Mapping
from functools import partial

from exporter.base.clock import Clock
from exporter.evaluation.shard import is_behind
from exporter.model.progress import NOTHING_UNREAD, ShardEnd, Unread
from exporter.model.shards import Checkpoint, Shard
from exporter.polling.cursor_cache import CursorCache
from exporter.polling.fanout import FanOut
from exporter.polling.outages import PollObserver
from exporter.polling.targets import Target
from exporter.sls.client import SlsClient
from exporter.sls.errors import AccessDenied, Cancelled, SlsError

_DAY_SECONDS = 86_400.0


class LogstoreReader:
    """Reads one logstore, with a memory that saves requests; used by one poll at a time.

    Which groups the target has does not matter to it.
    """

    def __init__(
        self, target: Target, client: SlsClient, *, clock: Clock, observer: PollObserver
    ) -> None:
        self._target = target
        self._client = client
        self._clock = clock
        self._observer = observer
        self._cursors = CursorCache(client, target.key.logstore, monotonic=clock.monotonic)
        self._unanswered = FanOut[int]()
        self._denied = False
        self._ask_again_at = 0.0
        self.has_listed = False
        """Whether the newest listing of shards succeeded; else an earlier one stands in for it."""
        self._listed: Mapping[int, Shard] = {}
        self._listed_at: float | None = None
        self._retention: float | None = None
        self._retention_due = 0.0

    @property
    def cursor_access(self) -> bool | None:
        """Whether cursors may be read; None where they are not asked for."""
        return not self._denied if self._target.settings.lag else None

    def shards(self) -> Mapping[int, Shard] | None:
        """List the shards by number; None, and reported, where that cannot be had.

        A listing that fails is stood in for by the last good one, up to ``stale_after``.
        """
        self.has_listed = False
        if not self._target.settings.lag or self._is_denied():
            return None
        try:
            parsed = self._client.list_shards(self._target.key.logstore)
        except Cancelled:
            raise
        except SlsError as error:
            self._failed(error)
            if isinstance(error, AccessDenied):
                self._listed_at = None
            return self._recently_listed()
        if parsed.faults:
            self._observer.entries_skipped(self._target.key, "", parsed.faults)
        self._listed = {shard.shard: shard for shard in parsed.entries}
        self._listed_at = self._clock.monotonic()
        self.has_listed = True
        return self._listed

    def ends(self, shards: Iterable[Shard]) -> Mapping[int, ShardEnd]:
        """Read the ends of shards; one that cannot be had is reported and left out."""
        ends: dict[int, ShardEnd] = {}
        wanted = {shard.shard: shard for shard in shards}
        for shard in self._unanswered.begin_round(wanted):
            try:
                ends[shard] = self._unanswered.ask(shard, partial(self._cursors.end, wanted[shard]))
            except Cancelled:
                raise
            except SlsError as error:
                self._failed(error)
                if self._denied:
                    return {}
        if ends and self._denied:
            self._denied = False
            self._observer.cursor_access_changed(self._target.key, None)
        return ends

    def unread(
        self, checkpoints: Mapping[str, Iterable[Checkpoint]], ends: Mapping[int, ShardEnd]
    ) -> Mapping[str, Mapping[int, tuple[ShardEnd, Unread]]]:
        """Find out what groups have not read of the shards whose ends are known.

        By group and shard, with the end; what cannot be read is reported and left out.
        """
        found: dict[str, dict[int, tuple[ShardEnd, Unread]]] = {group: {} for group in checkpoints}
        if not ends:
            return found
        wanted: dict[int, list[tuple[str, Checkpoint]]] = {}
        for group, chosen in checkpoints.items():
            for checkpoint in chosen:
                if checkpoint.shard in ends:
                    wanted.setdefault(checkpoint.shard, []).append((group, checkpoint))
        for shard in self._unanswered.in_turn(wanted):
            for group, checkpoint in wanted[shard]:
                unread = self._unread(checkpoint, ends[shard])
                if unread is not None:
                    found[group][shard] = ends[shard], unread
        return found

    def _unread(self, checkpoint: Checkpoint, end: ShardEnd) -> Unread | None:
        if not is_behind(checkpoint, end):
            return NOTHING_UNREAD
        try:
            return self._unanswered.ask(
                checkpoint.shard,
                lambda: self._cursors.unread(
                    checkpoint, end, expires_before=self._expires_before()
                ),
            )
        except Cancelled:
            raise
        except SlsError as error:
            self._failed(error)
        return None

    def retention_seconds(self) -> float | None:
        """Return for how long logs are kept, asked for again only now and then.

        Where it cannot be had it is unknown, and nothing else suffers: no poll has failed.
        """
        now = self._clock.monotonic()
        if self._target.settings.lag and now >= self._retention_due:
            self._retention_due = now + self._target.refresh_seconds
            try:
                days = self._client.get_retention_days(self._target.key.logstore)
                self._retention = days * _DAY_SECONDS
            except Cancelled:
                raise
            except AccessDenied:
                self._retention = None
            except SlsError:
                pass  # the last known one stands
        return self._retention

    def end_poll(self, shards: Mapping[int, Shard] | None) -> None:
        """Forget what this poll did not use."""
        if shards is not None:
            self._cursors.end_poll(frozenset(shards))

    def _recently_listed(self) -> Mapping[int, Shard] | None:
        now, stale_after = self._clock.monotonic(), self._target.settings.stale_after
        is_recent = self._listed_at is not None and now - self._listed_at <= stale_after
        return self._listed if is_recent else None

    def _expires_before(self) -> float:
        """Return the instant of the server's clock before which nothing need be left."""
        if self._retention is None:
            return float("inf")
        return self._client.server_now() - self._retention

    def _is_denied(self) -> bool:
        return self._denied and self._clock.monotonic() < self._ask_again_at

    def _failed(self, error: SlsError) -> None:
        if not isinstance(error, AccessDenied):
            self._observer.poll_failed(self._target.key, "", error)
            return
        if not self._denied:
            self._observer.cursor_access_changed(self._target.key, error)
        self._denied = True
        self._ask_again_at = self._clock.monotonic() + self._target.refresh_seconds
