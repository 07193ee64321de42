"""The versions of Python that the package names, and where they are on this machine."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PYTHONS = ("3.11", "3.12", "3.13")


def interpreter(version: str) -> str:
    """Find a Python: the one that runs, one on PATH, one of pyenv; without, the test is skipped."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    name = f"python{version}"
    of_pyenv = Path.home().glob(f".pyenv/versions/{version}.*/bin/{name}")
    for path in filter(None, [shutil.which(name), *map(str, of_pyenv)]):
        # A shim of pyenv may stand for a version that is not chosen.
        if subprocess.run([path, "-c", ""], check=False, capture_output=True).returncode == 0:
            return path
    pytest.skip(f"{name} is not here")
