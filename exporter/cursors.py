"""Reads the cursors of one logstore as rarely as the truth allows.

The end of a shard is read once a poll for all groups, and never again once the shard is read-only.
What time a cursor stands for never changes, so it is asked once; only what the last poll used is
remembered.
"""

from collections.abc import Callable
from dataclasses import dataclass

from exporter.progress import End, Unread, decode_cursor, encode_cursor
from exporter.sls import Checkpoint, InvalidCursor, InvalidResponse, Shard, SlsClient

_OLDEST_SECONDS = 300.0  # how long the first log group of a shard is taken to stay the first


@dataclass(frozen=True, slots=True, kw_only=True)
class _Oldest:
    """The first retained log group of a shard, as read at a time; no time if there is none."""

    cursor: int
    received_at: float | None
    end: int
    read_at: float


class Cursors:
    """The cursors of one logstore; used by one poll at a time."""

    def __init__(self, client: SlsClient, logstore: str, *, monotonic: Callable[[], float]) -> None:
        self._client = client
        self._logstore = logstore
        self._monotonic = monotonic
        self._final_ends: dict[int, End] = {}
        self._oldest: dict[int, _Oldest] = {}
        self._times: dict[tuple[int, int], int | None] = {}
        self._used: dict[tuple[int, int], int | None] = {}

    def end(self, shard: Shard) -> End:
        """Return the end of a shard; raises SlsError."""
        final = self._final_ends.get(shard.shard)
        if final is not None:
            return final
        text = self._client.get_cursor(self._logstore, shard.shard, "end")
        end = End(cursor=self._decoded(text), readonly=shard.status == "readonly")
        if end.readonly:
            self._final_ends[shard.shard] = end
        return end

    def unread(self, checkpoint: Checkpoint, end: End) -> Unread:
        """Find out what a shard that is behind, or was never consumed, has not read.

        Raises SlsError, except for cursors that the retention time has overtaken.
        """
        shard = checkpoint.shard
        start = decode_cursor(checkpoint.cursor)
        if start is None:
            oldest = self._first(shard, end)
            return Unread(oldest_at=oldest.received_at, first_cursor=oldest.cursor)
        newest_at = self._time(shard, end.cursor - 1)
        oldest_at = self._time(shard, start)
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
        self._times, self._used = self._used, {}
        self._final_ends = {
            shard: end for shard, end in self._final_ends.items() if shard in shards
        }
        self._oldest = {shard: oldest for shard, oldest in self._oldest.items() if shard in shards}

    def _first(self, shard: int, end: End) -> _Oldest:
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

    def _time(self, shard: int, cursor: int) -> int | None:
        """Return when the log group at a cursor was received; None if it is not there any more.

        Both are for good: a log group keeps its time, and what has expired does not come back.
        """
        key = (shard, cursor)
        if key not in self._used:
            self._used[key] = self._times[key] if key in self._times else self._ask(shard, cursor)
        return self._used[key]

    def _ask(self, shard: int, cursor: int) -> int | None:
        try:
            return self._client.get_cursor_time(self._logstore, shard, encode_cursor(cursor))
        except InvalidCursor:
            return None

    @staticmethod
    def _decoded(text: str) -> int:
        cursor = decode_cursor(text)
        if cursor is None:
            raise InvalidResponse("the cursor is not a number in base64", operation="GetCursor")
        return cursor
