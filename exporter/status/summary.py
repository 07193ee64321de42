"""Counts of groups and of names, for the first line of the page and for ``summary`` in the JSON."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from exporter.model.progress import State
from exporter.status.rows import GroupRow


class Summary(Struct, frozen=True, kw_only=True):
    """The number of groups, in total and by state, and the group with the longest stall.

    ``failing`` counts listings and logstores as well.
    """

    groups: int
    failing: int
    states: Mapping[State, int]
    worst: GroupRow | None
    """The group with the longest stall; None if no group has stalled."""


def summarise(rows: Iterable[GroupRow]) -> Summary:
    """Count all groups, regardless of filters."""
    rows = list(rows)
    counts = Counter(row.state for row in rows if row.is_group)
    stalled = [row for row in rows if row.state in {State.STALLED, State.EXPIRED}]
    return Summary(
        groups=counts.total(),
        failing=sum(not row.up for row in rows),
        states={state: counts[state] for state in State},
        worst=max(stalled, key=lambda row: row.stalled_seconds or 0.0, default=None),
    )


def ambiguous_projects(rows: Iterable[GroupRow]) -> Collection[str]:
    """Return the names of projects that exist at several endpoints."""
    places = {(row.project, row.sls_endpoint) for row in rows}
    return {project for project, count in Counter(name for name, _ in places).items() if count > 1}
