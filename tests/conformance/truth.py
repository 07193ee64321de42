"""The recent states of a world, and the values that a poll among them can have read."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from exporter.simulator.views import ShardTruth

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

    def __init__(self, look: Callable[[], Truths]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._looks: deque[tuple[float, Truths]] = deque()
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

    def check_stalled(self, shard: int, seconds: float, now: float) -> None:
        """Raise AssertionError if a shard did not stall for ``seconds`` up to ``now``."""
        starts = [
            max(truth.oldest_unread_at, truth.updated_at or 0.0)
            for _, truth in self._recent(shard)
            if truth.oldest_unread_at is not None
        ]
        longest = now - min(starts, default=now)
        assert seconds <= longest + _ROUNDED_SECONDS, (
            f"shard {shard}: {seconds} s, at most {longest} s"
        )

    def look(self) -> None:
        """Look now."""
        with self._lock:
            now = time.monotonic()
            self._looks.append((now, self._look()))
            while self._looks[0][0] < now - _LATE_SECONDS:
                self._looks.popleft()

    def forget(self) -> None:
        """Forget earlier looks, as after a jump of the clock of the world."""
        with self._lock:
            self._looks.clear()

    def _recent(self, shard: int) -> list[tuple[float, ShardTruth]]:
        with self._lock:
            return [(at, truths[shard]) for at, truths in self._looks if shard in truths]

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            self.look()


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


def _start(truth: ShardTruth) -> int:
    return max(truth.begin, truth.checkpoint or 0)
