"""The state of a group in one shard, and how exactly the documents promise it.

A checkpoint is the next log group to read, so everything is read if it equals the end. Unread data
waits since its oldest log group was received. Data that expired before it was read is lost. If
requests fail, there are several alternatives.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from exporter.simulator.cursors import decode_cursor
from exporter.simulator.views import CheckpointRow
from tests.simulation.oracle.account import INTERVAL
from tests.simulation.oracle.comparing import Allowed, Span, either, exactly

STATES = ("caught_up", "consuming", "stalled", "unconsumed", "expired", "finished", "unknown")
_MICROSECONDS = 1_000_000
_LARGEST_CURSOR = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The unread data of a shard as of an instant. Instants are unix seconds, None if unknown."""

    at: float
    unread: Allowed | None
    lag: Allowed | None = None
    oldest: Allowed | None = None
    waits: Span | None = None
    """The instant since which unread data has waited."""
    readonly: bool
    expired: bool = False
    kept_from: float | None = None
    """When the checkpoint was read, if an earlier poll found this."""


Alternatives = tuple[Verdict | None, ...]
"""Possible results of a poll. None means that nothing is known about the end."""


Growth = frozenset[tuple[int, int] | None]
"""The first and the last end of a shard that a group may know. None if it knows none."""

NEVER_READ: Growth = frozenset({None})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """A shard of a group as a poll read it."""

    text: str
    owner: str
    written: float | None
    moved: float | None
    read_at: float
    verdicts: Alternatives
    growth: Growth = NEVER_READ
    is_end_due: bool = False
    """Whether the poll had to read the end of the shard."""
    shown: frozenset[bool] = frozenset({True})
    """Whether the shard may have its own series, and whether it may have none."""

    @property
    def has_lost(self) -> bool:
        """True if it is certain that data expired before it was read."""
        return all(verdict is not None and verdict.expired for verdict in self.verdicts)

    @property
    def is_behind(self) -> bool:
        """True if it is certain that there is unread data, which may still be readable."""
        return (
            all(
                verdict is not None and verdict.unread is not None and verdict.unread.least > 0
                for verdict in self.verdicts
            )
            and not self.has_lost
        )

    def states(self, stall_after: float) -> set[str]:
        """Return the states that the shard may be in as of its reading."""
        return {
            state for verdict in self.verdicts for state in self.states_of(verdict, stall_after)
        }

    def states_of(self, verdict: Verdict | None, stall_after: float) -> Iterator[str]:
        """Yield the states that a possible result leaves."""
        if not self.text:
            yield from _states_without_checkpoint(verdict, is_end_due=self.is_end_due)
        elif verdict is not None and verdict.expired:
            yield "expired"
        elif verdict is None or verdict.unread is None:
            yield "unknown"
        else:
            if verdict.unread.least == 0:
                yield "finished" if verdict.readonly else "caught_up"
            if verdict.unread.most > 0:
                yield from self._states_behind(verdict, stall_after)

    def series(self, now: float) -> dict[str, Allowed]:
        """Return what is shown of the shard at an instant, by the end of the metric's name."""
        known = [verdict for verdict in self.verdicts if verdict is not None]
        absent = [None] * (len(self.verdicts) - len(known))
        written = self.written
        shown = {
            "checkpoint_age_seconds": None if written is None else exactly(now - written),
            "checkpoint_update_timestamp_seconds": None if written is None else exactly(written),
            "unread_log_groups": either([*(each.unread for each in known), *absent]),
            "lag_seconds": either([*(each.lag for each in known), *absent]),
            "oldest_unread_timestamp_seconds": either([*(each.oldest for each in known), *absent]),
            "stalled_seconds": either([*(self._stalled(each, now) for each in known), *absent]),
        }
        return {name: allowed for name, allowed in shown.items() if allowed is not None}

    def waits_since(self, verdict: Verdict) -> Span | None:
        """Return when unread data began to wait while the checkpoint did not advance."""
        if verdict.waits is not None:
            return verdict.waits.not_before(self.moved)
        return None if self.moved is None else Span(self.moved, self.moved, self.moved)

    def _states_behind(self, verdict: Verdict, stall_after: float) -> Iterator[str]:
        since = self.waits_since(verdict)
        if since is None:
            yield "unknown"
        else:
            # Either an earlier state is kept, or the state is evaluated at the time of the poll.
            for instant in (verdict.at, self._seen_at(verdict)):
                yield "stalled" if instant - since.true > stall_after else "consuming"

    def _stalled(self, verdict: Verdict, now: float) -> Allowed | None:
        """Return the seconds of a stall, which count on for one interval after the reading."""
        if not self.text or verdict.unread is None:
            return None
        found: list[Allowed | None] = []
        if verdict.unread.least == 0:
            found.append(exactly(0.0))
        if verdict.unread.most > 0:
            since = self.waits_since(verdict)
            until = min(now, self._seen_at(verdict) + INTERVAL)
            found.append(None if since is None else Allowed(spans=(since.since(until),)))
        return either(found)

    def _seen_at(self, verdict: Verdict) -> float:
        return self.read_at if verdict.kept_from is None else verdict.kept_from


def _states_without_checkpoint(verdict: Verdict | None, *, is_end_due: bool) -> Iterator[str]:
    """Yield the states of a shard that was never consumed. An empty read-only one is finished.

    Without an end that the poll had to read, it is not known whether there is unread data.
    """
    if is_end_due and (verdict is None or verdict.unread is None):
        yield "unknown"
        return
    unread = verdict.unread if verdict is not None and verdict.readonly else None
    if unread is not None and unread.least == 0:
        yield "finished"
    if unread is None or unread.most > 0:
        yield "unconsumed"


def position(text: str) -> int | None:
    """Return the cursor that a checkpoint holds; None if it does not hold one."""
    cursor = decode_cursor(text)
    return cursor if cursor is not None and cursor <= _LARGEST_CURSOR else None


def written_at(row: CheckpointRow) -> float | None:
    """Return when a checkpoint was written; None if it never was."""
    return row.update_time / _MICROSECONDS if row.checkpoint and row.update_time else None


def moved_at(row: CheckpointRow, before: Stand | None, *, now: float) -> float | None:
    """Return when a checkpoint moved: when it was written, unless the value was the same before."""
    if row.checkpoint and before is not None and before.text == row.checkpoint:
        return before.moved
    written = written_at(row)
    return None if written is None else min(written, now)


def kept(before: Stand | None, *, now: float, kept_for: float) -> Alternatives:
    """Return the earlier results that may replace one whose requests failed."""
    if before is None:
        return (None,)
    return tuple(
        replace(verdict, kept_from=verdict.kept_from or before.read_at)
        if verdict is not None and now - verdict.at <= kept_for
        else None
        for verdict in before.verdicts
    )
