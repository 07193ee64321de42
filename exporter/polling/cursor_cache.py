"""Reads the cursors of one logstore as rarely as the truth allows.

The end of a shard is read once a poll for all groups, and never again once the shard is read-only.
What time a cursor stands for never changes, so it is asked once, unless the log group there may
have expired meanwhile; only what the last poll used is remembered.
"""

from collections.abc import Callable

from msgspec import Struct

from exporter.model.progress import ShardEnd, Unread
from exporter.model.shards import Checkpoint, Shard, decode_cursor, encode_cursor
from exporter.sls.client import SlsClient
from exporter.sls.errors import InvalidCursor, InvalidResponse

# How long the first log group of a shard is taken to stay the first, and one that is due to expire
# to be still there.
_OLDEST_SECONDS = 300.0


class _Oldest(Struct, frozen=True, kw_only=True):
    """The first retained log group of a shard, as read at a time; no time if there is none."""

    cursor: int
    received_at: float | None
    end: int
    read_at: float


class _Time(Struct, frozen=True, kw_only=True):
    """When a log group was received, None if it is not there any more; and when that was asked."""

    received_at: int | None
    asked_at: float


class CursorCache:
    """The cursors of one logstore; used by one poll at a time."""

    def __init__(self, client: SlsClient, logstore: str, *, monotonic: Callable[[], float]) -> None:
        self._client = client
        self._logstore = logstore
        self._monotonic = monotonic
        self._created: dict[int, int | None] = {}
        self._final_ends: dict[int, ShardEnd] = {}
        self._oldest: dict[int, _Oldest] = {}
        self._times: dict[tuple[int, int], _Time] = {}
        self._used: dict[tuple[int, int], _Time] = {}

    def end(self, shard: Shard) -> ShardEnd:
        """Return the end of a shard; raises SlsError."""
        if self._created.setdefault(shard.shard, shard.created_at) != shard.created_at:
            self._forget(shard)
        final = self._final_ends.get(shard.shard)
        if final is not None and shard.status == "readonly":
            return final
        text = self._client.get_cursor(self._logstore, shard.shard, "end")
        end = ShardEnd(cursor=self._decoded(text), readonly=shard.status == "readonly")
        if end.readonly:
            self._final_ends[shard.shard] = end
        return end

    def unread(self, checkpoint: Checkpoint, end: ShardEnd, *, expires_before: float) -> Unread:
        """Find out what a shard that is behind, or was never consumed, has not read.

        Log groups received before ``expires_before`` (unix seconds) may be gone since they were
        seen. Raises SlsError, except for cursors that the retention time has overtaken.
        """
        shard = checkpoint.shard
        start = decode_cursor(checkpoint.cursor)
        if start is None:
            oldest = self._first(shard, end)
            return Unread(oldest_at=oldest.received_at, first_cursor=oldest.cursor)
        newest_at = self._time(shard, end.cursor - 1)
        oldest_at = self._time(shard, start, expires_before=expires_before)
        if oldest_at is None:
            oldest = self._first(shard, end)
            return Unread(oldest_at=oldest.received_at, newest_at=newest_at, expired=True)
        return Unread(
            oldest_at=oldest_at,
            consumed_at=self._time(shard, start - 1),
            newest_at=newest_at,
        )

    def end_poll(self, shards: frozenset[int]) -> None:
        """Forget what this poll did not use and the shards that are no more."""
        self._created = {shard: at for shard, at in self._created.items() if shard in shards}
        self._times, self._used = self._used, {}
        self._final_ends = {
            shard: end for shard, end in self._final_ends.items() if shard in shards
        }
        self._oldest = {shard: oldest for shard, oldest in self._oldest.items() if shard in shards}

    def _forget(self, shard: Shard) -> None:
        """Forget another shard of this number: the logstore was deleted and created anew."""
        self._created[shard.shard] = shard.created_at
        self._final_ends.pop(shard.shard, None)
        self._oldest.pop(shard.shard, None)
        self._times = {key: time for key, time in self._times.items() if key[0] != shard.shard}

    def _first(self, shard: int, end: ShardEnd) -> _Oldest:
        known = self._oldest.get(shard)
        now = self._monotonic()
        if known is not None:
            still_empty = known.received_at is None and known.end == end.cursor
            still_first = known.received_at is not None and now - known.read_at < _OLDEST_SECONDS
            if still_empty or still_first:
                return known
        cursor = self._decoded(self._client.get_cursor(self._logstore, shard, "begin"))
        received_at = self._time(shard, cursor) if cursor < end.cursor else None
        oldest = _Oldest(cursor=cursor, received_at=received_at, end=end.cursor, read_at=now)
        self._oldest[shard] = oldest
        return oldest

    def _time(
        self, shard: int, cursor: int, *, expires_before: float = float("-inf")
    ) -> int | None:
        """Return when the log group at a cursor was received; None if it is not there any more.

        A log group keeps its time while it is there, and what has expired does not come back.
        """
        key = (shard, cursor)
        time = self._used.get(key) or self._times.get(key)
        if time is None or self._may_be_gone(time, expires_before):
            time = self._ask(shard, cursor)
        self._used[key] = time
        return time.received_at

    def _may_be_gone(self, time: _Time, expires_before: float) -> bool:
        return (
            time.received_at is not None
            and time.received_at < expires_before
            and self._monotonic() - time.asked_at >= _OLDEST_SECONDS
        )

    def _ask(self, shard: int, cursor: int) -> _Time:
        now = self._monotonic()
        try:
            at = self._client.get_cursor_time(self._logstore, shard, encode_cursor(cursor))
        except InvalidCursor:
            return _Time(received_at=None, asked_at=now)
        return _Time(received_at=at, asked_at=now)

    @staticmethod
    def _decoded(text: str) -> int:
        cursor = decode_cursor(text)
        if cursor is None:
            raise InvalidResponse("the cursor is not a number in base64", operation="GetCursor")
        return cursor
