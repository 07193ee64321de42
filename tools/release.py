"""Release notes for a tag, if every file that names the version agrees with it.

It prints the section of the changelog. If versions differ, it lists all differences and fails.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.paths import ROOT

# Files that contain the version, and its pattern in them.
PLACES = (
    ("exporter/__init__.py", r'__version__ = "(.*)"'),
    ("helm/sls-exporter/Chart.yaml", r"version: (.*)"),
    ("helm/sls-exporter/Chart.yaml", r"appVersion: (.*)"),
    ("Dockerfile", r"ARG VERSION=(.*)"),
)


def faults(version: str, root: Path) -> list[str]:
    """Return the reasons why a tree cannot be released as a version."""
    found = []
    for name, pattern in PLACES:
        text = (root / name).read_text(encoding="utf-8")
        match = re.search(f"^{pattern}$", text, flags=re.MULTILINE)
        if match is None:
            found.append(f"{name}: no version")
        elif match[1].strip('"') != version:
            found.append(f"{name}: {match[0]}, not {version}")
    if not notes(version, root):
        found.append(f"CHANGELOG.md: nothing under a heading [{version}] with a date")
    return found


def notes(version: str, root: Path) -> str:
    """Return the section of a version in the changelog; empty if it has none with a date."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n"
    match = re.search(rf"{heading}(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    return match[1].strip() if match else ""


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Print the notes for the tag that is the only argument."""
    if len(arguments) != 1 or not re.fullmatch(r"v\d+\.\d+\.\d+", arguments[0]):
        sys.stderr.write("usage: python -m tools.release vX.Y.Z\n")
        return 2
    version = arguments[0].removeprefix("v")
    found = faults(version, root)
    if found:
        sys.stderr.write("".join(f"{fault}\n" for fault in found))
        return 1
    sys.stdout.write(f"{notes(version, root)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
