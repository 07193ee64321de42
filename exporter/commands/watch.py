"""Repeated polls over a short time, from which the rates of groups and shards are computed."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from math import inf
from typing import TextIO

from rich.console import Console
from rich.progress import Progress

from exporter.app.assembly import Parts
from exporter.evaluation.rates import advanced
from exporter.model.names import GroupKey
from exporter.model.progress import Totals
from exporter.model.snapshot import GroupSnapshot
from exporter.status.history import Rates

ShardRates = Mapping[int, Rates]

_POLL_SECONDS = 10.0
_STEP_SECONDS = 0.5


def watch(
    parts: Parts,
    seconds: float,
    *,
    poll: Callable[[], None],
    wait: Callable[[float], object],
    errors: TextIO,
) -> Mapping[GroupKey, ShardRates]:
    """Poll repeatedly for some seconds, and return the rates of all shards over that time.

    A progress bar is shown on a terminal. ``wait`` waits for some seconds, or until
    ``parts.cancelled`` is set, which ends the watch early.
    """
    before = _snapshots(parts)
    monotonic = parts.clock.monotonic
    started = polled_at = monotonic()
    with bar("watching", seconds, errors) as show:
        while not parts.cancelled.is_set() and polled_at < started + seconds:
            due = min(polled_at + _POLL_SECONDS, started + seconds)
            while (now := monotonic()) < due and not parts.cancelled.is_set():
                show(now - started)
                wait(min(_STEP_SECONDS, due - now))
            polled_at = monotonic()
            poll()
    after = _snapshots(parts)
    return {key: _rates(before[key], after[key]) for key in before.keys() & after.keys()}


@contextlib.contextmanager
def bar(
    words: str, total: float, errors: TextIO, *, least: float = -inf
) -> Iterator[Callable[[float], None]]:
    """Show a progress bar on a terminal if ``total`` is at least ``least``.

    Yields a function that sets the progress.
    """
    console = Console(file=errors)
    if total < least or not console.is_terminal:
        yield lambda _: None
        return
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(words, total=total)
        yield lambda completed: progress.update(task, completed=completed)


def _snapshots(parts: Parts) -> Mapping[GroupKey, GroupSnapshot]:
    return {
        group.key: group.snapshot
        for target in parts.store.view().targets
        for group in target.groups
        if group.snapshot is not None
    }


def _rates(before: GroupSnapshot, after: GroupSnapshot) -> ShardRates:
    """Return the rates of the shards of a group between two polls."""
    seconds = after.polled.monotonic - before.polled.monotonic
    if seconds <= 0:
        return {}
    known = {shard.shard: shard for shard in before.shards}
    steps = {
        shard.shard: advanced(Totals(), known, [shard])
        for shard in after.shards
        if shard.shard in known
    }
    return {
        number: Rates(
            read=step.consumed / seconds,
            written=None if step.written is None else step.written / seconds,
        )
        for number, step in steps.items()
    }
