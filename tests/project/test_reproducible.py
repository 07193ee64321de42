"""The wheel, the source distribution and the chart have the same bytes in every build."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import helm_python
import pytest
import yaml

from tests.support.helm import read, render
from tools.chart_archive import archive, main, version
from tools.paths import CHART, ROOT

EPOCH = "1767225600"
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", "exporter")


def copy(folder: Path, age: int) -> Path:
    """Copy what the distributions are made of; its files have another age."""
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(exist_ok=True)
            shutil.copy(source, folder / name)
    for path in sorted(folder.rglob("*")):
        os.utime(path, (age, age))
    return folder


@pytest.mark.parametrize("target", ["wheel", "sdist"])
def test_distributions_have_the_same_bytes_in_every_build(target: str, tmp_path: Path) -> None:
    found = []
    for number, age in enumerate((1_600_000_000, 1_700_000_001)):
        tree = copy(tmp_path / f"tree-{number}", age)
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", tree / "dist"],
            cwd=tree,
            check=True,
            capture_output=True,
            timeout=60,
            env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH},
        )
        found.append([path.read_bytes() for path in (tree / "dist").iterdir()])
    assert len(found[0]) == 1
    assert found[0] == found[1]


def test_the_packed_chart_has_the_same_bytes_in_every_build(tmp_path: Path) -> None:
    found = {archive()}
    for age in (1_600_000_000, 1_700_000_001):
        chart = tmp_path / str(age) / CHART.name
        shutil.copytree(CHART, chart)
        for path in sorted(chart.rglob("*")):
            os.utime(path, (age, age))
            path.chmod(0o700)
        found.add(archive(chart))
    assert len(found) == 1


def test_the_packed_chart_has_the_time_of_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = archive()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    (tmp_path / "chart.tgz").write_bytes(archive())
    with tarfile.open(tmp_path / "chart.tgz") as tar:
        assert {member.mtime for member in tar} == {int(EPOCH)}
    assert (tmp_path / "chart.tgz").read_bytes() != before


def contents(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        files = [(member.name, tar.extractfile(member)) for member in tar if member.isfile()]
        return {name: file.read() for name, file in files if file is not None}


def test_the_packed_chart_has_the_files_of_helm_package(tmp_path: Path) -> None:
    packaged = contents(Path(helm_python.package(CHART, destination=tmp_path / "helm")))
    assert main([str(tmp_path)]) == 0
    own = contents(tmp_path / f"sls-exporter-{version()}.tgz")
    # Helm formats Chart.yaml in its own way.
    name = "sls-exporter/Chart.yaml"
    assert yaml.safe_load(own.pop(name)) == yaml.safe_load(packaged.pop(name))
    assert own == packaged


def test_the_chart_of_a_release_has_its_image_and_its_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = ["--registry=registry.example.com/platform", "--image=exporter"]
    assert main([str(tmp_path), *image, "--repository=https://git.example.com/a/b"]) == 0
    path = Path(capsys.readouterr().out.strip())
    found = render(read(CHART / "ci" / "least-values.yaml"), chart=path)
    name = f"registry.example.com/platform/exporter:{version()}"
    assert found.container()["image"] == name
    with helm_python.Chart.load(path) as chart:
        metadata = chart.metadata
    assert metadata["home"] == "https://git.example.com/a/b"
    assert "sls-exporter.example" not in str(metadata)
    links = yaml.safe_load(metadata["annotations"]["artifacthub.io/links"])
    pages = f"https://git.example.com/a/b/blob/v{version()}/docs"
    assert [link["url"] for link in links] == [f"{pages}/README.md", f"{pages}/runbook.md"]
