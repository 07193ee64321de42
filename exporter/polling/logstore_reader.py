"""The data that all groups of a logstore share: shards, cursors, retention time.

The poll decides which requests to send, and on which thread.
"""

import threading
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from typing import NamedTuple

from msgspec.structs import replace

from exporter.base.clock import Clock
from exporter.model.progress import ShardEnd
from exporter.model.shards import Shard, decode_cursor, encode_cursor
from exporter.model.snapshot import Failure
from exporter.polling.cursor_cache import Begin, CursorCache, ShardCursors
from exporter.polling.end_history import MAX_TOLERANCE_SECONDS
from exporter.polling.fanout import Unresponsive
from exporter.polling.outages import PollObserver
from exporter.polling.readings import Reading
from exporter.polling.selection import LISTING_FAILED, NOT_LISTED, ShardListing
from exporter.polling.since_proof import SinceProof
from exporter.polling.targets import Target
from exporter.polling.turns import Turns
from exporter.sls.client import SlsClient
from exporter.sls.errors import AccessDenied, InvalidCursor, InvalidResponse, SlsError
from exporter.sls.json_values import Parsed
from exporter.sls.remedies import remedy

_DAY_SECONDS = 86_400.0
PROOFS = 3
"""Number of verified responses after which GetCursor with a time is trusted."""


class EndReading(NamedTuple):
    """The end of a shard, read between two instants of the service's clock."""

    end: ShardEnd
    sent_at: float
    received_at: float


