"""What a world shows of itself: rows as the API lists them, and the truth for an oracle."""

from typing import Literal, NamedTuple

UpdateTimeUnit = Literal["s", "ms", "us", "ns"]


class CheckpointRow(NamedTuple):
    """One entry of GetCheckPoint; update_time is in the world's unit, 0 if never written."""

    shard: int
    checkpoint: str
    update_time: int
    consumer: str


class GroupRow(NamedTuple):
    """One entry of ListConsumerGroup; the timeout is in seconds."""

    name: str
    timeout: int
    order: bool


class ShardRow(NamedTuple):
    """One entry of ListShards; created is in unix seconds, keys are 32 hexadecimal digits."""

    shard: int
    status: Literal["readwrite", "readonly"]
    inclusive_begin_key: str
    exclusive_end_key: str
    created: int


class LogstoreRow(NamedTuple):
    """What GetLogStore tells; shard_count counts the shards that can be written to."""

    name: str
    ttl_days: int
    shard_count: int
    created: int


class ProjectRow(NamedTuple):
    """One entry of ListProject."""

    name: str
    region: str
    created: int


class ShardTruth(NamedTuple):
    """What is true of one shard and one group now; cursors as integers, instants in unix seconds.

    checkpoint is None where none was written or it is unreadable; oldest_unread_at is None where
    nothing that is retained is unread.
    """

    checkpoint: int | None
    begin: int
    end: int
    updated_at: float | None
    owner: str
    oldest_unread_at: float | None

    @property
    def unread(self) -> int:
        """The log groups that are retained and not yet read."""
        return self.end - max(self.begin, self.checkpoint or 0)
