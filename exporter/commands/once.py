"""A single round of polls, printed as a table for people, or as JSON or metrics for programs."""

import contextlib
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from functools import partial
from typing import Literal, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from exporter.app.assembly import Parts, assemble
from exporter.base.clock import SYSTEM_CLOCK
from exporter.base.text import bounded
from exporter.commands.flags import Flags
from exporter.commands.signals import signals
from exporter.commands.source import loader
from exporter.metrics import self_catalogue
from exporter.model.progress import State
from exporter.polling.manager import pool_of
from exporter.status import api, rows
from exporter.status.rows import GroupRow
from exporter.status.summary import ambiguous_projects
from exporter.status.wording import duration

_INTERRUPTED = 130
_PROGRESS_FROM_TARGETS = 20
_UNBOUNDED_WIDTH = 10_000
_LEAST_WIDTH = 80
_HEADINGS = ("stalled\nfor", "lag", "age", "consumers")
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


def run_once(flags: Flags) -> int:
    """Poll all targets once and print the results."""
    config = loader(flags, os.environ)()
    parts = assemble(config, environ=os.environ, clock=SYSTEM_CLOCK, is_single_round=True)
    try:
        with signals(parts.cancelled.set, status=_INTERRUPTED):
            poll_all(parts, errors=sys.stderr)
        if parts.cancelled.is_set():
            return _INTERRUPTED
        return 0 if show(parts, flags.output, stdout=sys.stdout, environ=os.environ) else 1
    finally:
        parts.close()


def poll_all(parts: Parts, *, errors: TextIO) -> None:
    """Resolve names and poll every target once.

    On a terminal, a progress bar is shown if there are many targets. Setting ``parts.cancelled``
    ends the polls early.
    """
    if parts.manager.needs_listings:
        parts.manager.discover()
    targets = parts.manager.targets
    with _progress(len(targets), errors) as advance:
        polls = [
            parts.workers.submit(pool_of(target), partial(parts.manager.poll, target.key))
            for target in targets
        ]
        for poll in as_completed(polls):
            poll.result()
            advance()


def show(
    parts: Parts,
    output: Literal["table", "json", "prometheus"],
    *,
    stdout: TextIO,
    environ: Mapping[str, str],
) -> bool:
    """Write the results and return whether there are any and all polls succeeded.

    A table is as wide as the terminal or COLUMNS, at least 80 columns. If there is neither a
    terminal nor COLUMNS, the table is as wide as its content.
    """
    found = parts.groups()
    failures = _failures(found.groups, parts)
    if output == "json":
        stdout.write(api.as_json(found, {}).decode() + "\n")
    elif output == "prometheus":
        stdout.write(b"".join(parts.scrape().body).decode())
    else:
        if found.groups:
            _print(table(found.groups), stdout, environ)
        else:
            stdout.write("no consumer groups found\n")
        stdout.writelines(f"failed: {line}\n" for line in failures)
    return bool(found.groups) and not found.pending_targets and not failures


def table(found: Sequence[GroupRow]) -> Table:
    """Return a table of consumer groups, the worst first."""
    result = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    # In a narrow terminal, only the column of names shrinks. Its text wraps, so nothing is lost.
    result.add_column("project / logstore / consumer group", overflow="fold")
    result.add_column("shards", no_wrap=True)
    for heading in _HEADINGS:
        result.add_column(heading, justify="right", no_wrap=True)
    ambiguous = ambiguous_projects(found)
    for row in sorted(found, key=_rank):
        result.add_row(
            Text(_name(row, ambiguous) + _worst(row)),
            _shards(row),
            duration(row.stalled_seconds),
            duration(row.lag_seconds),
            duration(row.age_seconds),
            str(len(row.consumers)),
        )
    return result


def _rank(row: GroupRow) -> tuple[bool, int, float]:
    return row.up, rows.SEVERITY.index(row.state), -(row.lag_seconds or 0.0)


def _shards(row: GroupRow) -> Text:
    """Return the number of shards of a group by state, with one line per state."""
    lines = [] if row.up else [Text("failed", style="bold red")]
    states = [shard.state for shard in row.shards]
    lines += [
        Text(f"{states.count(state)} {state.value.replace('_', ' ')}", style=_STYLES[state])
        for state in rows.SEVERITY
        if state in states
    ]
    return Text("\n").join(lines or [Text("none", style="yellow")])


def _worst(row: GroupRow) -> str:
    """Return a line with the worst shard and its consumer, or no text if all states are good."""
    for shard in row.shards:
        if shard.shard == row.worst_shard and shard.state in _WRONG and shard.consumer:
            return f"\n  worst: shard {shard.shard}, {bounded(shard.consumer)}"
    return ""


def _place(*names: str) -> str:
    return " / ".join(bounded(name) for name in names if name)


def _name(row: GroupRow, ambiguous: Collection[str]) -> str:
    endpoint = f"at {row.sls_endpoint}" if row.project in ambiguous else ""
    return _place(row.project or row.sls_endpoint, endpoint, row.logstore, row.title)


def _failures(rows: Sequence[GroupRow], parts: Parts) -> list[str]:
    """Return a line per failed group, per failed listing and per failure of a logstore.

    The line of a logstore refers to the log, because only the log contains the error text.
    """
    failed = [row for row in rows if not row.up]
    listings = {(row.project, row.logstore, row.error_code) for row in failed if row.listing}
    ambiguous = ambiguous_projects(rows)
    lines = [f"{_name(row, ambiguous)}: {bounded(row.error or '')}" for row in failed]
    for family in parts.registry.collect():
        for sample in family.samples:
            labels = sample.labels
            if sample.name != self_catalogue.POLL_ERRORS.name or labels["consumer_group"]:
                continue
            project, logstore, code = labels["project"], labels["logstore"], labels["code"]
            # The counter has the pattern of projects that could not be listed.
            projects = "" if not logstore and ("", "", code) in listings else project
            if (projects, logstore, code) not in listings:
                lines.append(f"{_place(project, logstore)}: {code} (see the log)")
    return lines


def _print(shown: Table, stdout: TextIO, environ: Mapping[str, str]) -> None:
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


@contextlib.contextmanager
def _progress(total: int, errors: TextIO) -> Iterator[Callable[[], None]]:
    console = Console(file=errors)
    if total < _PROGRESS_FROM_TARGETS or not console.is_terminal:
        yield lambda: None
        return
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("polling logstores", total=total)
        yield lambda: progress.advance(task)
