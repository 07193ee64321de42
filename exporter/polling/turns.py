"""The turns in which the shards of other consumers are read.

A filter by owners names the shards to watch. The other shards are read too, since a shard that no
consumer reads any more has the name of its last owner. They are read rarely, since every sidecar of
a consumer group reads them.
"""

from collections.abc import Collection, Mapping, Sequence
from math import inf

from exporter.config.schema import PollingConfig
from exporter.polling.readings import Pair

EVERY = 5
"""The end of a shard of another consumer is read in one of this many polls, at most."""


class Turns:
    """The polls in which the ends of shards were read, and the turns that follow from them.

    Turns depend on the number of the shard, so that each poll reads about the same number.
    """

    def __init__(self) -> None:
        self._poll = 0
        self._read_in: dict[int, int] = {}
        self._missed: set[int] = set()

    def begin_poll(self) -> None:
        """Begin the next poll."""
        self._poll += 1

    def note_read(self, shard: int) -> None:
        """Note that the end of a shard is requested in this poll."""
        self._read_in[shard] = self._poll
        self._missed.discard(shard)

    def last(self, shard: int) -> int:
        """Return the poll in which the end of a shard was last requested; 0 if there was none."""
        return self._read_in.get(shard, 0)

    def has_missed(self, shard: int) -> bool:
        """Return whether polls could not read a shard in its turn, and have not read it since."""
        return shard in self._missed

    def choose(self, shards: Mapping[int, Collection[Pair]], *, most: int) -> Sequence[int]:
        """Choose at most ``most`` shards whose turn it is, the least recently read ones first.

        One that was never read does not wait for its turn if it may be stalled.
        """
        due = [
            shard
            for shard, pairs in shards.items()
            if self._is_turn(shard)
            or (not self.last(shard) and any(pair.may_be_stalled for pair in pairs))
        ]
        due.sort(key=lambda shard: (self.last(shard), _oldest_move(shards[shard])))
        self._missed.update(due[most:])
        return due[:most]

    def keep_only(self, shards: Collection[int]) -> None:
        """Forget the shards that no longer exist."""
        self._read_in = {shard: poll for shard, poll in self._read_in.items() if shard in shards}
        self._missed.intersection_update(shards)

    def _is_turn(self, shard: int) -> bool:
        last = self.last(shard)
        return (self._poll + shard) % EVERY == 0 and (not last or self._poll - last >= EVERY)


def age_limit(polling: PollingConfig) -> float:
    """Return for how many seconds the end of a shard of another consumer is used.

    Its turn comes within ``2 * EVERY`` polls. From then on, ``stale_after`` applies as to others.
    """
    return polling.stale_after + 2 * EVERY * polling.interval


def _oldest_move(pairs: Collection[Pair]) -> float:
    return min(-inf if pair.moved_at is None else pair.moved_at for pair in pairs)
