"""What a world shows of itself: rows as the API lists them, and the truth for an oracle."""

from dataclasses import dataclass
from typing import Literal

UpdateTimeUnit = Literal["s", "ms", "us", "ns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRow:
    """One entry of GetCheckPoint; update_time is in the world's unit, 0 if never written."""

    shard: int
    checkpoint: str
    update_time: int
    consumer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """One entry of ListConsumerGroup; the timeout is in seconds."""

    name: str
    timeout: int
    order: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRow:
    """One entry of ListShards; created is in unix seconds, keys are 32 hexadecimal digits."""

    shard: int
    status: Literal["readwrite", "readonly"]
    inclusive_begin_key: str
    exclusive_end_key: str
    created: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogstoreRow:
    """What GetLogStore tells; shard_count counts the shards that can be written to."""

    name: str
    ttl_days: int
    shard_count: int
    created: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRow:
    """One entry of ListProject."""

    name: str
    region: str
    created: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardTruth:
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
