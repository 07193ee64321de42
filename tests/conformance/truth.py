"""The recent states of a world, and the values that a poll among them can have read."""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from math import inf
from types import TracebackType
from typing import NamedTuple, Self

from exporter.model.progress import State
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
ROUNDED_SECONDS = 2.2
"""The service returns whole seconds as receive times and as the time of its clock."""
WRITTEN_SECONDS = 0.002
"""The largest error of the time at which a checkpoint was written."""

Truths = Mapping[int, ShardTruth]


class Look(NamedTuple):
    """The state of the world at an instant of the monotonic clock.

    In ``moved``, the time of the last write of each checkpoint is that of its last move.
    """

    at: float
    truths: Truths
    moved: Truths


class Watcher:
    """A thread that looks at the world several times per second, and a context manager."""

    def __init__(
        self, look: Callable[[], Truths], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._look = look
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._looks: deque[Look] = deque()
        self._moves: dict[int, tuple[int | None, float | None]] = {}
        self.resets = 0
        """How many checkpoints were set back."""
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
        """Raise AssertionError unless a shard stalled for about ``seconds`` up to ``now``.

        A stall that was shorter than ``stall_after`` minus one interval when it was read is
        interpolated, so only rough bounds apply to it. It grows for one interval until a scrape.
        """
        stalls = [
            max(0.0, now - since(each.moved[shard])) for each in self._all() if shard in each.moved
        ]
        is_exact = seconds > stall_after
        low = min(stalls, default=0.0) - _LATE_SECONDS - ROUNDED_SECONDS
        high = max(stalls, default=0.0) + (ROUNDED_SECONDS if is_exact else _LATE_SECONDS)
        assert low <= seconds <= high, (
            f"shard {shard}: {seconds} s is not in [{low}, {high}]\n{self._changes(shard, now)}"
        )

    def check_checkpoint(self, shard: int, owner: str, updated_at: float | None) -> None:
        """Raise AssertionError unless a shard had a checkpoint of this owner and time recently.

        A shard without a checkpoint has neither (``""`` and None).
        """
        recent = {(truth.owner, truth.updated_at) for _, truth in self._recent(shard)}
        assert any(
            owner == recent_owner and are_close(updated_at, at, within=WRITTEN_SECONDS)
            for recent_owner, at in recent
        ), f"shard {shard}: {owner}, {updated_at} is not in {recent}"

    def check_resets(self, count: float) -> None:
        """Raise AssertionError if more checkpoints count as set back than were set back."""
        assert count <= self.resets, f"{count} resets are more than {self.resets}"

    def check_shards(self, shards: Collection[int]) -> None:
        """Raise AssertionError if a shard is missing that exists for long, or one has not existed.

        This applies after the first seconds, in which the exporter may know no shard.
        """
        looks = self._all()
        always = set.intersection(*(set(each.truths) for each in looks))
        ever = set().union(*(each.truths for each in looks))
        assert set(shards) <= ever, f"{set(shards) - ever} never existed"
        assert not _are_long(looks) or always <= set(shards), f"{always - set(shards)} are missing"

    def check_states(self, states: Mapping[State, int], stall_after: float, now: float) -> None:
        """Raise AssertionError unless so many shards can be in each state, up to ``now``."""
        looks = self._all()
        ahead = now - self._monotonic()
        possible = {
            shard: _possible_states(
                [(each.at + ahead, each.moved[shard]) for each in looks if shard in each.moved],
                stall_after,
            )
            for shard in set().union(*(each.moved for each in looks))
        }
        always = [shard for shard in possible if all(shard in each.moved for each in looks)]
        for state in State:
            count = states.get(state, 0)
            low = sum(possible[shard] == {state} for shard in always) if _are_long(looks) else 0
            high = sum(state in each for each in possible.values())
            assert low <= count <= high, f"{count} {state} shards are not in [{low}, {high}]"

    def look(self) -> None:
        """Look now."""
        with self._lock:
            now, truths = self._monotonic(), self._look()
            before = self._looks[-1].truths if self._looks else {}
            self.resets += sum(
                _is_set_back(truth, truths.get(each)) for each, truth in before.items()
            )
            self._looks.append(Look(now, truths, self._moved(truths)))
            while self._looks[0].at < now - _LATE_SECONDS:
                self._looks.popleft()

    def forget(self) -> None:
        """Forget earlier looks, as after a jump of the clock of the world."""
        with self._lock:
            self._looks.clear()

    def moved(self, truths: Truths) -> Truths:
        """Return the state with the time of the last move of each checkpoint as its last write.

        A write of the same checkpoint is not a move.
        """
        with self._lock:
            return self._moved(truths)

    def _moved(self, truths: Truths) -> Truths:
        moved: dict[int, ShardTruth] = {}
        for shard, truth in truths.items():
            known, moved_at = self._moves.get(shard, (None, None))
            if known != truth.checkpoint:
                moved_at = truth.updated_at
                self._moves[shard] = truth.checkpoint, moved_at
            moved[shard] = truth._replace(updated_at=moved_at)
        return moved

    def _all(self) -> list[Look]:
        with self._lock:
            return list(self._looks)

    def _recent(self, shard: int) -> list[tuple[float, ShardTruth]]:
        return [(each.at, each.truths[shard]) for each in self._all() if shard in each.truths]

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


def _are_long(looks: list[Look]) -> bool:
    return looks[-1].at - looks[0].at > _LATE_SECONDS - 1.0


def state_of(truth: ShardTruth, now: float, stall_after: float) -> State:
    """Return the state of a shard at an instant."""
    if truth.checkpoint is None:
        return State.FINISHED if truth.readonly and not truth.unread else State.UNCONSUMED
    if truth.checkpoint < truth.begin:
        return State.EXPIRED
    if not truth.unread:
        return State.FINISHED if truth.readonly else State.CAUGHT_UP
    return State.STALLED if now - since(truth) > stall_after else State.CONSUMING


def since(truth: ShardTruth) -> float:
    """Return the time from which a stall counts; infinity if nothing is unread.

    In ``truth``, the time of the last write is that of the last move.
    """
    if truth.oldest_unread_at is None:
        return inf
    return max(truth.oldest_unread_at, truth.updated_at or 0.0)


def are_close(found: float | None, wanted: float | None, *, within: float) -> bool:
    """Return whether two values differ by at most a limit; None is equal only to None."""
    if found is None or wanted is None:
        return found is wanted
    return abs(found - wanted) <= within


def _possible_states(looks: list[tuple[float, ShardTruth]], stall_after: float) -> set[State]:
    """Return the states that a poll can have found in one shard."""
    limits = (stall_after - ROUNDED_SECONDS, stall_after + ROUNDED_SECONDS)
    states = {state_of(truth, at, limit) for at, truth in looks for limit in limits}
    ends = {truth.end for _, truth in looks}
    moving = {State.CAUGHT_UP, State.CONSUMING}
    # A poll reads the checkpoint before the end, and more can happen between two looks.
    reached = max(truth.checkpoint or 0 for _, truth in looks)
    if states & moving and len(ends) > 1 and reached >= min(ends):
        states |= moving
    return states


def _is_set_back(before: ShardTruth, after: ShardTruth | None) -> bool:
    if before.checkpoint is None or after is None or after.checkpoint is None:
        return False
    return after.checkpoint < before.checkpoint


def _start(truth: ShardTruth) -> int:
    return max(truth.begin, truth.checkpoint or 0)
