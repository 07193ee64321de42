"""The modules that the pure packages load, in a fresh process."""

import subprocess
import sys

import pytest

_HEAVY = ("requests", "urllib3", "uvicorn", "apscheduler", "starlette", "pydantic")


@pytest.mark.parametrize(
    "module", ["exporter.evaluation.causes", "exporter.evaluation.rates", "exporter.model.snapshot"]
)
def test_pure_package_loads_no_library_for_io(module: str) -> None:
    script = f"import sys, {module}; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "msgspec" in loaded
    assert not loaded & set(_HEAVY)
