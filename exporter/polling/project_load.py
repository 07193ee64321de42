"""The requests that the polls of one project need, and the time that they take."""

import threading
import time
from collections.abc import Callable, Collection

from exporter.model.snapshot import TargetStatus
from exporter.polling.capacity import count_shards, poll_requests
from exporter.polling.fanout import FanOut
from exporter.polling.refinements import EXACT_READINGS
from exporter.polling.targets import Target
from exporter.sls.request_rate import START

_HEADROOM = 1.25  # of the request rate that the polls need on average
_LEAST_BUDGET = 2
_EXACT_SHARE = 0.9  # of the rate at which every project begins


class _Work:
    """The polls of one logstore."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.interval = target.settings.polling.interval
        self.at_rest = poll_requests(target).at_rest
        """Requests of a poll that finds nothing unread."""
        self.expected = float(self.at_rest)
        """Requests of the next poll, by those of the last one."""
        self.seconds = 0.0
        self.started: float | None = None
        self.fan: FanOut | None = None
        self.is_polled = False

    def remaining(self) -> float:
        """Return the requests of the current poll that are not sent yet."""
        fan = self.fan
        return 0.0 if fan is None else max(fan.waiting, self.expected - fan.sent)

    def share(self, now: float) -> float:
        """Return the time of the last poll, or of the current one if longer, by the interval."""
        current = 0.0 if self.fan is None or self.started is None else now - self.started
        return max(self.seconds, current) / self.interval


class ProjectLoad:
    """The requests that the polls of one project need. Threads may share an instance.

    A poll should end within half of its interval, which leaves time for a slow poll.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._workers = 1
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._work: dict[str, _Work] = {}

    def expect(self, target: Target) -> None:
        """Include the polls of a logstore from now on."""
        with self._lock:
            self._workers = target.settings.polling.workers
            known = self._work.get(target.key.logstore)
            if known is None or known.interval != target.settings.polling.interval:
                self._work[target.key.logstore] = _Work(target)
            else:
                known.target = target

    def keep_only(self, logstores: Collection[str]) -> None:
        """Forget the logstores that are not polled any more."""
        with self._lock:
            self._work = {name: work for name, work in self._work.items() if name in logstores}

    def started(self, logstore: str, fan: FanOut) -> None:
        """Note that a poll has begun, with its queue of requests."""
        work = self._work.get(logstore)
        if work is not None:
            work.started, work.fan = self._monotonic(), fan

    def ended(self, logstore: str, status: TargetStatus | None) -> None:
        """Note that a poll has ended; without a status if it was stopped."""
        work = self._work.get(logstore)
        if work is None or work.fan is None or work.started is None:
            return
        fan, work.fan = work.fan, None
        work.seconds = self._monotonic() - work.started
        if status is None:
            return
        # Large polls are rare, so the influence of one decreases over the next polls.
        work.expected = fan.sent if not work.is_polled else (work.expected + fan.sent) / 2
        work.is_polled = True
        shards = count_shards(work.target, status)
        if shards is not None:
            work.at_rest = poll_requests(work.target, shards).at_rest

    def needed(self) -> float:
        """Return the requests per second that the polls need to fit in their interval."""
        now = self._monotonic()
        on_average = soon = 0.0
        with self._lock:
            for work in self._work.values():
                on_average += work.expected / work.interval
                if work.fan is not None and work.started is not None:
                    soon += work.remaining() / max(1.0, work.started + work.interval / 2 - now)
                elif not work.is_polled:
                    soon += work.expected / (work.interval / 2)
        return max(on_average * _HEADROOM, soon)

    def usage_ratio(self) -> float:
        """Return the time that the polls take, divided by their interval; above 1 is too long.

        A poll counts before it ends, since one that takes hours would look like none.
        """
        now = self._monotonic()
        with self._lock:
            shares = [work.share(now) for work in self._work.values()]
        return max(max(shares, default=0.0), sum(shares) / self._workers)

    def budget(self, interval: float, limit: float) -> tuple[int, int]:
        """Return the numbers ``budget`` and ``exact`` for the effort of a poll.

        ``limit`` is the current request rate. All logstores of the project share half of the
        requests that it allows in an interval, minus those that their polls need in any case.
        """
        with self._lock:
            at_rest = sum(work.at_rest * interval / work.interval for work in self._work.values())
            count = len(self._work)
        room = (limit * interval / 2 - at_rest) / max(1, count)
        is_small = at_rest + count * EXACT_READINGS <= START * interval * _EXACT_SHARE
        return max(_LEAST_BUDGET, int(room)), EXACT_READINGS if is_small else 0
