"""The table of groups. Each has a row of values, its problem, and shards that can be unfolded."""

from collections import Counter
from collections.abc import Collection, Sequence
from urllib.parse import quote

from exporter.base.durations import format_duration
from exporter.base.text import counted
from exporter.model.progress import State
from exporter.model.snapshot import GroupSettings
from exporter.status.form import COLUMNS
from exporter.status.markup import Html, join, tag
from exporter.status.rows import SEVERITY, GroupRow
from exporter.status.selection import Query
from exporter.status.shard_rows import ShardRow
from exporter.status.story import story, worst_first
from exporter.status.wording import CAUSE_NAMES, STATE_NAMES, duration, shard_numbers

SHOWN_SHARDS = 64

_TEXTS = frozenset({"project", "logstore", "consumer_group"})
_NUMBERS = frozenset({"stalled", "lag", "age", "owners", "last_success"})
_TONES = {
    State.EXPIRED: "bad",
    State.STALLED: "bad",
    State.UNKNOWN: "warn",
    State.UNCONSUMED: "warn",
    State.CONSUMING: "good",
    State.CAUGHT_UP: "good",
    State.FINISHED: "quiet",
}
_CAUSE = "Likely cause"
_OF_NUMBERS = ("Stalled for", "Lag", "Unread", "Age")
_SHARD_HEADINGS = ("Shard", "State", _CAUSE, "Owner", *_OF_NUMBERS)


def groups_table(
    rows: Sequence[GroupRow], asked: Query, *, now: float, ambiguous: Collection[str] = ()
) -> Html:
    """Build the table of groups. A single group is unfolded.

    ``now`` is on the monotonic clock. The endpoint is shown next to the names of projects that are
    ``ambiguous``.
    """
    headings = [_heading(name, words, asked) for name, words in COLUMNS.items()]
    bodies = [
        _group(row, now=now, unfold=len(rows) == 1, is_ambiguous=row.project in ambiguous)
        for row in rows
    ]
    head = tag("thead", tag("tr", *headings, role="row"), role="rowgroup")
    # On a narrow screen, the style shows rows as cards. Screen readers then need explicit roles to
    # recognize the table.
    return tag("table", head, *bodies, id="groups", role="table", aria_label="Consumer groups")


def _heading(name: str, words: str, asked: Query) -> Html:
    sorted_by = asked.sort.removeprefix("-") == name
    descending = asked.sort.startswith("-")
    down = not descending if sorted_by else name not in _TEXTS
    link = tag(
        "a",
        words,
        href=asked.link(sort=f"-{name}" if down else name),
        id=f"sort-{name}",
        data_swap=True,
    )
    way = ("descending" if descending else "ascending") if sorted_by else None
    return tag(
        "th",
        link,
        scope="col",
        role="columnheader",
        aria_sort=way,
        class_="number" if name in _NUMBERS else None,
    )


def _group(row: GroupRow, *, now: float, unfold: bool, is_ambiguous: bool) -> Html:
    values = {
        "state": _pills(row),
        **_names(row, is_ambiguous=is_ambiguous),
        "shard": _worst(row),
        "stalled": duration(row.stalled_seconds),
        "lag": duration(row.lag_seconds),
        "age": duration(row.age_seconds),
        "owners": "-" if row.worst_shard is None else f"{len(row.consumers):,}",
        "last_success": _ago(row.last_success_seconds),
    }
    cells = [_cell(name, value) for name, value in values.items()]
    more = tag(
        "td",
        _problem(row),
        story(row, now=now),
        _shards(row, unfold=unfold),
        colspan=str(len(cells)),
        role="cell",
    )
    return tag(
        "tbody",
        tag("tr", *cells, role="row"),
        tag("tr", more, role="row", class_="more"),
        role="rowgroup",
    )


def _names(row: GroupRow, *, is_ambiguous: bool) -> dict[str, str]:
    """Return the names of a group, or a description of a listing or a logstore."""
    endpoint = tag("span", row.sls_endpoint, class_="quiet")
    return {
        "project": join(row.project, " ", endpoint) if is_ambiguous else row.project or endpoint,
        "logstore": row.logstore or "-",
        "consumer_group": row.title if row.is_group else tag("span", row.title, class_="quiet"),
    }


def _cell(name: str, value: str) -> Html:
    kind = f"{name} number" if name in _NUMBERS else name
    if name == "consumer_group":
        return tag("th", value, scope="row", role="rowheader", class_=kind)
    return tag("td", value, role="cell", class_=kind, data_label=COLUMNS[name])


