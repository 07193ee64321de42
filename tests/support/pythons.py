"""The supported versions of Python, and their locations on the machine."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def interpreter(version: str) -> str:
    """Find a Python: the running one, on PATH, or of pyenv; skip the test if there is none."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    name = f"python{version}"
    of_pyenv = Path.home().glob(f".pyenv/versions/{version}.*/bin/{name}")
    for path in filter(None, [shutil.which(name), *map(str, of_pyenv)]):
        # A shim of pyenv might belong to a version that is not selected.
        if subprocess.run([path, "-c", ""], check=False, capture_output=True).returncode == 0:
            return path
    pytest.skip(f"{name} is not here")
