"""The state of a consumer group in a shard, and the values that it is computed from."""

from enum import StrEnum
from math import inf
from typing import NamedTuple

from msgspec import Struct


class State(StrEnum):
    """The state of a consumer group in a shard."""

    CAUGHT_UP = "caught_up"
    CONSUMING = "consuming"
    STALLED = "stalled"
    UNCONSUMED = "unconsumed"
    EXPIRED = "expired"
    FINISHED = "finished"
    UNKNOWN = "unknown"


class Cause(StrEnum):
    """The likely cause of a stall, in the order in which causes are considered."""

    WAITING_FOR_PARENT = "waiting_for_parent"
    """The group is ordered, and a read-only parent of the shard has unread log groups."""
    OWNER_CHANGING = "owner_changing"
    """The shard changes owners, and none of them makes progress."""
    SHARD_STUCK = "shard_stuck"
    """The owner makes progress in other shards, only this shard does not pass."""
    OWNER_STUCK = "owner_stuck"
    """All shards of the owner with unread data stall, while other owners make progress."""
    GROUP_SILENT = "group_silent"
    """No shard of the group with unread data makes progress."""
    UNKNOWN = "unknown"


class OwnerChange(NamedTuple):
    """A change of the owner of a shard, in Unix seconds of the server's clock."""

    at: float
    former: str
    """The name of the previous owner."""
    moved_at: float | None
    """Time of the last change of the checkpoint by the previous owner; None if unknown."""


class Totals(Struct, frozen=True, kw_only=True):
    """Counts over all polls of a consumer group."""

    consumed: int = 0
    """Number of log groups by which checkpoints have advanced."""
    written: int | None = None
    """Number of log groups by which shards have grown; None if no end was ever read."""
    owner_changes: int = 0
    checkpoint_resets: int = 0
    """Number of times that a checkpoint was set back."""


class Position(NamedTuple):
    """The data up to which a consumer group had read a shard when it wrote a checkpoint."""

    at: float
    """Time of the write, in Unix seconds of the server's clock."""
    time: float
    """Receive time of the last consumed log group, in Unix seconds."""
    error: float
    """The largest possible error of ``time``, in seconds."""


Track = tuple[Position, ...]
"""Positions in one shard, in the order of their times."""


class Outlook(NamedTuple):
    """The future of a consumer that keeps its speed, in seconds; None if unknown."""

    catch_up_seconds: float | None = None
    """Time until it has caught up; infinity if it never will."""
    data_loss_seconds: float | None = None
    """Time until unread data expires; None also if it catches up before."""


UNKNOWN_OUTLOOK = Outlook()


class ShardEnd(Struct, frozen=True, kw_only=True):
    """The end of a shard: the cursor of the next log group to be written."""

    cursor: int
    readonly: bool


class Unread(Struct, frozen=True, kw_only=True):
    """The unread log groups of a shard. Times are Unix seconds, or None if unknown.

    ``consumed_error`` is the largest possible error of ``consumed_at`` in seconds.
    ``expired`` is true if log groups were deleted after the retention time but never read.
    ``first_cursor`` is the first retained log group, if it matters: nothing before it is unread.
    """

    oldest_at: float | None = None
    consumed_at: float | None = None
    consumed_error: float = inf
    newest_at: float | None = None
    first_cursor: int | None = None
    expired: bool = False


NOTHING_UNREAD = Unread()
"""The value for a shard whose end is reached, or is not known."""


class ShardProgress(Struct, frozen=True, gc=False):
    """The progress of a consumer group in one shard, in Unix seconds of the server's clock.

    An unknown value is None. There may be a million instances. The garbage collector need not scan
    them, since they cannot be part of a cycle.
    """

    shard: int
    consumer: str
    checkpoint: str
    updated_at: float | None
    moved_at: float | None
    """Time of the last change of the checkpoint, as far as polls can tell."""
    unread: int | None
    """Number of log groups that can still be read between the checkpoint and the end."""
    lag_seconds: float | None
    oldest_unread_at: float | None
    readonly: bool
    expired: bool
    evaluated_at: float | None
    """Time of the last comparison of the checkpoint with the end; None if there was none."""
    read_at: float
    """Time at which the checkpoint was read."""
    end: int | None = None
    """The end cursor of the shard at its last reading; None if it was never read."""
    is_blind: bool = False
    """Whether the end could not be read for long, although the exporter is allowed to read it."""

    @property
    def is_consumed(self) -> bool:
        """True if the shard was ever consumed, so that it has a checkpoint."""
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
