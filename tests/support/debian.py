"""Programs from Debian that tests need: found on PATH, or a failure that names the package."""

import shutil

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


def program(name: str) -> str:
    """Return the path of a program; if it is missing, fail the test and name the package."""
    path = shutil.which(name)
    assert path is not None, f"{name} is not installed: apt-get install -y {PACKAGES[name]}"
    return path
