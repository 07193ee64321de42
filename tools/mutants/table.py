"""The result of mutation testing, as docs/testing.md shows it."""

from collections.abc import Mapping
from dataclasses import dataclass

from tools.marks import replaced
from tools.mutants.subjects import HARMLESS, SUBJECTS
from tools.paths import ROOT

PAGE = ROOT / "docs" / "testing.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """The numbers of tested and surviving mutants of a module."""

    tried: int
    overlooked: int


def update(counts: Mapping[str, Count]) -> None:
    """Update both tables."""
    PAGE.write_text(replaced(page(), "faults", counted(counts)), encoding="utf-8")


def page() -> str:
    """Return the page with an updated table of the equivalent mutants."""
    return replaced(PAGE.read_text(encoding="utf-8"), "harmless", explained())


def counted(counts: Mapping[str, Count]) -> str:
    """Return a table of how many mutants the tests of each module killed."""
    lines = ["| module | tests | mutants | killed | equivalent |", "|---|---|---:|---:|---:|"]
    for module, count in counts.items():
        tests = ", ".join(f"`{name}.py`" for name in SUBJECTS[module])
        noticed = count.tried - count.overlooked
        lines.append(f"| `{module}` | {tests} | {count.tried} | {noticed} | {count.overlooked} |")
    return "\n".join(lines) + "\n"


def explained() -> str:
    """Return a table of why each surviving mutant is equivalent to the original."""
    lines = ["| module | in | mutant | reason |", "|---|---|---|---|"]
    for module, reasons in HARMLESS.items():
        for name, reason in reasons.items():
            place, _, change = name.partition(": ")
            shown = change.replace("|", r"\|")
            lines.append(f"| `{module}` | `{place}` | `{shown}` | {reason} |")
    return "\n".join(lines) + "\n"
