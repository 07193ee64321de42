"""The Grafana dashboards as code, the source of the JSON files in the Helm chart.

``python -m tools.dashboards`` writes these files.
"""

from tools.dashboards import exporter_itself, group, overview
from tools.dashboards.frame import to_json
from tools.paths import ROOT

FOLDER = ROOT / "helm" / "sls-exporter" / "dashboards"


def build() -> dict[str, str]:
    """Return the dashboards: file name to JSON text."""
    return {
        "overview.json": to_json(overview.dashboard()),
        "group.json": to_json(group.dashboard()),
        "exporter.json": to_json(exporter_itself.dashboard()),
    }
