"""The recent states of a world, and the values that a poll among them can have read."""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Self

from exporter.simulator.calls import Call
from exporter.simulator.server import Simulator
from exporter.simulator.views import ShardTruth
from exporter.simulator.wire import Request, Response
from exporter.simulator.world import World

_LOOK_SECONDS = 0.1
_LATE_SECONDS = 10.0
"""The oldest state that the exporter may show: a poll on a busy machine takes time."""
_APART_SECONDS = 1.5
"""The longest time between the reading of a checkpoint and that of the END cursor in a poll."""
_ROUNDED_SECONDS = 2.2
"""The service returns whole seconds as receive times and as the time of its clock."""

Truths = Mapping[int, ShardTruth]


class Watcher:
    """A thread that looks at the world several times per second, and a context manager."""

    def __init__(
        self, look: Callable[[], Truths], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._look = look
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._looks: deque[tuple[float, Truths]] = deque()
        self._moves: dict[int, tuple[int | None, float | None]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(10.0)

    def check_unread(self, shard: int, unread: float) -> None:
        """Raise AssertionError unless a recent poll can have read this number of log groups."""
        low, high = _bounds(self._recent(shard))
        assert low <= unread <= high, f"shard {shard}: {unread} is not in [{low}, {high}]"

    def check_stalled(self, shard: int, seconds: float, stall_after: float, now: float) -> None:
        """Raise AssertionError if a shard did not stall for ``seconds`` up to ``now``.

        A stall that was shorter than ``stall_after`` minus one interval when it was read is
        interpolated, so only a rough bound applies to it. It grows for one interval until a scrape.
        """
        starts = [
            max(truth.oldest_unread_at, truth.updated_at or 0.0)
            for _, truth in self._recent(shard)
            if truth.oldest_unread_at is not None
        ]
        longest = now - min(starts, default=now)
        is_exact = seconds > stall_after
        assert seconds <= longest + (_ROUNDED_SECONDS if is_exact else _LATE_SECONDS), (
            f"shard {shard}: {seconds} s, at most {longest} s\n{self._changes(shard, now)}"
        )

    def check_owner(self, shard: int, owner: str) -> None:
        """Raise AssertionError unless a consumer, or none (""), owned a shard recently."""
        owners = {truth.owner for _, truth in self._recent(shard)}
        assert owner in owners, f"shard {shard}: {owner} is not in {owners}"

    def check_shards(self, shards: Collection[int]) -> None:
        """Raise AssertionError if a shard is missing that exists for long, or one has not existed.

        This applies after the first seconds, in which the exporter may know no shard.
        """
        looks = self._all()
        always = set.intersection(*(set(truths) for _, truths in looks))
        ever = set().union(*(truths for _, truths in looks))
        assert set(shards) <= ever, f"{set(shards) - ever} never existed"
        assert not _are_long(looks) or always <= set(shards), f"{always - set(shards)} are missing"

    def check_stalls(self, count: int, stall_after: float, now: float) -> None:
        """Raise AssertionError unless so many shards can have stalled, up to ``now``."""
        looks = self._all()
        ahead = now - self._monotonic()
        ages = [
            {shard: _stalled(truth, at + ahead) for shard, truth in truths.items()}
            for at, truths in looks
        ]
        least, most = stall_after + _ROUNDED_SECONDS, stall_after - _ROUNDED_SECONDS
        shards = ages[-1]
        low = sum(all(each.get(shard, 0.0) > least for each in ages) for shard in shards)
        high = sum(any(each.get(shard, 0.0) > most for each in ages) for shard in shards)
        low = low if _are_long(looks) else 0
        assert low <= count <= high, f"{count} stalled shards are not in [{low}, {high}]"

    def look(self) -> None:
        """Look now."""
        with self._lock:
            now = self._monotonic()
            self._looks.append((now, self._with_moves(self._look())))
            while self._looks[0][0] < now - _LATE_SECONDS:
                self._looks.popleft()

    def forget(self) -> None:
        """Forget earlier looks, as after a jump of the clock of the world."""
        with self._lock:
            self._looks.clear()

    def _with_moves(self, truths: Truths) -> Truths:
        """Let ``updated_at`` be the time of the last move: the same checkpoint again is none."""
        moved: dict[int, ShardTruth] = {}
        for shard, truth in truths.items():
            known, moved_at = self._moves.get(shard, (None, None))
            if known != truth.checkpoint:
                moved_at = truth.updated_at
                self._moves[shard] = truth.checkpoint, moved_at
            moved[shard] = truth._replace(updated_at=moved_at)
        return moved

    def _all(self) -> list[tuple[float, Truths]]:
        with self._lock:
            return list(self._looks)

    def _recent(self, shard: int) -> list[tuple[float, ShardTruth]]:
        return [(at, truths[shard]) for at, truths in self._all() if shard in truths]

    def _changes(self, shard: int, now: float) -> str:
        """Return the recent changes of a shard as lines, with the seconds before ``now``."""
        ahead = now - self._monotonic()
        lines: list[str] = []
        known = None
        for at, truth in self._recent(shard):
            if truth != known:
                lines.append(f"{at + ahead - now:.1f} s: {truth}")
                known = truth
        return "\n".join(lines)

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            self.look()


class WatchedSimulator(Simulator):
    """A simulator whose watcher sees every checkpoint that a consumer writes."""

    def __init__(self, world: World, watcher: Watcher) -> None:
        super().__init__(world, check_clock=False)
        self._watcher = watcher
        self._writing = threading.Lock()

    def response_to(self, call: Call, request: Request) -> Response:
        """Return the regular response to a request, after a look if it is a write."""
        if call.operation != "UpdateCheckPoint":
            return super().response_to(call, request)
        with self._writing:
            response = super().response_to(call, request)
            self._watcher.look()
            return response


def _bounds(looks: list[tuple[float, ShardTruth]]) -> tuple[int, int]:
    """Return the least and the most that a poll can have found, whose readings are not atomic."""
    assert looks, "the shard does not exist"
    low = min(
        max(0, earlier.end - _start(later))
        for (_, earlier), (_, later) in zip(looks, looks[1:] + looks[-1:], strict=True)
    )
    high = max(
        max(later.end for at, later in looks[number:] if at <= first_at + _APART_SECONDS)
        - _start(first)
        for number, (first_at, first) in enumerate(looks)
    )
    return low, high


def _are_long(looks: list[tuple[float, Truths]]) -> bool:
    return looks[-1][0] - looks[0][0] > _LATE_SECONDS - 1.0


def _stalled(truth: ShardTruth, now: float) -> float:
    """Return the age of a stall, 0 without one or if data has expired."""
    if truth.oldest_unread_at is None or truth.checkpoint is None or truth.checkpoint < truth.begin:
        return 0.0
    return now - max(truth.oldest_unread_at, truth.updated_at or 0.0)


def _start(truth: ShardTruth) -> int:
    return max(truth.begin, truth.checkpoint or 0)