def _pills(row: GroupRow) -> Html:
    if row.up:
        return _pill(row.state)
    failing = tag("span", "failing", class_="pill bad")
    return failing if row.worst_shard is None else join(failing, " ", _pill(row.state))


def _pill(state: State) -> Html:
    return tag("span", STATE_NAMES[state], class_=f"pill {_TONES[state]}")


def _worst(row: GroupRow) -> str:
    """Return the number of the worst shard with its owner."""
    shard = row.worst
    if shard is None:
        return "-"
    return join(f"{shard.shard} ", tag("span", shard.consumer, class_="quiet"))


def _ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{duration(seconds)} ago"


def _problem(row: GroupRow) -> Html:
    """Describe the problem of a group and its remedy. Return an empty piece if there is none."""
    if row.error is not None:
        is_failure = row.failing_seconds is not None
        since = f"Failing for {duration(row.failing_seconds)}: " if is_failure else "Left out: "
        return _error(since, row.error, row.remedy)
    if row.shard_error is not None:
        return _error("Not all shards could be read: ", row.shard_error, row.shard_remedy)
    if row.state is State.UNKNOWN and row.cursor_remedy:
        return tag("p", row.cursor_remedy, class_="quiet")
    return Html()


def _effect(row: GroupRow) -> str:
    if row.conflicts_with is not None:
        return "None of its consumer groups is watched."
    if row.last_success_seconds is None:
        return "It has never succeeded, so nothing that it would find is watched."
    return "New names are not found until it succeeds."


def _error(words: str, error: str, remedy: str | None) -> Html:
    return tag(
        "p",
        words,
        tag("span", error, class_="error"),
        *((" ", tag("strong", remedy)) if remedy else ()),
        class_="problem",
    )


def _shards(row: GroupRow, *, unfold: bool) -> Html:
    if not row.is_group:
        return tag("p", _effect(row), class_="quiet")
    if not row.shards:
        words = "No shard has a checkpoint." if row.up else "Nothing recent is known."
        return tag("p", words, class_="quiet")
    shards = worst_first(row.shards)
    counts = Counter(shard.state for shard in shards)
    states = ", ".join(
        f"{counts[state]:,} {STATE_NAMES[state]}" for state in SEVERITY if counts[state]
    )
    if len(counts) == 1:
        states = ("all " if len(shards) > 1 else "") + STATE_NAMES[shards[0].state]
    name = "/".join(
        quote(part, errors="replace")
        for part in (row.sls_endpoint, row.project, row.logstore, row.consumer_group)
    )
    label = tag("span", f" of {row.consumer_group}", class_="hidden")
    rest = len(shards) - SHOWN_SHARDS
    return tag(
        "details",
        tag("summary", counted(len(shards), "shard"), label, f": {states}", id=f"fold {name}"),
        _settings(row.settings) if row.settings else "",
        _shard_table(shards[:SHOWN_SHARDS]),
        tag("p", f"And {counted(rest, 'shard')} in no worse state.", class_="quiet")
        if rest > 0
        else "",
        id=f"shards {name}",
        open=unfold,
    )


def _settings(settings: GroupSettings) -> Html:
    """Describe the limits and the labels of a group."""
    words = [
        f"Stalled after {format_duration(settings.stall_after)}",
        f"lag limit {format_duration(settings.lag_limit)}",
        *(f"{name}={value}" for name, value in settings.labels),
    ]
    return tag("p", ", ".join(words), class_="settings quiet")


def _shard_table(shards: Sequence[ShardRow]) -> Html:
    has_causes = any(shard.likely_cause for shard in shards)
    headings = [
        tag("th", words, scope="col", class_="number" if words in {"Shard", *_OF_NUMBERS} else None)
        for words in _SHARD_HEADINGS
        if has_causes or words != _CAUSE
    ]
    lines = [
        tag(
            "tr",
            tag("th", str(shard.shard), scope="row", class_="number"),
            tag("td", _pill(shard.state)),
            tag("td", CAUSE_NAMES[shard.likely_cause] if shard.likely_cause else "-")
            if has_causes
            else "",
            tag("td", shard.consumer or "-", class_="owner"),
            *(tag("td", value, class_="number") for value in shard_numbers(shard)),
        )
        for shard in shards
    ]
    whole = tag("table", tag("thead", tag("tr", *headings)), tag("tbody", *lines))
    return tag("div", whole, class_="shards")
