"""Packed chart: ``python -m tools.chart_archive FOLDER``, with the same bytes for the same files.

``helm package`` writes the times of the files into the archive, which differ between checkouts.
The options set what only a release knows: where its image and its repository are.
"""

import argparse
import gzip
import io
import os
import re
import sys
import tarfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from tools.paths import CHART

PLACEHOLDER = "https://sls-exporter.example"
"""The address of the project in files that do not know its repository."""

_YEAR_2020 = 1580601600
"""The time of all files if SOURCE_DATE_EPOCH is not set, as in wheels of hatchling."""


def archive(
    chart: Path = CHART, *, registry: str = "", image: str = "", repository: str = ""
) -> bytes:
    """Return the chart as a gzipped tar archive."""
    buffer = io.BytesIO()
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", _YEAR_2020))
    packed = gzip.GzipFile(fileobj=buffer, mode="wb", filename="", mtime=epoch)
    with packed, tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in _files(chart):
            content = path.read_bytes()
            if path.name == "Chart.yaml" and repository:
                content = _with_repository(content.decode(), repository).encode()
            if path.name == "values.yaml" and path.parent == chart:
                content = _with_image(content.decode(), registry, image).encode()
            # Owners and permissions are the same on every machine.
            entry = tarfile.TarInfo(f"{CHART.name}/{path.relative_to(chart).as_posix()}")
            entry.size, entry.mtime, entry.mode = len(content), epoch, 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def version() -> str:
    """Return the version of the chart."""
    text = (CHART / "Chart.yaml").read_text(encoding="utf-8")
    (found,) = re.findall(r"^version: (.*)$", text, flags=re.MULTILINE)
    return str(found)


def _files(chart: Path) -> Iterator[Path]:
    """Yield the files that .helmignore does not leave out; Chart.yaml is the first."""
    lines = (chart / ".helmignore").read_text(encoding="utf-8").splitlines()
    patterns = [line.rstrip("/") for line in lines if line and not line.startswith("#")]
    yield chart / "Chart.yaml"
    for path in sorted(chart.rglob("*")):
        parts = path.relative_to(chart).parts
        ignored = any(fnmatch(part, pattern) for part in parts for pattern in patterns)
        if path.is_file() and not ignored and parts != ("Chart.yaml",):
            yield path


def _with_repository(text: str, repository: str) -> str:
    pages = f"{repository}/blob/v{version()}/docs/"
    return text.replace(f"{PLACEHOLDER}/docs/", pages).replace(PLACEHOLDER, repository)


def _with_image(text: str, registry: str, image: str) -> str:
    for key, value in (("registry", registry), ("repository", image)):
        before = re.search(rf"^  {key}: .*$", text, flags=re.MULTILINE)
        if before is None:
            raise ValueError(f"values.yaml has no {key} of the image")
        if value:
            text = text.replace(before[0], f"  {key}: {value}", 1)
    return text


def main(arguments: Sequence[str]) -> int:
    """Write the archive into a folder, and print its path."""
    parser = argparse.ArgumentParser(prog="python -m tools.chart_archive", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--registry", default="", help="default registry of the image")
    parser.add_argument("--image", default="", help="default repository of the image")
    parser.add_argument("--repository", default="", help="address of the source repository")
    given = parser.parse_args(arguments)
    content = archive(registry=given.registry, image=given.image, repository=given.repository)
    given.folder.mkdir(parents=True, exist_ok=True)
    path = given.folder / f"{CHART.name}-{version()}.tgz"
    path.write_bytes(content)
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
