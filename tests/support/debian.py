"""Programs from Debian that tests need: found on PATH, or a failure that names the package."""

import shutil
from pathlib import Path

PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "amtool": "prometheus-alertmanager",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "chromium": "chromium",
    "buildah": "buildah",
    "faketime": "faketime",
    "systemd-analyze": "systemd",
    "victoria-metrics": "victoria-metrics",
    "vmalert": "victoria-metrics",
}


def program(name: str | Path) -> str:
    """Return the path of a program; if it is missing, fail the test and name the package.

    A path to a program is returned as it is.
    """
    path = shutil.which(name)
    assert path is not None, f"{name} is not installed: apt-get install -y {PACKAGES[str(name)]}"
    return path
