"""The state of a consumer group in a shard, and the values that it is computed from."""

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct


class State(StrEnum):
    """Where a shard of a consumer group stands."""

    CAUGHT_UP = "caught_up"
    CONSUMING = "consuming"
    STALLED = "stalled"
    UNCONSUMED = "unconsumed"
    EXPIRED = "expired"
    FINISHED = "finished"
    UNKNOWN = "unknown"


class ShardEnd(Struct, frozen=True, kw_only=True):
    """The end of a shard: the cursor of the next log group to be written."""

    cursor: int
    readonly: bool


class Unread(Struct, frozen=True, kw_only=True):
    """What is known of the unread log groups of a shard; times are unix seconds, None if unknown.

    ``expired`` says that the retention time took log groups before they were read.
    """

    oldest_at: float | None = None
    consumed_at: float | None = None
    newest_at: float | None = None
    first_cursor: int | None = None
    expired: bool = False


NOTHING_UNREAD = Unread()
"""What there is to know of a shard whose end is reached, or is not known."""


class ShardProgress(Struct, frozen=True, gc=False):
    """Where a consumer group stands in one shard; instants are unix seconds of the server's clock.

    A value that is not known is None. There may be a million of them, which the garbage collection
    need not look through: they hold nothing but values.
    """

    shard: int
    consumer: str
    checkpoint: str
    updated_at: float | None
    moved_at: float | None
    """When the checkpoint last took another value, as far as polls can tell."""
    unread: int | None
    """Log groups between the checkpoint and the end."""
    lag_seconds: float | None
    oldest_unread_at: float | None
    readonly: bool
    expired: bool
    judged_at: float | None
    """When the end of the shard was compared with the checkpoint; None if it was not."""
    read_at: float
    """When the checkpoint was read."""

    @property
    def is_consumed(self) -> bool:
        """Tell whether the shard was ever consumed: it has a checkpoint."""
        return self.checkpoint != ""


class Bracket(NamedTuple):
    """Bounds of an instant, in unix seconds, with the most likely value between them."""

    earliest: float
    latest: float
    estimate: float

    @property
    def width(self) -> float:
        """The largest possible error, in seconds."""
        return self.latest - self.earliest


UNKNOWN_BRACKET = Bracket(float("-inf"), float("inf"), float("-inf"))
