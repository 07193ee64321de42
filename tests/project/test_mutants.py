"""The search for mutants that survive the tests, and the page with its results."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.docs import read
from tools.marks import between
from tools.mutants.__main__ import complaints, main
from tools.mutants.changes import mutants
from tools.mutants.subjects import HARMLESS, SUBJECTS
from tools.paths import ROOT

SEARCH = """
import json
import sys
from pathlib import Path

from tools.mutants.trial import Subject, attempts, warm_up

warm_up([])
tiny = Subject(module="tiny", source=Path("tiny.py"), tests=(Path("test_tiny.py"),))
found = attempts(tiny, seconds=int(sys.argv[1]))
print(json.dumps({mutant.name: noticed for mutant, noticed in found}))
"""


def noticed(directory: Path, module: str, test: str, *, seconds: int = 60) -> dict[str, bool]:
    """Return for each mutant of a synthetic module whether its synthetic test kills it."""
    (directory / "tiny.py").write_text(module, encoding="utf-8")
    (directory / "test_tiny.py").write_text(test, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SEARCH, str(seconds)],
        cwd=directory,
        env={"PYTHONPATH": f"{directory}:{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, bool] = json.loads(done.stdout)
    return found


def names(source: str) -> list[str]:
    return [mutant.name for mutant in mutants(source)]


# The search


def test_mutation_testing_distinguishes_killed_and_surviving_mutants(
    tmp_path: Path,
) -> None:
    found = noticed(
        tmp_path,
        "def late(age: int) -> bool:\n    return age > 3\n",
        "from tiny import late\n\n\ndef test_late():\n    assert late(5) and not late(2)\n",
    )
    assert found == {
        "late: return age > 3 -> return None": True,
        "late: age > 3 -> age >= 3": False,
        "late: age > 3 -> age <= 3": True,
        "late: 3 -> 4": False,
        "late: 3 -> 2": False,
    }


def test_mutant_that_keeps_a_test_from_ending_is_killed(tmp_path: Path) -> None:
    found = noticed(
        tmp_path,
        "def empty(queue: list[int]) -> None:\n    while queue:\n        queue.pop()\n",
        "from tiny import empty\n\n\ndef test_empty():\n    empty([3])\n",
        seconds=2,
    )
    assert found["empty: queue.pop() -> None"]


# The mutants


def test_types_decorators_docstrings_and_imports_are_left_alone() -> None:
    source = """
'''A module.'''
from dataclasses import dataclass
from typing import Literal
Kind = Literal["a", "b"]
Judge = Callable[[Kind], None]
Labels = tuple[tuple[str, str], ...]
@dataclass(frozen=True)
class Value:
    '''A value.'''
    kind: Kind | Literal["c"]
class Record(Struct, frozen=True):
    kind: Kind
"""
    assert names(source) == []


def test_mutants_with_the_same_description_are_numbered() -> None:
    assert names("first = True\nsecond = True\n") == [
        "the module: True -> False",
        "the module: True -> False (2)",
    ]


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ("a and b", ["a or b", "b", "a"]),
        ("not a", ["not not a"]),
        ("a is None", ["a is not None"]),
        ("a < b", ["a <= b", "a >= b"]),
        ("min(a)", ["max(a)"]),
        ("a.strip(b=c)", ["a.strip()"]),
        ("(a, b)", ["(b,)", "(a,)"]),
        ("{a: b}", ["{}"]),
        ("a - b", ["a + b"]),
        ("b if a else c", ["b if True else c", "b if False else c"]),
    ],
)
def test_mutant_is_one_small_change(source: str, faults: list[str]) -> None:
    assert names(source)[1:] == [f"the module: {source} -> {fault}" for fault in faults]


def test_mutant_that_lacks_a_side_of_a_condition_has_only_the_other() -> None:
    found = {mutant.name: ast.unparse(mutant.tree) for mutant in mutants("if a or b and c: d()")}
    assert found["the module: a or (b and c) -> b and c"] == "if b and c:\n    d()"
    assert found["the module: b and c -> c"] == "if a or c:\n    d()"
    for mutant in mutants("if a or b and c: d()"):
        compile(mutant.tree, "a mutant", "exec")


# Explanations


def test_unexplained_mutants_and_outdated_explanations_are_reported() -> None:
    assert complaints({"f: 1 -> 2": 7}, {"f: 1 -> 2": "why"}) == []
    assert complaints({"f: 1 -> 2": 7}, {}) == ["7: overlooked: f: 1 -> 2"]
    assert complaints({}, {"f: 1 -> 2": "why"}) == [
        "explained, but noticed or not there: f: 1 -> 2"
    ]


def test_module_without_mutation_testing_is_rejected(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["exporter.sls.signing", "exporter.nothing"]) == 2
    assert capsys.readouterr().err.endswith(": exporter.nothing\n")


def test_page_lists_tests_and_equivalent_mutants_of_each_module() -> None:
    _, _, *rows = between(read("docs/testing.md"), "faults").splitlines()
    told = [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in rows]
    assert [
        (module, tests.replace("`", ""), harmless) for module, tests, _, _, harmless in told
    ] == [
        (module, ", ".join(f"{name}.py" for name in tests), str(len(HARMLESS.get(module, {}))))
        for module, tests in SUBJECTS.items()
    ]
    for module, _, tried, found, harmless in told:
        assert int(tried) == int(found) + int(harmless), module
