"""A logstore: its consumer groups and its shards, which can be split, merged and expire."""

import itertools
import re

from msgspec import Struct, field

from exporter.simulator.consumers import Group
from exporter.simulator.errors import group_not_exist, parameter_invalid, shard_not_exist
from exporter.simulator.shard import LAST_KEY, NANOSECONDS, Shard, ShardLog

DAY = 86400.0
_HASH_KEY = re.compile(r"[0-9A-Fa-f]{32}")


class Logstore:
    """Shards by id and consumer groups by name; ids of deleted shards are never used again."""

    def __init__(
        self,
        name: str,
        *,
        shards: int,
        ttl_days: int,
        now: float,
        first_cursor: int | None = None,
    ) -> None:
        if shards < 1 or ttl_days < 1:
            raise ValueError("a logstore has at least one shard and one day of retention")
        self.name = name
        self.ttl_days = ttl_days
        self.created = now
        self.groups: dict[str, Group] = {}
        self.shards: dict[int, Shard] = {}
        self._next_shard = 0
        self._first_cursor = first_cursor
        bounds = [(LAST_KEY + 1) * part // shards for part in range(shards)] + [LAST_KEY]
        for begin_key, end_key in itertools.pairwise(bounds):
            self._create(begin_key, end_key, now)

    @property
    def retention(self) -> float:
        """The retention time of log groups, in seconds."""
        return self.ttl_days * DAY

    def catch_up(self, now: float) -> None:
        """Delete read-only shards after all their log groups have expired."""
        for shard in list(self.shards.values()):
            if shard.readonly_since is not None and now >= shard.readonly_since + self.retention:
                del self.shards[shard.shard_id]

    def shard(self, shard_id: int) -> Shard:
        """Return a shard. Raises ServiceError ShardNotExist if there is none."""
        try:
            return self.shards[shard_id]
        except KeyError:
            raise shard_not_exist(shard_id) from None

    def writable(self, shard_id: int) -> Shard:
        """Return a shard. Raises ServiceError if it is not writable."""
        shard = self.shard(shard_id)
        if shard.readonly_since is not None:
            raise parameter_invalid(f"shard {shard_id} is readonly")
        return shard

    def route(self, hash_key: str | None, now: float) -> Shard:
        """Return the writable shard for a hash key, or the emptiest one without a key."""
        writable = [shard for shard in self.shards.values() if shard.readonly_since is None]
        if hash_key is None:
            return min(writable, key=lambda shard: shard.log.end(now))
        if not _HASH_KEY.fullmatch(hash_key):
            raise parameter_invalid("key must have 32 hexadecimal digits")
        key = min(int(hash_key, 16), LAST_KEY - 1)
        return next(shard for shard in writable if shard.begin_key <= key < shard.end_key)

    def group(self, name: str, now: float) -> Group:
        """Return a group in its state at an instant. Raises ServiceError if there is none."""
        try:
            group = self.groups[name]
        except KeyError:
            raise group_not_exist(name) from None
        group.catch_up(now, self.shards)
        return group

    def split(self, shard_id: int, now: float) -> tuple[int, int]:
        """Split a shard in the middle. Its producer writes to both halves, at half the rate."""
        parent = self.writable(shard_id)
        middle = (parent.begin_key + parent.end_key + 1) // 2
        interval = parent.log.interval
        self._close(parent, now)
        parents = (parent.shard_id,)
        left = self._create(parent.begin_key, middle, now, parents)
        right = self._create(middle, parent.end_key, now, parents)
        if interval is not None:
            left.log.set_producer(now, interval * 2)
            right.log.set_producer(now, interval * 2)
        return left.shard_id, right.shard_id

    def merge(self, shard_id: int, now: float) -> int:
        """Merge a shard with its right neighbor. Their producers become one."""
        left = self.writable(shard_id)
        right = next(
            (
                shard
                for shard in self.shards.values()
                if shard.readonly_since is None and shard.begin_key == left.end_key
            ),
            None,
        )
        if right is None:
            raise parameter_invalid(f"shard {shard_id} has no adjacent shard to merge with")
        rate = sum(1 / log.interval for log in (left.log, right.log) if log.interval)
        self._close(left, now)
        self._close(right, now)
        parents = left.shard_id, right.shard_id
        child = self._create(left.begin_key, right.end_key, now, parents)
        if rate:
            child.log.set_producer(now, 1 / rate)
        return child.shard_id

    def _create(
        self, begin_key: int, end_key: int, now: float, parents: tuple[int, ...] = ()
    ) -> Shard:
        first = self._first_cursor
        shard = Shard(
            shard_id=self._next_shard,
            birth=int(now) * NANOSECONDS + self._next_shard if first is None else first,
            begin_key=begin_key,
            end_key=end_key,
            created=now,
            log=ShardLog(retention=self.retention),
            parents=parents,
        )
        self.shards[shard.shard_id] = shard
        self._next_shard += 1
        return shard

    @staticmethod
    def _close(shard: Shard, now: float) -> None:
        shard.log.set_producer(now, None)
        shard.readonly_since = now


class Project(Struct, kw_only=True):
    """A project: its region and its logstores by name."""

    name: str
    region: str
    created: float
    logstores: dict[str, Logstore] = field(default_factory=dict)
