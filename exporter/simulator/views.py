"""Views of a world: rows as the API lists them, and the actual state for test oracles."""

from collections.abc import Sequence
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


class LogGroupRow(NamedTuple):
    """One log group: its cursor, and its receive time in Unix seconds."""

    cursor: int
    received_at: float


class PulledRows(NamedTuple):
    """Log groups of one pull, the cursor of the next one, and whether that is the END cursor."""

    rows: Sequence[LogGroupRow]
    next_cursor: int
    is_at_end: bool


class LogstoreRow(NamedTuple):
    """A response of GetLogStore; shard_count is the number of writable shards."""

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
    """The actual state of one shard and one group, with integer cursors and Unix seconds.

    checkpoint is None if none was written or if it is unreadable. oldest_unread_at is None if no
    retained log group is unread.
    """

    checkpoint: int | None
    begin: int
    end: int
    updated_at: float | None
    owner: str
    oldest_unread_at: float | None
    readonly: bool

    @property
    def unread(self) -> int:
        """Number of log groups that are retained and not read yet."""
        return self.end - max(self.begin, self.checkpoint or 0)
