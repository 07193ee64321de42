"""The result of mutation testing, as docs/testing.md shows it."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.mutants.subjects import HARMLESS, SUBJECTS
from tests.support.docs import replaced
from tools.paths import ROOT

PAGE = ROOT / "docs" / "testing.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """The numbers of tested and surviving mutants of a module."""

    tried: int
    overlooked: int


def update(counts: Mapping[str, Count]) -> None:
    """Update the tables."""
    text = PAGE.read_text(encoding="utf-8")
    text = replaced(text, "faults", counted(counts))
    PAGE.write_text(replaced(text, "harmless", explained()), encoding="utf-8")


def counted(counts: Mapping[str, Count]) -> str:
    """Return a table of how many mutants the tests of each module killed."""
    lines = ["| module | tests | faults | noticed | harmless |", "|---|---|---:|---:|---:|"]
    for module, count in counts.items():
        tests = ", ".join(f"`{name}.py`" for name in SUBJECTS[module])
        noticed = count.tried - count.overlooked
        lines.append(f"| `{module}` | {tests} | {count.tried} | {noticed} | {count.overlooked} |")
    return "\n".join(lines) + "\n"


def explained() -> str:
    """Return a table of why each surviving mutant is equivalent to the original."""
    lines = ["| module | in | fault | why it is none |", "|---|---|---|---|"]
    for module, reasons in HARMLESS.items():
        for name, reason in reasons.items():
            place, _, change = name.partition(": ")
            shown = change.replace("|", r"\|")
            lines.append(f"| `{module}` | `{place}` | `{shown}` | {reason} |")
    return "\n".join(lines) + "\n"
