"""Polls everything once and shows it: a table for people, JSON or metrics for programs."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Literal, TextIO

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from exporter import status
from exporter.app import Engine
from exporter.metrics import exposition
from exporter.progress import State
from exporter.status import GroupRow, duration

Output = Literal["table", "json", "prometheus"]
OUTPUTS: tuple[Output, ...] = ("table", "json", "prometheus")

_PROGRESS_FROM_TARGETS = 20
_STYLES = {
    State.EXPIRED: "bold red",
    State.STALLED: "bold red",
    State.UNKNOWN: "yellow",
    State.UNCONSUMED: "yellow",
    State.CONSUMING: "green",
    State.CAUGHT_UP: "green",
    State.FINISHED: "dim",
}


def poll_all(engine: Engine, *, errors: TextIO) -> None:
    """Resolve names and poll every target once; a progress bar tells of many on a terminal."""
    if engine.needs_listings:
        engine.discover()
    targets = engine.fleet.targets
    workers = engine.config.polling.workers
    with ThreadPoolExecutor(workers) as pool, _progress(len(targets), errors) as advance:
        polls: list[Future[None]] = [
            pool.submit(engine.fleet.poll, target.key) for target in targets
        ]
        try:
            for poll in as_completed(polls):
                poll.result()
                advance()
        except BaseException:
            engine.cancelled.set()
            raise


def show(engine: Engine, output: Output, *, stdout: TextIO) -> bool:
    """Write what was found; return whether every group of every target could be polled."""
    found = engine.groups()
    if output == "json":
        stdout.write(status.as_json(found, {}).decode() + "\n")
    elif output == "prometheus":
        _, _, body = exposition.render(engine.registry, accept="", accept_encoding="")
        stdout.write(body.decode())
    else:
        Console(file=stdout).print(table(found.groups))
    return bool(found.groups) and not found.pending_targets and all(row.up for row in found.groups)


def table(rows: Sequence[GroupRow]) -> Table:
    """Lay out consumer groups, the worst first."""
    result = Table(title=None, expand=False)
    for heading in ("project", "logstore", "consumer group", "state"):
        result.add_column(heading)
    for heading in ("shard", "stalled for", "lag", "age"):
        result.add_column(heading, justify="right")
    result.add_column("consumers")
    for row in sorted(rows, key=lambda row: (row.up, status.SEVERITY.index(row.state))):
        name = Text(row.state.value, style=_STYLES[row.state])
        if not row.up:
            name = Text(f"failed: {row.error}", style="bold red")
        result.add_row(
            Text(row.project),
            Text(row.logstore),
            Text(row.consumer_group),
            name,
            "-" if row.worst_shard is None else str(row.worst_shard),
            duration(row.stalled_seconds),
            duration(row.lag_seconds),
            duration(row.age_seconds),
            Text(", ".join(row.consumers)),
        )
    return result


@contextlib.contextmanager
def _progress(total: int, errors: TextIO) -> Iterator[Callable[[], None]]:
    console = Console(file=errors)
    if total < _PROGRESS_FROM_TARGETS or not console.is_terminal:
        yield lambda: None
        return
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("polling logstores", total=total)
        yield lambda: progress.advance(task)
