"""The distribution: contents and metadata of the wheel, and the tools that make and check it."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

import exporter
from tests.support.debian import PACKAGES
from tools.paths import CHINESE_RULES, ROOT, RULES

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    (path,) = folder.iterdir()
    assert path.name == f"sls_exporter-{exporter.__version__}-py3-none-any.whl"
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    name = f"sls_exporter-{exporter.__version__}.dist-info/METADATA"
    return message_from_string(wheel.read(name).decode())


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    in_tree = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "exporter").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    in_wheel = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert in_wheel == in_tree
    rules = {f"exporter/rules/{path.name}" for path in (RULES, CHINESE_RULES)}
    assert {"exporter/py.typed", *rules} <= in_wheel


def test_wheel_contains_the_command_and_the_license(wheel: zipfile.ZipFile) -> None:
    folder = f"sls_exporter-{exporter.__version__}.dist-info"
    entry_points = wheel.read(f"{folder}/entry_points.txt").decode()
    assert "sls-exporter = exporter.__main__:main" in entry_points
    assert b"Apache License" in wheel.read(f"{folder}/licenses/LICENSE")


def test_wheel_has_the_metadata_of_the_project(metadata: Message) -> None:
    assert metadata["Name"] == "sls-exporter"
    assert metadata["Version"] == exporter.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert str(metadata.get_payload()).startswith("# sls-exporter\n")


def test_every_dependency_is_bounded_above() -> None:
    # The newest authorities are always required, and the versions of that package are dates.
    names = [name for name in PROJECT["dependencies"] if not name.startswith("certifi")]
    assert [name for name in names if "<" not in name] == []


def imports(path: Path) -> set[str]:
    """Return the packages that a module imports."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def test_every_imported_package_is_a_declared_dependency() -> None:
    imported = {name for path in (ROOT / "exporter").rglob("*.py") for name in imports(path)}
    declared = {re.split("[<>=]", name)[0] for name in PROJECT["dependencies"]}
    declared = declared - {"pyyaml", "google-re2"} | {"yaml", "re2", "pydantic_core", "exporter"}
    # mypy brings _typeshed; nothing imports it at run time.
    assert imported - sys.stdlib_module_names - {"_typeshed"} == declared


def test_the_changelog_has_a_place_for_what_is_not_released() -> None:
    headings = re.findall(
        r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert headings[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", each) for each in headings[1:])


def tools(path: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run .ci/tools with only the programs of a directory on PATH."""
    return subprocess.run(
        ["/bin/bash", ROOT / ".ci" / "tools"],
        capture_output=True,
        text=True,
        env={"PATH": str(path), **environ},
        timeout=30,
        check=False,
    )


def pretend(folder: Path, *programs: str) -> None:
    for name in programs:
        (folder / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (folder / name).chmod(0o755)


def test_every_tool_that_tests_ask_for_is_looked_for(tmp_path: Path) -> None:
    done = tools(tmp_path)
    for tool, package in PACKAGES.items():
        assert f"{tool} is missing: on Debian, apt-get install {package}\n" in done.stderr
    assert done.returncode == 0


def test_a_missing_tool_is_a_failure_where_ci_is_set(tmp_path: Path) -> None:
    assert tools(tmp_path, CI="true").returncode == 1


def test_tool_check_prints_nothing_if_no_tool_is_missing(tmp_path: Path) -> None:
    pretend(tmp_path, *PACKAGES)
    done = tools(tmp_path, CI="true")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_scripts_are_executable() -> None:
    scripts = [path for path in (ROOT / ".ci").iterdir() if path.suffix != ".txt"]
    assert scripts
    assert all(os.access(path, os.X_OK) for path in scripts)
