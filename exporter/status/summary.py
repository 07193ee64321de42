"""Counts of groups, for the first line of the page and for ``summary`` in the JSON."""

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from exporter.model.progress import State
from exporter.status.rows import GroupRow


class Summary(Struct, frozen=True, kw_only=True):
    """The number of groups, in total and by state, and the group with the longest stall.

    ``failing`` counts listings as well.
    """

    groups: int
    failing: int
    states: Mapping[State, int]
    worst: GroupRow | None
    """The group with the longest stall; None if no group has stalled."""


def summarise(rows: Iterable[GroupRow]) -> Summary:
    """Count all groups, regardless of filters."""
    rows = list(rows)
    counts = Counter(row.state for row in rows if row.listing is None)
    stalled = [row for row in rows if row.state in {State.STALLED, State.EXPIRED}]
    return Summary(
        groups=counts.total(),
        failing=sum(not row.up for row in rows),
        states={state: counts[state] for state in State},
        worst=max(stalled, key=lambda row: row.stalled_seconds or 0.0, default=None),
    )
