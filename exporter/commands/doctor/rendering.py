"""The report as a table for people, and as JSON for programs and issues."""

import json
import platform
from collections.abc import Mapping, Sequence
from typing import TextIO

from rich.table import Table
from rich.text import Text

from exporter import __version__
from exporter.base.text import bounded
from exporter.commands.doctor.findings import Examined, Finding, Item, Result, exit_status
from exporter.commands.tables import place, plain_table, print_table

_STYLES: Mapping[Result, str] = {
    "ok": "green",
    "held": "green",
    "warning": "yellow",
    "not held": "bold red",
    "failed": "bold red",
    "skipped": "dim",
    "not seen": "dim",
}
_DETAIL_LIMIT = 1000
_NOTHING = "nothing is selected; names and patterns must match whole names"


def write_table(found: Sequence[Examined], stdout: TextIO, environ: Mapping[str, str]) -> None:
    """Write a table per item, and a line with the number of findings by result."""
    for examined in found:
        stdout.write(f"{bounded(_title(examined.item), _DETAIL_LIMIT)}\n\n")
        print_table(_table(examined.findings), stdout, environ)
        stdout.write("\n")
    results = [finding.result for examined in found for finding in examined.findings]
    counts = [f"{results.count(each)} {each}" for each in _STYLES if each in results]
    stdout.write(f"{', '.join(counts) or _NOTHING}\n")


def write_json(found: Sequence[Examined], stdout: TextIO) -> None:
    """Write a document with all findings and the versions of the programs."""
    document = {
        "version": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "status": exit_status(found),
        "items": [
            {
                "sls_endpoint": each.item.endpoint,
                "project": each.item.project,
                "logstore": each.item.logstore,
                "findings": [_as_json(finding) for finding in each.findings],
            }
            for each in found
        ],
    }
    stdout.write(json.dumps(document, ensure_ascii=False, indent=1) + "\n")


def _title(item: Item) -> str:
    return f"{place(item.project, item.logstore)} at {item.endpoint}"


def _table(findings: Sequence[Finding]) -> Table:
    result = plain_table()
    result.add_column("step", no_wrap=True)
    result.add_column("result", no_wrap=True)
    result.add_column("seen", overflow="fold")
    for finding in findings:
        result.add_row(
            Text(finding.step),
            Text(finding.result, style=_STYLES[finding.result]),
            Text("\n".join(_lines(finding))),
        )
    return result


def _lines(finding: Finding) -> Sequence[str]:
    detail = bounded(finding.detail, _DETAIL_LIMIT)
    facts = f"{finding.assumption}: {finding.seen}" if finding.assumption else finding.seen
    lines = [facts, f"({detail})" if detail else "", finding.remedy]
    return [line for line in lines if line]


def _as_json(finding: Finding) -> Mapping[str, str]:
    fields = {
        "step": finding.step,
        "result": finding.result,
        "assumption": finding.assumption,
        "seen": finding.seen,
        "detail": bounded(finding.detail, _DETAIL_LIMIT),
        "remedy": finding.remedy,
    }
    return {name: text for name, text in fields.items() if text}
