"""The check for the toolchains that ``make conformance`` needs."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.docs import read
from tools.paths import ROOT

PROGRAMS = re.findall(r'^  "(\w+):', read(".ci/toolchains"), flags=re.MULTILINE)


def check(folder: Path, programs: list[str]) -> tuple[int, str]:
    """Run the check with only some programs on PATH."""
    for program in programs:
        (folder / program).touch(mode=0o755)
    done = subprocess.run(
        ["/bin/bash", ROOT / ".ci" / "toolchains"],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def test_check_succeeds_silently_if_every_program_is_on_path(tmp_path: Path) -> None:
    assert PROGRAMS == ["go", "javac", "mvn", "node", "npm"]
    assert check(tmp_path, PROGRAMS) == (0, "")


@pytest.mark.parametrize("missing", PROGRAMS)
def test_check_fails_with_the_name_of_a_missing_program(missing: str, tmp_path: Path) -> None:
    status, error = check(tmp_path, [program for program in PROGRAMS if program != missing])
    assert status == 1
    assert re.findall(r"\((\w+)\)", error) == [missing]


def test_check_names_all_missing_programs_in_one_sentence(tmp_path: Path) -> None:
    _, error = check(tmp_path, [])
    assert error == (
        "make conformance needs programs that are not on PATH: "
        "Go (go), a JDK (javac), Maven (mvn), Node.js (node), npm (npm).\n"
    )


def test_only_conformance_needs_the_toolchains() -> None:
    needing = [
        line for line in read("Makefile").splitlines() if re.search(r":.* toolchains\b", line)
    ]
    assert [line.partition(":")[0] for line in needing if "PHONY" not in line] == ["conformance"]
