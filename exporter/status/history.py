"""The unread data of each consumer group over the last hour, and its recent rates.

The memory is bounded: a group has at most one sample per ``SPACING_SECONDS``, for an hour.
"""

import threading
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import isnan, nan
from types import MappingProxyType
from typing import NamedTuple

from exporter.model.names import GroupKey
from exporter.model.progress import Totals
from exporter.model.snapshot import TargetStatus

HOUR = 3600.0
SPACING_SECONDS = 50.0
"""The least time between two samples, a bit less than the default interval of polls."""

_RATE_SAMPLES = 6
LEAST_INTERVALS = 4.5  # five, of which one may be a bit short


class Rates(NamedTuple):
    """Log groups per second; None if unknown."""

    read: float | None = None
    written: float | None = None


class Point(NamedTuple):
    """The number of unread log groups at a time on the monotonic clock."""

    at: float
    unread: float


class History:
    """The samples of one consumer group. Readers see the state after one of its polls."""

    __slots__ = ("_due", "_points", "_totals", "interval", "rates")

    def __init__(self) -> None:
        # Arrays take 800 bytes for an hour, tuples would take ten times as much. A number of
        # 32 bits is exact to a pixel.
        self._points = array("f")
        self._totals = array("d")
        self._due = 0.0
        self.interval = 0.0
        """Seconds between two polls."""
        self.rates = Rates()
        """The means over the last polls, at least five intervals."""

    @property
    def points(self) -> Sequence[Point]:
        """The samples of the last hour, the oldest first."""
        points = self._points
        return [*map(Point, points[::2], points[1::2])]

    def add(
        self,
        at: float,
        unread: int | None,
        totals: Totals,
        *,
        interval: float,
        least_intervals: float = LEAST_INTERVALS,
    ) -> None:
        """Add the result of a poll. There are rates after ``least_intervals``."""
        self.interval = interval
        if not self._totals or at >= self._due:
            self._due = at + SPACING_SECONDS
            written = nan if totals.written is None else totals.written
            self._totals = (self._totals + array("d", (at, totals.consumed, written)))[
                -3 * _RATE_SAMPLES :
            ]
            if unread is not None:
                self._points = self._since(at - HOUR) + array("f", (at, unread))
        self.rates = self._rates(at, totals, least_intervals * interval)

    def _since(self, earliest: float) -> "array[float]":
        points = self._points
        first = next((each for each in range(0, len(points), 2) if points[each] >= earliest), None)
        return array("f") if first is None else points[first:]

    def _rates(self, at: float, totals: Totals, least_seconds: float) -> Rates:
        since, consumed, written = self._totals[:3]
        seconds = at - since
        if seconds <= 0 or seconds < least_seconds:
            return Rates()
        is_unknown = totals.written is None or isnan(written)
        return Rates(
            read=(totals.consumed - consumed) / seconds,
            written=None if is_unknown else ((totals.written or 0) - written) / seconds,
        )


NO_HISTORIES: Mapping[GroupKey, History] = MappingProxyType({})


class Histories:
    """The samples of all consumer groups. Polls may record from several threads.

    With ``is_single_round``, there are rates after the second poll of a group.
    """

    def __init__(self, *, is_single_round: bool = False) -> None:
        self._lock = threading.Lock()
        self._by_key: dict[GroupKey, History] = {}
        self._least_intervals = 0.0 if is_single_round else LEAST_INTERVALS

    def record(self, target: TargetStatus) -> None:
        """Add the groups of a target after its poll, except those whose poll failed."""
        for group in target.groups:
            if group.up and group.snapshot is not None and group.totals is not None:
                with self._lock:
                    history = self._by_key.setdefault(group.key, History())
                history.add(
                    group.snapshot.polled.monotonic,
                    known_sum(shard.unread for shard in group.snapshot.shown),
                    group.totals,
                    interval=group.interval,
                    least_intervals=self._least_intervals,
                )

    def keep_only(self, keys: Collection[GroupKey]) -> None:
        """Forget all other groups."""
        with self._lock:
            self._by_key = {key: each for key, each in self._by_key.items() if key in keys}

    def view(self) -> Mapping[GroupKey, History]:
        """Return the samples of each group."""
        with self._lock:
            return self._by_key.copy()


def known_sum(counts: Iterable[int | None]) -> int | None:
    """Return the sum of counts, as far as they are known; None if all are unknown."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
