"""Short fuzzing of every target: all cases of the corpus, and a few random cases.

``python -m tests.fuzz TARGET`` runs longer, and finds more if atheris is installed.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.engines import by_chance, by_chance_for
from tests.fuzz.targets import CORPUS, TARGETS, seeds

EXAMPLES = 60
CASES = sorted(path for path in CORPUS.glob("*/*"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_case_of_the_corpus_passes(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_random_cases_pass(name: str) -> None:
    by_chance(TARGETS[name], seeds(name), examples=EXAMPLES)


def test_every_target_has_a_corpus_of_small_cases() -> None:
    assert {path.parent.name for path in CASES} == TARGETS.keys()
    assert max(path.stat().st_size for path in CASES) <= 4096


def test_a_failure_is_raised_and_its_smallest_case_is_kept(tmp_path: Path) -> None:
    def target(case: bytes) -> None:
        if case.count(b"!") >= 2:
            raise ValueError("two of them")

    (tmp_path / "known").write_bytes(b"some words!")
    with pytest.raises(ValueError, match="two of them"):
        by_chance_for(target, tmp_path, 60)
    (kept,) = tmp_path.glob("crash-*")
    assert kept.read_bytes() == b"!!"


def test_a_run_without_a_failure_ends_in_time_and_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "known").write_bytes(b"a")
    assert by_chance_for(lambda _: None, tmp_path, 0.1) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["known"]


def test_the_command_prints_the_number_of_passed_cases() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "checkpoints", "--seconds=1"]
    ran = subprocess.run(
        [*command, "--engine=hypothesis"], capture_output=True, text=True, timeout=100, check=True
    )
    assert ran.stdout.startswith("checkpoints: ")
    assert ran.stdout.endswith(" cases, no failure\n")
