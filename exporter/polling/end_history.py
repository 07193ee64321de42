"""Bounds of the receive times of the log groups of one shard, from a few readings.

Cursors rise with receive time, so each reading bounds the times of all cursors on one side of it.
The bounds form two staircases. A missing or dropped step only widens a bracket, so a bracket never
contradicts the service.
"""

from array import array
from bisect import bisect_left, bisect_right

from exporter.model.progress import UNKNOWN_BRACKET, Bracket

STEPS = 64
"""Steps kept per staircase: a bracket is then at most about 18 % of the age of its cursor."""
TOLERANCE_SECONDS = 2.0
"""Allowance for the whole seconds of the service and for clocks that differ in it."""
MAX_TOLERANCE_SECONDS = 10.0
_RECENT_SECONDS = 60.0  # brackets younger than this weigh about the same when steps are dropped


class Staircase:
    """Steps of rising cursors and rising times (unix seconds).

    Log groups at or after the cursor of a lower step were received at or after its time. Log groups
    before the cursor of an upper step were received at or before its time.
    """

    __slots__ = ("cursors", "times", "upper")

    def __init__(self, *, upper: bool) -> None:
        self.upper = upper
        self.cursors = array("q")
        self.times = array("d")

    def add(self, cursor: int, time: float) -> None:
        """Add a bound. A bound that another one implies is dropped."""
        cursors, times = self.cursors, self.times
        if self.upper:
            at = bisect_left(cursors, cursor)
            if at < len(cursors) and times[at] <= time:
                return
            first = last = bisect_right(cursors, cursor)
            while first and times[first - 1] >= time:
                first -= 1
        else:
            at = bisect_right(cursors, cursor)
            if at and times[at - 1] >= time:
                return
            first = last = bisect_left(cursors, cursor)
            while last < len(cursors) and times[last] <= time:
                last += 1
        cursors[first:last] = array("q", [cursor])
        times[first:last] = array("d", [time])

    def step(self, cursor: int) -> tuple[int, float] | None:
        """Return the step that bounds the log group at a cursor, None if there is none."""
        at = bisect_right(self.cursors, cursor) - (0 if self.upper else 1)
        return (self.cursors[at], self.times[at]) if 0 <= at < len(self.cursors) else None

    def thin(self, now: float) -> None:
        """Drop the steps whose loss widens a bracket least, in proportion to its age."""
        times = self.times
        while len(times) > STEPS:
            least = min(
                range(1, len(times) - 1),
                key=lambda at: (
                    (times[at + 1] - times[at - 1]) / (now - times[at + 1] + _RECENT_SECONDS)
                ),
            )
            del self.cursors[least], times[least]

    def drop_contradicting(self, cursor: int, time: float) -> float:
        """Drop steps that contradict the exact time of a log group; return the largest miss."""
        wrong = [
            at
            for at, (key, bound) in enumerate(zip(self.cursors, self.times, strict=True))
            if (key > cursor and bound < time if self.upper else key <= cursor and bound > time)
        ]
        miss = max((abs(self.times[at] - time) for at in wrong), default=0.0)
        for at in reversed(wrong):
            del self.cursors[at], self.times[at]
        return miss


class EndHistory:
    """Known receive times of one shard. Instants are on the clock of the service."""

    __slots__ = ("_lower", "_tolerance", "_upper")

    def __init__(self, *, created_at: float | None = None) -> None:
        self._lower = Staircase(upper=False)
        self._upper = Staircase(upper=True)
        self._tolerance = TOLERANCE_SECONDS
        if created_at is not None:
            self._lower.add(0, created_at - self._tolerance)

    def add_end(self, cursor: int, *, sent_at: float, received_at: float) -> None:
        """Add the end of the shard, read between two instants."""
        self._lower.add(cursor, sent_at - self._tolerance)
        self._upper.add(cursor, received_at + self._tolerance)
        self._lower.thin(received_at)
        self._upper.thin(received_at)

    def add_time(self, cursor: int, time: float) -> None:
        """Add the exact receive time of a log group.

        Bounds that contradict it are dropped, and the tolerance grows by the miss: then the clocks
        of the service differ by more than expected.
        """
        miss = max(
            self._lower.drop_contradicting(cursor, time),
            self._upper.drop_contradicting(cursor, time),
        )
        self._tolerance = min(MAX_TOLERANCE_SECONDS, self._tolerance + miss)
        self._lower.add(cursor, time)
        self._upper.add(cursor + 1, time)

    def add_first_since(self, time: int, cursor: int, *, is_begin: bool) -> None:
        """Add the first log group received at or after a whole second.

        The first log group of the shard does not bound the ones before it.
        """
        self._lower.add(cursor, time)
        if not is_begin:
            self._upper.add(cursor, time - 1)

    def add_read_before(self, cursor: int, time: float) -> None:
        """Add that all log groups before a cursor had been read at an instant.

        A checkpoint that was set ahead of the end of the shard is ignored.
        """
        latest = time + self._tolerance
        lower = self._lower.step(cursor - 1)
        if lower is None or lower[1] <= latest:
            self._upper.add(cursor, latest)

    def bracket(self, cursor: int) -> Bracket:
        """Return the bounds of the receive time of the log group at a cursor."""
        lower, upper = self._lower.step(cursor), self._upper.step(cursor)
        if upper is None:
            return UNKNOWN_BRACKET if lower is None else Bracket(lower[1], float("inf"), lower[1])
        if lower is None:
            return Bracket(float("-inf"), upper[1], upper[1])
        first, earliest = lower
        last, latest = upper[0], max(earliest, upper[1])
        # Log groups are assumed to arrive evenly between two steps. Cursors exceed a float,
        # so they are subtracted as integers.
        estimate = earliest + (latest - earliest) * (cursor - first + 0.5) / (last - first)
        # The bounds do not justify more digits.
        return Bracket(earliest, latest, min(max(round(estimate, 1), earliest), latest))
