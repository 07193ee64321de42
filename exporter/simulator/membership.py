"""The external consumers of one group: their heartbeats, and the shards that they hold.

A shard stays with its holder until the holder no longer reports it or times out. A rebalance
therefore takes two steps: the holder is asked to let go, and the next owner gets the shard after
that.
"""

from collections.abc import Collection, Mapping

from msgspec import Struct, field


class Membership(Struct, kw_only=True):
    """The times of the last heartbeats by consumer, and the holders by shard."""

    heartbeats: dict[str, float] = field(default_factory=dict)
    holders: dict[int, str] = field(default_factory=dict)

    def heart_beat(
        self, consumer: str, reported: Collection[int], shards: Collection[int], now: float
    ) -> list[int]:
        """Record a heartbeat, and return the shards that the consumer should own.

        ``reported`` are the shards that it says it holds, ``shards`` those that may be owned.
        """
        self.heartbeats[consumer] = now
        for shard in [shard for shard, holder in self.holders.items() if holder == consumer]:
            if shard not in reported:
                del self.holders[shard]
        for shard in reported:
            if shard in shards:
                self.holders.setdefault(shard, consumer)
        owners = _balanced(sorted(shards), self.holders, sorted(self.heartbeats))
        owned = [
            shard
            for shard, owner in owners.items()
            if owner == consumer == self.holders.get(shard, consumer)
        ]
        self.holders.update(dict.fromkeys(owned, consumer))
        return sorted(owned)

    def expire(self, shards: Collection[int], *, timeout: float, now: float) -> None:
        """Forget consumers without a heartbeat within the timeout, and deleted shards."""
        self.heartbeats = {name: at for name, at in self.heartbeats.items() if now - at <= timeout}
        self.holders = {
            shard: holder
            for shard, holder in self.holders.items()
            if holder in self.heartbeats and shard in shards
        }


def _balanced(
    shards: Collection[int], holders: Mapping[int, str], consumers: Collection[str]
) -> dict[int, str]:
    """Return an owner for each shard: its holder, unless that one has more than its share."""
    held = {name: [shard for shard in shards if holders.get(shard) == name] for name in consumers}
    share, rest = divmod(len(shards), len(consumers))
    owners: dict[int, str] = {}
    room: list[str] = []
    for turn, name in enumerate(sorted(consumers, key=lambda name: (-len(held[name]), name))):
        kept = held[name][: share + (turn < rest)]
        owners.update(dict.fromkeys(kept, name))
        room += [name] * (share + (turn < rest) - len(kept))
    free = [shard for shard in shards if shard not in owners]
    return owners | dict(zip(free, sorted(room), strict=True))
