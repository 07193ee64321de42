"""The queries of the dashboards, and the results of a Prometheus for them."""

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from tests.support.prometheus import Prometheus
from tools.paths import CHART

DASHBOARDS: dict[str, dict[str, Any]] = {
    path.name: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((CHART / "dashboards").iterdir())
}
DEMO = {
    "__rate_interval": "12s",  # as for a scrape interval of 3 s
    "job": "(sls-exporter)",
    "instance": r"(127\\.0\\.0\\.1:.*|localhost:.*)",
    "project": "demo-shop",
    "logstore": "orders",
    "consumer_group": "stalled",
    "window": "60",
}
"""Values of variables that select a group of the demo; all, for the others."""

Series = tuple[dict[str, str], list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One query of one panel."""

    dashboard: str
    panel: str
    expr: str
    legend: str
    instant: bool
    points: int
    """The maximum number of points per series."""

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel}: {self.expr}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The times of the points of a range query, in Unix seconds."""

    start: float
    end: float
    step: float


def panels(dashboard: str) -> list[dict[str, Any]]:
    """Return the panels of a dashboard, without the headings of rows."""
    return [panel for panel in DASHBOARDS[dashboard]["panels"] if panel["type"] != "row"]


def queries() -> list[Asked]:
    """Return the queries of all panels."""
    return [
        Asked(
            dashboard=name,
            panel=panel["title"],
            expr=target["expr"],
            legend=target["legendFormat"],
            instant=target.get("instant", False),
            points=int(panel.get("maxDataPoints", 0)),
        )
        for name in DASHBOARDS
        for panel in panels(name)
        for target in panel["targets"]
    ]


def variables(dashboard: str) -> dict[str, dict[str, Any]]:
    """Return the variables of a dashboard by name."""
    return {entry["name"]: entry for entry in DASHBOARDS[dashboard]["templating"]["list"]}


def inserted(text: str, dashboard: str, chosen: Mapping[str, str]) -> str:
    """Put values in the place of variables, as Grafana does."""
    all_values = {
        name: entry["allValue"]
        for name, entry in variables(dashboard).items()
        if entry.get("allValue")
    }
    return re.sub(r"\$\{?(\w+)\}?", lambda found: {**chosen, **all_values}[found[1]], text)


def response(
    server: Prometheus,
    asked: Asked,
    *,
    chosen: Mapping[str, str] = DEMO,
    at: float | None = None,
    span: Span | None = None,
) -> dict[str, Any]:
    """Return what Prometheus responds, by default for now or for the last ten seconds."""
    expr = inserted(asked.expr, asked.dashboard, chosen)
    at = time.time() if at is None else at
    span = span or Span(start=at - 10, end=at, step=2)
    when = (
        {"time": at} if asked.instant else {"start": span.start, "end": span.end, "step": span.step}
    )
    kind = "query" if asked.instant else "query_range"
    found: dict[str, Any] = requests.get(
        f"{server.url}/api/v1/{kind}",
        params={"query": expr} | {name: str(value) for name, value in when.items()},
        timeout=10,
    ).json()
    return found


def answer(
    server: Prometheus,
    asked: Asked,
    *,
    chosen: Mapping[str, str] = DEMO,
    at: float | None = None,
) -> list[Series]:
    """Return the series that Grafana would draw, without values that are not numbers."""
    found = response(server, asked, chosen=chosen, at=at)
    assert found["status"] == "success", f"{asked}: {found}"
    drawn = [
        (
            series["metric"],
            [float(value) for _, value in series.get("values", [series.get("value")])],
        )
        for series in found["data"]["result"]
    ]
    return [(labels, values) for labels, values in drawn if not math.isnan(values[-1])]
