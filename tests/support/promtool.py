"""Runs of the command-line tools of Prometheus and Alertmanager on files."""

import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGES = {"promtool": "prometheus", "amtool": "prometheus-alertmanager"}


def find(tool: str | Path) -> str:
    """Return the tool's path; fail the test if it is not installed, also outside of CI.

    A path to a tool is returned as it is.
    """
    path = shutil.which(tool)
    if path is None:
        pytest.fail(
            f"{tool} is not on PATH; on Debian: apt-get install {PACKAGES[str(tool)]}",
            pytrace=False,
        )
    return path


def run(tool: str | Path, *arguments: str | Path) -> str:
    """Return the output of the tool; fail the test with the output if the tool fails."""
    done = subprocess.run(
        [find(tool), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    printed = done.stdout + done.stderr
    if done.returncode:
        pytest.fail(f"{tool} {arguments[0]}: exit status {done.returncode}\n{printed}")
    return printed
