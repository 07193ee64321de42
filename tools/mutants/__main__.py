"""``python -m tools.mutants [module …]``: list the mutants that survive the tests of a module.

A run for all modules writes the result into docs/testing.md. The exit status is 1 if a mutant
survived without an explanation in ``subjects``, or if an explanation is out of date.
"""

import ast
import sys
import time
from collections.abc import Collection, Mapping, Sequence

from tools.mutants import table
from tools.mutants.subjects import HARMLESS, SUBJECTS
from tools.mutants.trial import Subject, attempts, passes, warm_up
from tools.paths import ROOT

_SECONDS = 120  # for the tests of one module; a mutant may make them run forever


def main(modules: Sequence[str]) -> int:
    """Test the mutants of the given modules, or of all modules if none is given."""
    unknown = [module for module in modules if module not in SUBJECTS]
    if unknown:
        sys.stderr.write(f"not among {', '.join(SUBJECTS)}: {', '.join(unknown)}\n")
        return 2
    counts = {module: _try(module) for module in modules or SUBJECTS}
    as_explained = {module: count for module, count in counts.items() if count is not None}
    if len(as_explained) < len(counts):
        return 1
    if not modules:
        table.update(as_explained)
    return 0


def complaints(overlooked: Mapping[str, int], explained: Collection[str]) -> list[str]:
    """Return the mutants without an explanation, with lines, and the needless explanations."""
    missing = [
        f"{line}: overlooked: {name}" for name, line in overlooked.items() if name not in explained
    ]
    stale = [name for name in explained if name not in overlooked]
    return [*missing, *(f"explained, but noticed or not there: {name}" for name in stale)]


def _try(module: str) -> table.Count | None:
    """Test every mutant of a module. Return None if the result differs from the explanations."""
    package = module.split(".")[1]
    names = SUBJECTS[module]
    subject = Subject(
        module=module,
        source=ROOT / f"{module.replace('.', '/')}.py",
        tests=tuple(ROOT / "tests" / "unit" / package / f"{name}.py" for name in names),
    )
    began = time.monotonic()
    warm_up(f"tests.unit.{package}.{name}" for name in names)
    if not passes(subject, ast.parse(subject.text()), seconds=_SECONDS):
        _tell(f"{module}: its tests fail without a mutant")
        return None
    tried = 0
    overlooked: dict[str, int] = {}
    for mutant, noticed in attempts(subject, seconds=_SECONDS):
        tried += 1
        if not noticed:
            overlooked[mutant.name] = mutant.line
    wrong = complaints(overlooked, HARMLESS.get(module, {}))
    for each in wrong:
        _tell(f"{module}:{each}")
    seconds = time.monotonic() - began
    _tell(f"{module}: {tried} tried, {len(overlooked)} overlooked, in {seconds:.0f} s")
    return None if wrong else table.Count(tried=tried, overlooked=len(overlooked))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
