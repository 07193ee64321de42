"""Where a group stands in one shard, in our own words.

A checkpoint is the next log group to read, so all is read where it equals the end. What is unread
waits since its oldest log group came in. Data that expired before it was read is lost.
"""

from dataclasses import dataclass

from exporter.simulator.cursors import decode_cursor
from exporter.simulator.views import CheckpointRow

STATES = ("caught_up", "consuming", "stalled", "unconsumed", "expired", "finished", "unknown")
_MICROSECONDS = 1_000_000
_LARGEST_CURSOR = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is unread as of an instant; what cannot be known is None. Instants are unix seconds."""

    at: float
    unread: int | None
    lag: float | None = None
    oldest: float | None = None
    readonly: bool
    expired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """A shard of a group as a poll saw it."""

    text: str
    owner: str
    written: float | None
    moved: float | None
    verdict: Verdict | None

    @property
    def waits_since(self) -> float | None:
        """Since when there is unread data and no move; None where there is no such time."""
        if not self.text or self.verdict is None or not self.verdict.unread:
            return None
        known = [at for at in (self.moved, self.verdict.oldest) if at is not None]
        return max(known, default=None)

    @property
    def has_lost(self) -> bool:
        """Whether data expired before it was read."""
        return self.verdict is not None and self.verdict.expired

    @property
    def is_behind(self) -> bool:
        """Whether there is unread data, all of which can still be read."""
        return self.waits_since is not None and not self.has_lost

    def state(self, stall_after: float) -> str:
        """Name the state of the shard as of the poll that looked at its end."""
        verdict = self.verdict
        if not self.text:
            return "unconsumed"
        if verdict is None or verdict.unread is None:
            return "unknown"
        if not verdict.unread:
            return "finished" if verdict.readonly else "caught_up"
        if verdict.expired:
            return "expired"
        since = self.waits_since
        is_long = since is not None and verdict.at - since > stall_after
        return "stalled" if is_long else "consuming"

    def series(self, now: float) -> dict[str, float]:
        """Return what is shown of the shard at an instant, by the end of the metric's name."""
        shown: dict[str, float | None] = {
            "checkpoint_age_seconds": None if self.written is None else now - self.written,
            "checkpoint_update_timestamp_seconds": self.written,
        }
        if self.verdict is not None:
            shown["unread_log_groups"] = self.verdict.unread
            shown["lag_seconds"] = self.verdict.lag
            shown["oldest_unread_timestamp_seconds"] = self.verdict.oldest
            if self.text and self.verdict.unread is not None:
                since = self.waits_since
                shown["stalled_seconds"] = 0.0 if not self.verdict.unread else None
                if since is not None:
                    shown["stalled_seconds"] = now - since
        return {name: value for name, value in shown.items() if value is not None}


def position(text: str) -> int | None:
    """Return the cursor that a checkpoint holds; None if it is none."""
    cursor = decode_cursor(text)
    return cursor if cursor is not None and cursor <= _LARGEST_CURSOR else None


def stand(
    row: CheckpointRow, before: Stand | None, verdict: Verdict | None, *, now: float
) -> Stand:
    """Put together what a poll saw, with what the poll before it knew.

    A checkpoint moved when it was written, but not when the same value was written again.
    """
    written = row.update_time / _MICROSECONDS if row.update_time else None
    moved = None if written is None else min(written, now)
    if not row.checkpoint:
        written = moved = None
    elif before is not None and before.text == row.checkpoint:
        moved = before.moved
    return Stand(
        text=row.checkpoint, owner=row.consumer, written=written, moved=moved, verdict=verdict
    )
