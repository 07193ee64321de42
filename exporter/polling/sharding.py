"""The assignment of targets to several exporters, by a hash that moves few targets."""

import hashlib

from msgspec import Struct

from exporter.model.names import TargetKey


class Sharding(Struct, frozen=True, kw_only=True):
    """The shard of this exporter: number ``shard`` of ``total``, counted from 0."""

    shard: int = 0
    total: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.shard < self.total:
            raise ValueError(
                f"must be at least 0 and below the number of exporters, which is {self.total};"
                f" found {self.shard}"
            )

    def owns(self, key: TargetKey) -> bool:
        """Return whether this exporter polls a target."""
        return shard_of(key, self.total) == self.shard


WHOLE = Sharding()


def shard_of(key: TargetKey, total: int) -> int:
    """Return the shard of a target, the same on every machine and for every version.

    The endpoint is not part of the hash, so targets with the same names are on the same shard.

    It is the jump consistent hash: growing from n to n + 1 shards moves about 1 in n + 1 targets,
    all of them to the new shard. Source: Lamping and Veach, "A Fast, Minimal Memory, Consistent
    Hash Algorithm" (2014).
    """
    digest = hashlib.blake2b("/".join(key.names).encode(), digest_size=8).digest()
    state = int.from_bytes(digest)
    place, following = -1, 0
    while following < total:
        place = following
        state = (state * 2862933555777941757 + 1) % 2**64
        following = int((place + 1) * (2**31 / ((state >> 33) + 1)))
    return place
