"""A tag is released only if every file that names the version agrees with it."""

import shutil
from pathlib import Path

import pytest

import exporter
from tools.paths import ROOT
from tools.release import PLACES, faults, main, notes

CHANGELOG = """\
# Changelog

## [Unreleased]

- Something new.

## [1.2.3] - 2026-02-01

### Added

- A thing.

## [1.2.2] - 2026-01-01

- Another thing.
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a tree whose files all have version 1.2.3."""
    for name in {name for name, _ in PLACES}:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        text = (ROOT / name).read_text(encoding="utf-8")
        target.write_text(text.replace("0.1.0", "1.2.3"), encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
    return tmp_path


def test_the_notes_are_the_section_of_the_version(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["v1.2.3"], tree) == 0
    assert capsys.readouterr().out == "### Added\n\n- A thing.\n"


def test_the_oldest_section_ends_with_the_file(tree: Path) -> None:
    assert notes("1.2.2", tree) == "- Another thing."


def test_every_file_that_says_another_version_is_listed(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["v1.2.2"], tree) == 1
    assert capsys.readouterr().err.splitlines() == [
        'exporter/__init__.py: __version__ = "1.2.3", not 1.2.2',
        "helm/sls-exporter/Chart.yaml: version: 1.2.3, not 1.2.2",
        "helm/sls-exporter/Chart.yaml: appVersion: 1.2.3, not 1.2.2",
        "Dockerfile: ARG VERSION=1.2.3, not 1.2.2",
    ]


def test_version_without_its_own_changelog_section_is_not_released(tree: Path) -> None:
    text = CHANGELOG.replace("## [1.2.3] - 2026-02-01\n", "")
    (tree / "CHANGELOG.md").write_text(text, encoding="utf-8")
    assert faults("1.2.3", tree) == ["CHANGELOG.md: nothing under a heading [1.2.3] with a date"]


def test_file_without_a_version_is_listed(tree: Path) -> None:
    shutil.copy(tree / "CHANGELOG.md", tree / "Dockerfile")
    assert faults("1.2.3", tree) == ["Dockerfile: no version"]


@pytest.mark.parametrize("arguments", [[], ["1.2.3"], ["v1.2"], ["v1.2.3", "v1.2.3"]])
def test_anything_but_one_tag_is_wrong_usage(tree: Path, arguments: list[str]) -> None:
    assert main(arguments, tree) == 2


def test_the_files_of_this_tree_agree_with_each_other() -> None:
    found = faults(exporter.__version__, ROOT)
    assert [fault for fault in found if not fault.startswith("CHANGELOG.md")] == []
