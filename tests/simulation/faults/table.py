"""The fault matrix as Markdown, and its position in the document."""

import sys
import tempfile
import traceback
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.simulation.faults.catalogue import CASES, Case
from tests.simulation.faults.stage import PHASES, staged
from tools.marks import replaced
from tools.paths import ROOT

DOCUMENT = ROOT / "docs" / "reliability.md"
_AT_ONCE = 2


def play(case: Case) -> Mapping[str, bool]:
    """Inject a fault in all phases, and return which passed. After a failed phase, none passes."""
    passed = dict.fromkeys(PHASES, False)
    name = "before the first phase"
    try:
        with tempfile.TemporaryDirectory() as folder, staged(case, Path(folder)) as played:
            for name, phase in PHASES.items():
                phase(played)
                passed[name] = True
    except Exception:  # noqa: BLE001  after any failure, the other faults must still be injected
        sys.stderr.write(f"{case.name}: {name}: {traceback.format_exc(limit=-2)}\n")
    return passed


def render(cases: Iterable[Case] = CASES) -> str:
    """Inject the faults and return the table."""
    cases = tuple(cases)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        results = list(pool.map(play, cases))
    lines = [
        "| fault | counted as | " + " | ".join(PHASES) + " |",
        "|---|---|" + "---|" * len(PHASES),
    ]
    for case, passed in zip(cases, results, strict=True):
        codes = ", ".join(f"`{code}`" for code in sorted(case.codes)) or "no error"
        cells = " | ".join("held" if passed[phase] else "**broke**" for phase in PHASES)
        lines.append(f"| {case.name} | {codes} | {cells} |")
    return "\n".join(lines) + "\n"


def names_and_codes(table: str) -> dict[str, str]:
    """Return the first two columns of a table, without its header."""
    rows = [line.split("|") for line in table.splitlines() if line.startswith("|")]
    return {
        row[1].strip(): row[2].replace("`", "").replace("no error", "").strip()
        for row in rows
        if row[1].strip() not in {"fault", "---"}
    }


def page() -> str:
    """Return the document with an updated table."""
    return replaced(DOCUMENT.read_text(encoding="utf-8"), "matrix", render())