class LogstoreReader:
    """A reader of one logstore that caches data to save requests; used by one poll at a time.

    It does not depend on the groups of the target. If the permission to read cursors is missing,
    the reader reports that once and tries again later. Until then only checkpoints are known.
    """

    def __init__(
        self, target: Target, client: SlsClient, *, clock: Clock, observer: PollObserver
    ) -> None:
        self._target = target
        self._client = client
        self._clock = clock
        self._observer = observer
        self.turn = threading.Lock()
        """Held by the poll that uses the reader."""
        self.cursors = CursorCache()
        self.unresponsive = Unresponsive[int]()
        self.turns = Turns()
        self.is_denied = False
        """Whether the permission to read cursors is missing."""
        self.was_refused = False
        """Whether the service refused to return cursors in this poll."""
        self._has_end = False
        self._ask_again_at = 0.0
        self._listed = NOT_LISTED
        self._listed_at = -inf
        self.retention_seconds: float | None = None
        self.retention_access: bool | None = None
        """Whether the newest request for the retention time succeeded; None before the first."""
        self.failure: Failure | None = None
        """The reason why the last poll could not read all shards and cursors."""
        self._error: SlsError | None = None
        self._retention_due = 0.0

    @property
    def cursor_access(self) -> bool | None:
        """True if the exporter is allowed to read cursors; None if it does not request them."""
        return not self.is_denied if self._target.settings.lag else None

    @property
    def wants_shards(self) -> bool:
        """True if this poll requests shards and cursors."""
        return self._target.settings.lag and not (
            self.is_denied and self._clock.monotonic() < self._ask_again_at
        )

    @property
    def wants_retention(self) -> bool:
        """True if the retention time is due to be read again."""
        return self._target.settings.lag and self._clock.monotonic() >= self._retention_due

    def list_shards(self) -> Parsed[Shard]:
        """Send ListShards; raises SlsError."""
        return self._client.list_shards(self._target.key.logstore)

    def shards_listed(self, listing: Parsed[Shard] | SlsError) -> ShardListing:
        """Return the shards. If the listing failed, use the last one, up to ``stale_after``."""
        if isinstance(listing, SlsError):
            self.failed(listing)
            if isinstance(listing, AccessDenied):
                self._listed_at = -inf
                return NOT_LISTED
            age = self._clock.monotonic() - self._listed_at
            is_recent = age <= self._target.settings.polling.stale_after
            return replace(self._listed, is_new=False) if is_recent else LISTING_FAILED
        if listing.faults:
            self.entries_skipped("ListShards", listing.faults)
        self._listed_at = self._clock.monotonic()
        self._listed = ShardListing(
            shards={shard.shard: shard for shard in listing.entries},
            is_new=True,
            missing=len(listing.faults),
        )
        return self._listed

    def read_retention(self) -> int:
        """Send GetLogStore; returns days, raises SlsError."""
        self._retention_due = self._clock.monotonic() + self._target.refresh_seconds
        return self._client.get_retention_days(self._target.key.logstore)

    def retention_read(self, days: int | SlsError) -> None:
        """Note the retention time, and report when it begins or ceases to be readable.

        A failure to read it does not affect anything else.
        """
        error = days if isinstance(days, SlsError) else None
        if (self.retention_access is False) != (error is not None):
            self._observer.retention_access_changed(self._target.key, error)
        self.retention_access = error is None
        if isinstance(days, int):
            self.retention_seconds = days * _DAY_SECONDS
        elif isinstance(days, AccessDenied):
            self.retention_seconds = None

    def final_end(self, shard: Shard) -> ShardEnd | None:
        """Return the end of a shard that is known to be final."""
        known = self.cursors.of(shard)
        if not known.is_end_final or not _is_readonly(shard):
            return None
        self._has_end = True
        return known.end

    def read_end(self, shard: Shard) -> EndReading:
        """Send GetCursor for the end of a shard; raises SlsError."""
        self.turns.note_read(shard.shard)
        sent_at = self._client.server_now()
        cursor = self._get_cursor(shard.shard, "end")
        end = ShardEnd(cursor=cursor, readonly=_is_readonly(shard))
        return EndReading(end, sent_at, self._client.server_now())

    def end_read(self, shard: Shard, reading: EndReading) -> ShardCursors:
        """Note the end of a shard."""
        self._has_end = True
        cursors = self.cursors.of(shard)
        cursors.add_end(reading.end, sent_at=reading.sent_at, received_at=reading.received_at)
        return cursors

    def request(self, cursors: ShardCursors, reading: Reading) -> Callable[[], int | None]:
        """Return the request of a reading, which returns a cursor or a time and raises SlsError.

        A time that the service refuses is None, as that of a log group that has expired.
        """
        if reading.kind == "begin":
            return partial(self._get_cursor, reading.shard, "begin")
        if reading.kind == "since":
            return partial(self._get_cursor, reading.shard, str(reading.at))
        is_young = cursors.is_young(reading.at, self._client.server_now())
        return partial(self._get_time, reading.shard, reading.at, is_young=is_young)

    def reading_read(self, cursors: ShardCursors, reading: Reading, result: int | None) -> None:
        """Note the result of a request about a shard."""
        end = cursors.end
        if reading.kind == "time":
            cursors.add_time(reading.at, result)
        elif result is None or end is None or result > end.cursor:
            return  # Beyond the end, it is of another shard, which was created since then.
        elif reading.kind == "begin":
            read_at = self._client.server_now()
            cursors.add_begin(Begin(cursor=result, end=end.cursor, read_at=read_at))
        else:
            cursors.has_start = True
            cursors.add_first_since(reading.at, result)

    def entries_skipped(
        self, operation: str, faults: tuple[str, ...], consumer_group: str = ""
    ) -> None:
        """Report the invalid entries of a response, because of which shards are unknown."""
        self._observer.entries_skipped(self._target.key, consumer_group, faults)
        of = f" of {consumer_group}" if consumer_group else ""
        error = InvalidResponse(f"invalid entries{of}: {faults[0]}", operation=operation)
        self._error = self._error or error

    def failed(self, error: SlsError) -> None:
        """Report a failed request. A refusal means that the permission for cursors is missing."""
        if not isinstance(error, AccessDenied):
            self._observer.poll_failed(self._target.key, "", error)
            self._error = self._error or error
            return
        if not self.is_denied:
            self._observer.cursor_access_changed(self._target.key, error)
        self.is_denied = self.was_refused = True
        self._ask_again_at = self._clock.monotonic() + self._target.refresh_seconds

    def distrust_since(self) -> None:
        """Stop reading cursors by time, and forget times that may come from such readings."""
        self.cursors.distrust_since()
        self._observer.times_distrusted(self._target.key)

    def note_proof(self, proof: SinceProof) -> None:
        """Note whether GetCursor with a time can be trusted."""
        if proof.is_wrong:
            self.distrust_since()
        elif proof.is_right:
            self.cursors.passed += 1
            if proof.is_complete or self.cursors.passed >= PROOFS:
                self.cursors.trusts_since = True

    def begin_poll(self) -> None:
        """Begin a poll, and forget a refusal in an earlier one."""
        self.was_refused = self._has_end = False
        self.turns.begin_poll()
        self._error = None

    def end_poll(self, shards: Mapping[int, Shard] | None) -> None:
        """Forget unused cursors, and note failures and whether cursors can be read again."""
        self.failure = self._failure()
        if self.is_denied and self._has_end and not self.was_refused:
            self.is_denied = False
            self._observer.cursor_access_changed(self._target.key, None)
        if shards is not None:
            self.cursors.end_poll(shards)
            self.turns.keep_only(shards)

    def _failure(self) -> Failure | None:
        error = self._error
        if error is None:
            return None
        since = self._clock.wall() if self.failure is None else self.failure.since
        return Failure(code=error.code, message=str(error), since=since, remedy=remedy(error.code))

    def _get_time(self, shard: int, cursor: int, *, is_young: bool) -> int | None:
        """Return the receive time of a log group, None if the service refuses it.

        For a shard without data, the service returns InvalidCursor or the current time. A log group
        that seems to have just arrived, and is not known to be young, may have expired.
        """
        sent_at = self._client.server_now()
        try:
            time = self._client.get_cursor_time(
                self._target.key.logstore, shard, encode_cursor(cursor)
            )
        except InvalidCursor:
            return None
        is_doubtful = not is_young and time >= sent_at - MAX_TOLERANCE_SECONDS
        return None if is_doubtful and cursor < self._get_cursor(shard, "begin") else time

    def _get_cursor(self, shard: int, position: str) -> int:
        text = self._client.get_cursor(self._target.key.logstore, shard, position)
        cursor = decode_cursor(text)
        if cursor is None:
            raise InvalidResponse("the cursor is not a number in base64", operation="GetCursor")
        return cursor


def _is_readonly(shard: Shard) -> bool:
    return shard.status == "readonly"
