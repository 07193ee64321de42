"""Parameters of a query that select and sort groups: parsing and application.

An invalid value is not an error. It counts as absent, and ``ignored`` contains the parameter.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct, field

from exporter.base.text import bounded
from exporter.model.progress import State
from exporter.status.rows import SEVERITY, GroupRow

NAMES = ("sls_endpoint", "project", "logstore", "consumer_group")
FAILING = "failing"
TROUBLE = "trouble"
DEFAULT_SORT = "-state"

_FINE = frozenset({State.CONSUMING, State.CAUGHT_UP, State.FINISHED})
_STATES = frozenset({FAILING, TROUBLE, *(state.value for state in State)})
_KNOWN = frozenset({*NAMES, "state", "q", "sort"})
_NUMBER = re.compile("[0-9]{1,9}")
_LIMIT = 256
_MOST_IGNORED = 10

# A failing group is worse than one in an unknown state, and better than one in a state that is
# known to be bad.
_RANKS = {state: float(len(SEVERITY) - place) for place, state in enumerate(SEVERITY)}
_FAILING_RANK = _RANKS[State.UNKNOWN] + 0.5

# Each sort key returns numbers or a text, or None if a row has no value.
KEYS: Mapping[str, Callable[[GroupRow], Any]] = {
    "state": lambda row: (
        max(_RANKS[row.state], 0.0 if row.up else _FAILING_RANK),
        row.stalled_seconds or 0.0,
        row.lag_seconds or 0.0,
    ),
    "project": lambda row: row.project,
    "logstore": lambda row: row.logstore,
    "consumer_group": lambda row: row.consumer_group,
    "shard": lambda row: row.worst_shard,
    "stalled": lambda row: row.stalled_seconds,
    "lag": lambda row: row.lag_seconds,
    "age": lambda row: row.age_seconds,
    "owners": lambda row: len(row.consumers),
    "last_success": lambda row: row.last_success_seconds,
}


class Query(Struct, frozen=True, kw_only=True):
    """The parameters of a query. Those that are absent are empty."""

    sls_endpoint: str = ""
    project: str = ""
    logstore: str = ""
    consumer_group: str = ""
    state: str = ""
    """A comma-separated list of states, ``failing`` and ``trouble``."""
    q: str = ""
    sort: str = DEFAULT_SORT
    """A name in KEYS, with a leading minus for descending order."""
    numbers: Mapping[str, int] = field(default_factory=dict)
    """The integer parameters: the page, or limit and offset."""
    ignored: tuple[str, ...] = ()
    """The names of parameters that are unknown or have an invalid value."""

    def link(self, **changes: str | int) -> str:
        """Return a relative link to this query with some parameters changed."""
        named = {name: getattr(self, name) for name in (*NAMES, "state", "q", "sort")}
        parameters = {
            name: value
            for name, value in (named | changes).items()
            if value != "" and (name, value) != ("sort", DEFAULT_SORT)
        }
        return "?" + urlencode(parameters, errors="replace")


def parse(query: Mapping[str, str], *, numbers: Collection[str]) -> Query:
    """Parse the parameters of a query. Those in ``numbers`` are non-negative integers."""
    values = {name: value[:_LIMIT] for name, value in query.items() if value}
    ignored = [bounded(name, 64) for name in query if name not in {*_KNOWN, *numbers}]
    read: dict[str, int] = {}
    for name in numbers:
        value = values.get(name)
        if value is None:
            continue
        if _NUMBER.fullmatch(value):
            read[name] = int(value)
        else:
            ignored.append(name)
    states = values.get("state", "").split(",")
    if not _STATES.issuperset(filter(None, states)):
        ignored.append("state")
    sort = values.get("sort", DEFAULT_SORT)
    if sort.removeprefix("-") not in KEYS:
        ignored.append("sort")
        sort = DEFAULT_SORT
    return Query(
        **{name: values.get(name, "") for name in NAMES},
        state=",".join(state for state in states if state in _STATES),
        q=values.get("q", ""),
        sort=sort,
        numbers=read,
        ignored=tuple(ignored[:_MOST_IGNORED]),
    )


def select(rows: Iterable[GroupRow], query: Query) -> Sequence[GroupRow]:
    """Return the rows that match the query, in its order. Rows without a value come last."""
    kept = _searched(_in_state(_named(rows, query), query.state), query.q)
    kept.sort(key=_name)
    key = KEYS[query.sort.removeprefix("-")]
    known = [row for row in kept if key(row) is not None]
    unknown = [row for row in kept if key(row) is None]
    known.sort(key=key, reverse=query.sort.startswith("-"))
    return [*known, *unknown]


def is_trouble(row: GroupRow) -> bool:
    """Return whether a group needs attention: it fails, or its state is not a good one."""
    return not row.up or row.state not in _FINE


def _name(row: GroupRow) -> tuple[str, str, str, str]:
    return row.project, row.logstore, row.consumer_group, row.sls_endpoint


def _named(rows: Iterable[GroupRow], query: Query) -> list[GroupRow]:
    kept = list(rows)
    for name in NAMES:
        if wanted := getattr(query, name):
            kept = [row for row in kept if getattr(row, name) == wanted]
    return kept


def _in_state(rows: list[GroupRow], states: str) -> list[GroupRow]:
    if not states:
        return rows
    wanted = set(states.split(","))
    return [
        row
        for row in rows
        if row.state.value in wanted
        or (FAILING in wanted and not row.up)
        or (TROUBLE in wanted and is_trouble(row))
    ]


def _searched(rows: list[GroupRow], text: str) -> list[GroupRow]:
    words = text.casefold().split()
    if not words:
        return rows
    return [row for row in rows if _contains(row, words)]


def _contains(row: GroupRow, words: Sequence[str]) -> bool:
    # Almost every endpoint contains the word "log", so a search ignores the endpoint of a group.
    place = "/".join((row.project, row.logstore, row.consumer_group or row.sls_endpoint))
    labels = row.settings.labels if row.settings else ()
    texts = (place, *row.consumers, row.error or "", *map("=".join, labels))
    whole = "\n".join(texts).casefold()
    return all(word in whole for word in words)
