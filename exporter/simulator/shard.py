"""A shard and its log groups, kept as runs at even intervals rather than one by one.

The state of the log at any past instant is computed, so the cost does not depend on the number of
log groups.
"""

import math
from bisect import bisect_right
from typing import Literal

from msgspec import Struct

NANOSECONDS = 1_000_000_000
LAST_KEY = (1 << 128) - 1


class _Run(Struct, kw_only=True):
    """Log groups received at first, first + interval, …; without a count, the run continues."""

    start: int
    first: float
    interval: float
    count: int | None

    def received(self, index: int) -> float:
        return self.first + (index - self.start) * self.interval

    def until(self, now: float) -> int:
        """Count the log groups of this run that were received at or before an instant."""
        if now < self.first:
            return 0
        if self.interval:
            count = ticks(now, first=self.first, interval=self.interval) + 1
            return count if self.count is None else min(count, self.count)
        return self.count or 0


def ticks(now: float, *, first: float, interval: float) -> int:
    """Return the largest n for which first + n · interval is not after now; exact at a tick."""
    n = math.floor((now - first) / interval)
    while first + (n + 1) * interval <= now:
        n += 1
    while first + n * interval > now:
        n -= 1
    return n


class ShardLog:
    """The log groups of one shard by index: 0 is the first one ever written.

    Changes must be in the order of time. Queries can be about any instant so far.
    """

    def __init__(self, *, retention: float) -> None:
        self._retention = retention
        self._runs: list[_Run] = []

    def end(self, now: float) -> int:
        """Return the index of the next log group to be written, as it was at an instant."""
        at = bisect_right(self._runs, now, key=lambda run: run.first) - 1
        return self._runs[at].start + self._runs[at].until(now) if at >= 0 else 0

    def begin(self, now: float) -> int:
        """Return the index of the first log group that had not expired at an instant."""
        return self.end(now - self._retention)

    def received(self, index: int) -> float:
        """Return when the log group at an index was received, in unix seconds."""
        at = bisect_right(self._runs, index, key=lambda run: run.start) - 1
        return self._runs[at].received(index)

    def since(self, instant: float) -> int:
        """Return the index of the first log group that was received at or after an instant."""
        return self.end(math.nextafter(instant, -math.inf))

    def append(self, now: float, count: int) -> None:
        """Write some log groups at an instant. The producer continues after them."""
        producer = self._halt(now)
        self._runs.append(_Run(start=self.end(now), first=now, interval=0.0, count=count))
        if producer is not None:
            first, interval = producer
            self._produce(now, first=first, interval=interval)

    def set_producer(self, now: float, interval: float | None) -> None:
        """Write one log group per interval from now on (the first after one interval), or none."""
        self._halt(now)
        if interval is not None:
            self._produce(now, first=now + interval, interval=interval)

    @property
    def interval(self) -> float | None:
        """The interval of the producer, None without a producer."""
        last = self._runs[-1] if self._runs else None
        return last.interval if last is not None and last.count is None else None

    def _produce(self, now: float, *, first: float, interval: float) -> None:
        self._runs.append(_Run(start=self.end(now), first=first, interval=interval, count=None))

    def _halt(self, now: float) -> tuple[float, float] | None:
        """End the run of the producer; return the time of its next log group and its interval."""
        if self.interval is None:
            return None
        run = self._runs.pop()
        run.count = run.until(now)
        if run.count:
            self._runs.append(run)
        return run.received(run.start + run.count), run.interval


class Shard(Struct, kw_only=True):
    """A range of hash keys with its log; read-only after it was split or merged."""

    shard_id: int
    birth: int
    """The cursor of the first log group ever written."""
    begin_key: int
    end_key: int
    created: float
    log: ShardLog
    parents: tuple[int, ...] = ()
    """The shards that were split or merged into this one."""
    readonly_since: float | None = None

    @property
    def status(self) -> Literal["readwrite", "readonly"]:
        """The status as in ListShards."""
        return "readwrite" if self.readonly_since is None else "readonly"

    def end_cursor(self, now: float) -> int:
        """Return the END cursor: the position of the next log group."""
        return self.birth + self.log.end(now)

    def begin_cursor(self, now: float) -> int:
        """Return the BEGIN cursor: the position of the first log group that is retained."""
        return self.birth + self.log.begin(now)
