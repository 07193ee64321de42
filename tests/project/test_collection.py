"""The directories of tests that a plain call of pytest collects."""

import tomllib

from tests.conftest import LONGEST, rank
from tools.paths import ROOT

ON_REQUEST = {"tests/conformance"}


def test_every_directory_with_tests_is_collected_or_run_on_request() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(project["tool"]["pytest"]["ini_options"]["testpaths"])
    folder = ROOT / "tests"
    files = folder.rglob("test_*.py")
    found = {f"tests/{path.relative_to(folder).parts[0]}" for path in files}
    assert found - ON_REQUEST == listed
    assert found >= ON_REQUEST


def test_continuous_integration_runs_the_tests_on_request_after_the_others() -> None:
    commands = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert commands.index("make test") < commands.index("make conformance")


def test_longest_tests_exist_and_begin_first() -> None:
    assert [name for name in LONGEST if not (ROOT / name).exists()] == []
    names = ["tests/unit/base/test_text.py::test_a", *(f"{name}::test_b" for name in LONGEST)]
    assert sorted(names, key=rank) == [*names[1:], names[0]]
