"""A single round of polls, printed as a table for people, or as JSON or metrics for programs."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from functools import partial
from typing import TextIO

from exporter.app.assembly import Parts, assemble
from exporter.base.clock import SYSTEM_CLOCK
from exporter.base.text import bounded
from exporter.commands.flags import Flags, Output
from exporter.commands.signals import signals
from exporter.commands.source import loader
from exporter.commands.tables import (
    advice,
    group_table,
    name_of,
    place,
    print_table,
    shard_table,
)
from exporter.commands.watch import ShardRates, bar, watch
from exporter.metrics import self_catalogue
from exporter.model.names import GroupKey
from exporter.polling.manager import pool_of
from exporter.polling.scope import Scope
from exporter.status import api
from exporter.status.rows import GroupRow
from exporter.status.summary import ambiguous_projects

_INTERRUPTED = 130
_PROGRESS_FROM_TARGETS = 20
_NONE = "no consumer groups found; names and patterns must match whole names\n"
_HINT = "Run 'sls-exporter doctor' to check keys, network and permissions step by step.\n"

Watched = Mapping[GroupKey, ShardRates]
"""The rates of all shards over a watch."""


def run_once(flags: Flags) -> int:
    """Poll all targets once, or for some time, and print the results."""
    config = loader(flags, os.environ)()
    scope = Scope(
        project=flags.project, logstore=flags.logstore, consumer_group=flags.consumer_group
    )
    parts = assemble(
        config, environ=os.environ, clock=SYSTEM_CLOCK, is_single_round=True, scope=scope
    )
    watched: Watched | None = None
    try:
        with signals(parts.cancelled.set, status=_INTERRUPTED):
            if flags.list:
                discover(parts)
            else:
                poll_all(parts, errors=sys.stderr)
            if flags.watch is not None:
                watched = watch(
                    parts,
                    flags.watch,
                    poll=partial(poll_targets, parts, lambda _: None),
                    wait=parts.cancelled.wait,
                    errors=sys.stderr,
                )
        if parts.cancelled.is_set():
            return _INTERRUPTED
        if flags.list:
            is_good = show_names(parts, flags.output, stdout=sys.stdout, errors=sys.stderr)
        else:
            is_good = show(
                parts,
                flags.output,
                stdout=sys.stdout,
                errors=sys.stderr,
                environ=os.environ,
                watched=watched,
            )
        return 0 if is_good else 1
    finally:
        parts.close()


def discover(parts: Parts) -> None:
    """Resolve names."""
    if parts.manager.needs_listings:
        parts.manager.discover()


def poll_all(parts: Parts, *, errors: TextIO) -> None:
    """Resolve names and poll every target once.

    On a terminal, a progress bar is shown if there are many targets. Setting ``parts.cancelled``
    ends the polls early.
    """
    discover(parts)
    total = len(parts.manager.targets)
    with bar("polling logstores", total, errors, least=_PROGRESS_FROM_TARGETS) as completed:
        poll_targets(parts, completed)


def poll_targets(parts: Parts, completed: Callable[[float], None]) -> None:
    """Poll every target once; ``completed`` gets the number of the polls that have ended."""
    polls = [
        parts.workers.submit(pool_of(target), partial(parts.manager.poll, target.key))
        for target in parts.manager.targets
    ]
    for count, poll in enumerate(as_completed(polls), 1):
        poll.result()
        completed(count)


def show(
    parts: Parts,
    output: Output,
    *,
    stdout: TextIO,
    errors: TextIO,
    environ: Mapping[str, str],
    watched: Watched | None = None,
) -> bool:
    """Write the results and return whether there are any and all polls succeeded.

    The shards of a single group are shown as well. A message to ``errors`` reports that there is
    none.
    """
    found = parts.groups()
    failures = _failures(found.groups, parts)
    if output == "json":
        stdout.write(api.as_json(found, {}).decode() + "\n")
    elif output == "prometheus":
        stdout.write(b"".join(parts.scrape().body).decode())
    else:
        if found.groups:
            print_table(group_table(found.groups, has_rates=watched is not None), stdout, environ)
        if len(found.groups) == 1 and found.groups[0].shards:
            _show_shards(found.groups[0], watched or {}, stdout, environ)
        _write_failures(failures, stdout)
    if not found.groups:
        errors.write(_NONE)
    return bool(found.groups) and not found.pending_targets and not failures


def show_names(parts: Parts, output: Output, *, stdout: TextIO, errors: TextIO) -> bool:
    """Write the names of all groups, and return whether there are any and no listing failed.

    Only names are written to ``stdout``, so that a script can read them.
    """
    keys = [
        GroupKey(*target.key, group.name)
        for target in parts.manager.targets
        for group in target.groups
    ]
    failures = _failures(parts.groups().groups, parts)
    if output == "json":
        stdout.write(json.dumps([key._asdict() for key in keys], ensure_ascii=False) + "\n")
    else:
        stdout.writelines(f"{place(*key.names)}\n" for key in keys)
    if not keys and not failures:
        errors.write(_NONE)
    _write_failures(failures, errors)
    return bool(keys) and not failures


def _show_shards(
    row: GroupRow, watched: Watched, stdout: TextIO, environ: Mapping[str, str]
) -> None:
    key = GroupKey(row.sls_endpoint, row.project, row.logstore, row.consumer_group)
    stdout.write("\n")
    print_table(shard_table(row, watched.get(key, {})), stdout, environ)
    lines = advice(row)
    if lines:
        stdout.writelines(f"{line}\n" for line in ("", *lines))


def _write_failures(failures: Sequence[str], stream: TextIO) -> None:
    stream.writelines(f"failed: {line}\n" for line in failures)
    if failures:
        stream.write(_HINT)


def _failures(rows: Sequence[GroupRow], parts: Parts) -> list[str]:
    """Return a line per failed group, per failed listing and per failure of a logstore.

    The line of a logstore refers to the log, because only the log contains the error text.
    """
    failed = [row for row in rows if not row.up]
    listings = {(row.project, row.logstore, row.error_code) for row in failed if row.listing}
    ambiguous = ambiguous_projects(rows)
    lines = [f"{name_of(row, ambiguous)}: {bounded(row.error or '')}" for row in failed]
    for family in parts.registry.collect():
        for sample in family.samples:
            labels = sample.labels
            if sample.name != self_catalogue.POLL_ERRORS.name or labels["consumer_group"]:
                continue
            project, logstore, code = labels["project"], labels["logstore"], labels["code"]
            # The counter has the pattern of projects that could not be listed.
            projects = "" if not logstore and ("", "", code) in listings else project
            if (projects, logstore, code) not in listings:
                lines.append(f"{place(project, logstore)}: {code} (see the log)")
    return lines
