"""The unread data of a shard in the simulated world, as exactly as the documents promise it.

Receive times may be interpolated, but never across ``stall_after``: the state is always right.
"""

from math import inf, nextafter

from exporter.simulator.world import World
from tests.simulation.oracle.account import INTERVAL, STALL_AFTER
from tests.simulation.oracle.comparing import Allowed, Span, between, either, exactly
from tests.simulation.oracle.listings import Place
from tests.simulation.oracle.verdicts import Verdict

LATE_SECONDS = 300.0
"""Maximum delay in seconds until the exporter detects that data has expired."""
EXACT_SECONDS = 2.0
"""Maximum error in seconds of a receive time that must be exact."""
EXACT_FROM = STALL_AFTER - min(INTERVAL, STALL_AFTER / 2)
"""Duration in seconds from which a stall is exact."""
LEAST_ERROR = 5 * INTERVAL
"""Error in seconds that is always allowed for a lag."""
_NANOSECONDS = 1_000_000_000  # a cursor begins with the time at which its shard was created


class UnreadData:
    """Data of the world about one shard whose end a poll has read."""

    def __init__(self, world: World, place: Place, shard: int, *, end: int, readonly: bool) -> None:
        self._world = world
        self._place = place
        self._shard = shard
        self._end = end
        self._readonly = readonly
        self._now = world.now()
        self._first = world.begin_cursor(*place, shard)
        self._first_before = world.begin_cursor(*place, shard, seconds_ago=LATE_SECONDS)

    def never_consumed(self, *, is_stood_in: bool) -> Verdict:
        """Return the ``Verdict`` on a group without a checkpoint.

        If an earlier listing stands in, the first log group may be that of a deleted shard.
        """
        counts = [max(0, self._end - first) for first in (self._first, self._first_before)]
        unread, oldest = between(counts[0], *counts), self._oldest_retained()
        if is_stood_in:
            unread = between(counts[0], counts[0], inf)
            oldest = between(self._now, -inf, self._now, optional=True)
        return Verdict(at=self._now, unread=unread, oldest=oldest, readonly=self._readonly)

    def after(self, start: int, moved: float | None, *, certain: bool) -> list[Verdict]:
        """Return each possible ``Verdict`` on a checkpoint before the end.

        ``certain`` means that no request about the shard failed.
        """
        found: list[Verdict] = []
        if start < self._first:
            found.append(self._expired(start))
        received = self._received(start)
        if received is None:  # it is before all that was ever written
            found += [self._behind(start, Span(at, -inf, inf)) for at in (-inf, self._now)]
        elif start >= self._first_before:
            is_certain = certain and start >= self._first
            found.append(self._behind(start, self._waits(received, moved, certain=is_certain)))
        return found

    def _expired(self, start: int) -> Verdict:
        """Return the ``Verdict`` with the first retained log group as the oldest unread one."""
        oldest, newest = self._oldest_retained(), self._received(self._end - 1)
        waits = lag = None
        if oldest is not None:
            (waits,) = oldest.spans
            if oldest.optional:
                waits = Span(waits.true, -inf, waits.most)
            if newest is not None:
                error = _lag_error(newest - waits.true)
                earliest, latest = oldest.least, oldest.most
                lag = between(
                    newest - waits.true, newest - latest - error, newest - earliest + error
                )
                lag = Allowed(spans=lag.spans, optional=True)
        # Log groups that have expired are not unread, since nothing can read them.
        retained = self._end - self._first
        most = self._end - max(start, self._first_before)
        if not retained:
            lag = either([exactly(0.0), lag])
        return Verdict(
            at=self._now,
            unread=between(retained, retained, most),
            lag=lag,
            oldest=oldest,
            waits=waits,
            readonly=self._readonly,
            expired=True,
        )

    def _behind(self, start: int, waits: Span) -> Verdict:
        oldest, received = between(self._now, -inf, inf, optional=True), self._received(start)
        if received is not None:
            error = _lag_error(self._now - received)
            oldest = between(received, received - error, received + error, optional=True)
        return Verdict(
            at=self._now,
            unread=exactly(self._end - start),
            lag=self._lag(start),
            oldest=oldest,
            waits=waits,
            readonly=self._readonly,
        )

    def _waits(self, received: float, moved: float | None, *, certain: bool) -> Span:
        """Return when data began to wait, never on the wrong side of ``stall_after``."""
        since = received if moved is None else max(received, moved)
        stalled = self._now - since
        limit = self._now - STALL_AFTER
        if certain and stalled > EXACT_FROM:
            least, most = since - EXACT_SECONDS, since + EXACT_SECONDS
        else:
            bound = EXACT_FROM if certain else STALL_AFTER
            least = self._now - bound if stalled <= STALL_AFTER else -inf
            most = inf
        if stalled > STALL_AFTER:
            return Span(since, least, min(most, nextafter(limit, -inf)))
        return Span(since, max(least, limit), most)

    def _lag(self, start: int) -> Allowed:
        """Return the time between the last consumed log group and the latest one."""
        newest, consumed = self._received(self._end - 1), self._received(start - 1)
        if newest is None:
            return between(0.0, 0.0, inf, optional=True)
        oldest = self._received(start)
        # Nothing was consumed before the first log group, which was received after the creation.
        latest = consumed if consumed is not None else newest if oldest is None else oldest
        earliest = consumed if consumed is not None else min(latest, start / _NANOSECONDS)
        lag = newest - latest
        most = newest - earliest
        return between(lag, max(0.0, lag - _lag_error(lag)), most + _lag_error(most), optional=True)

    def _oldest_retained(self) -> Allowed | None:
        """Return when the first log group was received, as of now or of a while ago."""
        earliest = self._received(self._first_before) if self._first_before < self._end else None
        if earliest is None:
            return None
        latest = self._received(min(self._first, self._end - 1)) or earliest
        return between(latest, earliest, latest, optional=self._first >= self._end)

    def _received(self, cursor: int) -> int | None:
        received = self._world.received(*self._place, self._shard, cursor)
        return None if received is None else int(received)


def _lag_error(lag: float) -> float:
    return max(LEAST_ERROR, lag / 2)
