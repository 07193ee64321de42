"""Programs of other projects, built from the Go modules in the folders next to this file."""

import json
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.conformance.libraries import FOLDER, built, run, tool

_VICTORIA_METRICS: Final = "github.com/VictoriaMetrics/VictoriaMetrics"
PROGRAMS: Final[Mapping[str, tuple[str, str]]] = {
    "prometheus": ("prometheus", "github.com/prometheus/prometheus/cmd/prometheus"),
    "promtool": ("prometheus", "github.com/prometheus/prometheus/cmd/promtool"),
    "alertmanager": ("alertmanager", "github.com/prometheus/alertmanager/cmd/alertmanager"),
    "amtool": ("alertmanager", "github.com/prometheus/alertmanager/cmd/amtool"),
    "toolkit": ("toolkit", "."),
    "helm3": ("helm", "helm.sh/helm/v3/cmd/helm"),
    "helm4": ("helm", "helm.sh/helm/v4/cmd/helm"),
    "victoria-metrics": ("victoriametrics", f"{_VICTORIA_METRICS}/app/victoria-metrics"),
    "vmalert": ("victoriametrics", f"{_VICTORIA_METRICS}/app/vmalert"),
    "vmalert-tool": ("victoriametrics", f"{_VICTORIA_METRICS}/app/vmalert-tool"),
}
"""The folder of the Go module and the package of each program."""
_TAGS: Final = "remove_all_sd"
"""Leaves the service discoveries of clouds out of Prometheus, and most of its build time."""


@cache
def go_program(name: str) -> Path:
    """Build a program if necessary, and return its path."""
    go = tool("go", package="golang-go")
    directory, package = PROGRAMS[name]
    module = FOLDER / directory

    def build(folder: Path) -> None:
        flags = ["-buildvcs=false", f"-tags={_TAGS}"]
        with TemporaryDirectory() as temporary:
            if name == "alertmanager":
                modfile = _with_user_interface(go, module, Path(temporary))
                flags.append(f"-modfile={modfile}")
            run(go, "build", *flags, f"-o={folder / name}", package, folder=module)

    return built(name, [Path(__file__), *module.iterdir()], build) / name


def _with_user_interface(go: str, module: Path, folder: Path) -> Path:
    """Add an empty user interface to the source of Alertmanager, and return a go.mod with it.

    The module of Alertmanager lacks the files of its user interface, which it cannot do without.
    """
    path = "github.com/prometheus/alertmanager"
    source = folder / "source"
    found = json.loads(run(go, "mod", "download", "-json", path, folder=module))
    # The files of a module are read-only.
    shutil.copytree(found["Dir"], source, copy_function=shutil.copyfile)
    for each in (source, *source.rglob("*/")):
        each.chmod(0o755)
    (source / "ui" / "app" / "dist").mkdir()
    (source / "ui" / "app" / "dist" / "index.html").touch()
    shutil.copy(module / "go.sum", folder)
    modfile = folder / "go.mod"
    modfile.write_text(f"{(module / 'go.mod').read_text()}replace {path} => {source}\n")
    return modfile
