"""The shards whose owner a filter does not name: how long they rest, and whether they are shown.

A poll need not read the end of such a shard. In between, its checkpoint is compared with the last
known end. It is shown while it is stalled, expired, unknown, or unconsumed with data.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.simulation.oracle.account import INTERVAL, STALE_AFTER, STALL_AFTER
from tests.simulation.oracle.comparing import Allowed
from tests.simulation.oracle.verdicts import Stand

RESTS = 8
"""Maximum number of successive polls that do not read the end of a shard.

Each shard has a turn in every fifth poll. It misses one that is less than five polls after its
first reading.
"""
KEPT_SECONDS = STALE_AFTER + 10 * INTERVAL
"""Duration in seconds for which the end of a shard, and so its last state, is used."""
_SHOWN = {"stalled", "expired", "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end of a shard as it was last read."""

    cursor: int
    read_at: float
    readonly: bool
    is_final: bool = False
    """Whether two polls found this end since the shard became read-only."""


class Rests:
    """The numbers of successive polls in which the ends of shards were not read."""

    def __init__(self) -> None:
        self._polls: dict[int, int] = {}
        self._asked: set[int] = set()

    def begin_poll(self, others: Mapping[int, bool], *, asked: set[int]) -> set[int]:
        """Return the shards that may rest in this poll.

        ``others`` maps each candidate to whether it may be stalled, in which case its first reading
        cannot wait. ``asked`` are all shards whose end this poll requested.
        """
        self._polls = {
            shard: 0 if shard in asked else self._polls.get(shard, 0) + 1 for shard in others
        }
        resting = {
            shard
            for shard, may_be_stalled in others.items()
            if shard not in asked
            and self._polls[shard] <= RESTS
            and (self.has_asked(shard) or not may_be_stalled)
        }
        self._asked |= others.keys() - resting | asked
        return resting

    def has_asked(self, shard: int) -> bool:
        """Return whether the end of a shard was ever requested."""
        return shard in self._asked

    def keep_only(self, shards: Mapping[int, object]) -> None:
        """Forget the shards that no longer exist."""
        self._asked &= shards.keys()


def may_be_stalled(text: str, moved: float | None, now: float) -> bool:
    """Return whether a checkpoint alone does not prove that a shard is being consumed."""
    return not text or moved is None or now - moved > STALL_AFTER


def visibilities(stand: Stand, before: Stand | None, *, is_read: bool) -> frozenset[bool]:
    """Return whether a shard of another owner may be shown, and whether it may be left out.

    If its end was not read (``is_read``) and nothing is known of it, it stays as it was before.
    """
    found: set[bool] = set()
    for verdict in stand.verdicts:
        if verdict is None or verdict.unread is None:
            found |= {True} if is_read else before.shown if before else {False}
        else:
            for state in stand.states_of(verdict, STALL_AFTER):
                found |= _visibilities_in(state, verdict.unread)
    return frozenset(found)


def _visibilities_in(state: str, unread: Allowed) -> set[bool]:
    if state != "unconsumed":
        return {state in _SHOWN}
    return {*([True] if unread.most > 0 else []), *([False] if unread.least == 0 else [])}
