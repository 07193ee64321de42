"""Tables of consumer groups and of the shards of one group, for a terminal or a file."""

from collections.abc import Collection, Mapping, Sequence
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from exporter.base.text import bounded
from exporter.commands.watch import ShardRates
from exporter.model.progress import State
from exporter.status import rows
from exporter.status.history import Rates
from exporter.status.rows import GroupRow
from exporter.status.story import by_cause, worst_first
from exporter.status.summary import ambiguous_projects
from exporter.status.wording import (
    CAUSE_NAMES,
    CAUSE_REMEDIES,
    duration,
    prediction,
    rate,
    shard_numbers,
)

_UNBOUNDED_WIDTH = 10_000
_LEAST_WIDTH = 80
_HEADINGS = ("stalled\nfor", "lag", "age", "consumers")
_SHARD_HEADINGS = ("stalled\nfor", "lag", "unread", "age")
_RATE_HEADINGS = ("read", "written")
_STYLES = {
    State.EXPIRED: "bold red",
    State.STALLED: "bold red",
    State.UNKNOWN: "yellow",
    State.UNCONSUMED: "yellow",
    State.CONSUMING: "green",
    State.CAUGHT_UP: "green",
    State.FINISHED: "dim",
}
_WRONG = frozenset({State.EXPIRED, State.STALLED, State.UNKNOWN})


def group_table(found: Sequence[GroupRow], *, has_rates: bool = False) -> Table:
    """Return a table of consumer groups, the worst first."""
    result = plain_table()
    # In a narrow terminal, only the column of names shrinks. Its text wraps, so nothing is lost.
    result.add_column("project / logstore / consumer group", overflow="fold")
    result.add_column("shards", no_wrap=True)
    _add_numbers(result, (*_HEADINGS, *(_RATE_HEADINGS if has_rates else ())))
    ambiguous = ambiguous_projects(found)
    for row in sorted(found, key=_rank):
        result.add_row(
            Text(name_of(row, ambiguous) + _worst(row)),
            _shards(row),
            duration(row.stalled_seconds),
            duration(row.lag_seconds),
            duration(row.age_seconds),
            str(len(row.consumers)),
            *(_rates(row.rates) if has_rates else ()),
        )
    return result


def shard_table(row: GroupRow, rates: ShardRates) -> Table:
    """Return a table of the shards of a group, the worst first; ``rates`` are those of a watch."""
    shards = worst_first(row.shards)
    has_causes = any(shard.likely_cause for shard in shards)
    result = plain_table()
    result.add_column("shard", justify="right", no_wrap=True)
    result.add_column("state", no_wrap=True)
    if has_causes:
        result.add_column("likely cause", no_wrap=True)
    result.add_column("owner", overflow="fold")
    _add_numbers(result, (*_SHARD_HEADINGS, *(_RATE_HEADINGS if rates else ())))
    for shard in shards:
        cause = CAUSE_NAMES[shard.likely_cause] if shard.likely_cause else "-"
        result.add_row(
            str(shard.shard),
            _state(shard.state),
            *([cause] if has_causes else []),
            Text(bounded(shard.consumer) or "-"),
            *shard_numbers(shard),
            *(_rates(rates.get(shard.shard, Rates())) if rates else ()),
        )
    return result


def advice(row: GroupRow) -> Sequence[str]:
    """Return lines with the likely causes of a group and its prediction."""
    lines = []
    for cause, shards in by_cause(row.shards).items():
        numbers = ", ".join(str(shard.shard) for shard in shards)
        lines.append(
            f"likely cause: {CAUSE_NAMES[cause]} (shard {numbers}). {CAUSE_REMEDIES[cause]}"
        )
    words = prediction(row.outlook)
    return [*lines, words] if words else lines


def name_of(row: GroupRow, ambiguous: Collection[str]) -> str:
    """Return the name of a group, with its endpoint if its project is ``ambiguous``."""
    endpoint = f"at {row.sls_endpoint}" if row.project in ambiguous else ""
    return place(row.project or row.sls_endpoint, endpoint, row.logstore, row.title)


def place(*names: str) -> str:
    """Return names that are not empty as one line."""
    return " / ".join(bounded(name) for name in names if name)


def print_table(shown: Table, stdout: TextIO, environ: Mapping[str, str]) -> None:
    """Write a table as wide as the terminal or COLUMNS, at least 80 columns.

    If there is neither a terminal nor COLUMNS, the table is as wide as its content.
    """
    console = Console(file=stdout)
    if console.is_terminal or "COLUMNS" in environ:
        # In a narrower console, rich would truncate the text. Let the terminal wrap the lines.
        console.width = max(console.width, _LEAST_WIDTH)
    else:
        unbounded = console.options.update(width=_UNBOUNDED_WIDTH)
        console.width = Measurement.get(console, unbounded, shown).maximum
    with console.capture() as captured:
        console.print(shown)
    stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def plain_table() -> Table:
    """Return an empty table with a line below its headings."""
    return Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)


def _add_numbers(table: Table, headings: Sequence[str]) -> None:
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)


def _rates(rates: Rates) -> Sequence[str]:
    return ["-" if value is None else rate(value) for value in rates]


def _rank(row: GroupRow) -> tuple[bool, int, float]:
    return row.up, rows.SEVERITY.index(row.state), -(row.lag_seconds or 0.0)


def _state(state: State) -> Text:
    return Text(state.value.replace("_", " "), style=_STYLES[state])


def _shards(row: GroupRow) -> Text:
    """Return the number of shards of a group by state, with one line per state."""
    lines = [] if row.up else [Text("failed", style="bold red")]
    states = [shard.state for shard in row.shards]
    lines += [
        Text(f"{states.count(state)} ", style=_STYLES[state]).append_text(_state(state))
        for state in rows.SEVERITY
        if state in states
    ]
    return Text("\n").join(lines or [Text("none", style="yellow")])


def _worst(row: GroupRow) -> str:
    """Return a line with the worst shard and its consumer, or no text if all states are good."""
    shard = row.worst
    if shard is None or shard.state not in _WRONG or not shard.consumer:
        return ""
    return f"\n  worst: shard {shard.shard}, {bounded(shard.consumer)}"
