"""Common parts of the dashboards: variables, links, the layout of panels, the JSON text."""

import json
from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from exporter.metrics.catalogue import GROUP_UP
from exporter.metrics.self_catalogue import BUILD_INFO
from tools.dashboards import queries
from tools.dashboards.limits import RED
from tools.dashboards.panels import DATASOURCE
from tools.dashboards.queries import GROUP, JOB, LOGSTORE, firing

TAG = "sls-exporter"
OVERVIEW_UID, GROUP_UID, EXPORTER_UID = f"{TAG}-overview", f"{TAG}-group", f"{TAG}-exporter"

SCHEMA_VERSION = 38
"""The version of the schema of Grafana 10.0."""

Panel = stat.Panel | statetimeline.Panel | table.Panel | timeseries.Panel
Variable = builders.QueryVariable | builders.DatasourceVariable


def to_group(fields: str) -> str:
    """Return the URL of the dashboard of a group. ``fields`` of a value identify the group."""
    names = ("project", "logstore", "consumer_group")
    chosen = "".join(f"&var-{name}=${{{fields}.{name}}}" for name in names)
    kept = "&".join(f"${{{name}:queryparam}}" for name in ("datasource", "job", "region"))
    url = f"/d/{GROUP_UID}?{kept}"
    return f"{url}{chosen}&${{__url_time_range}}"


def frame(
    uid: str,
    title: str,
    description: str,
    *,
    variables: Sequence[Variable],
    alerts: str,
    rows: Mapping[str, Sequence[Panel]],
) -> Dashboard:
    """Return a dashboard whose panels are in rows of 24 columns under their headings.

    The curves show when the alerts that ``alerts`` selects were firing. Grafana 10 to 12 know the
    version of the schema, which newer ones migrate when they load the dashboard.
    """
    builder = (
        builders.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .readonly()
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .refresh("30s")
        .time("now-6h", "now")
        .variables(list(variables))
        .annotation(
            builders.AnnotationQuery()
            .name("Firing alerts")
            .datasource(DATASOURCE)
            .enable(enable=True)
            .icon_color(RED)
            .expr(firing(alerts))
        )
        .link(
            builders.DashboardLink("SLS consumer groups")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(as_dropdown=False)
            .include_vars(include_vars=True)
            .keep_time(keep_time=True)
        )
    )
    for heading, panels in rows.items():
        builder.with_row(builders.Row(heading))
        for panel in panels:
            builder.with_panel(panel)
    dashboard = builder.build()
    dashboard.schema_version = SCHEMA_VERSION
    for number, built in enumerate(dashboard.panels or [], start=1):
        built.id_val = number
    return dashboard


def to_json(dashboard: Dashboard) -> str:
    """Return a dashboard as JSON that Grafana can import."""
    return json.dumps(dashboard, cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


def datasource() -> builders.DatasourceVariable:
    """Return the choice of a Prometheus data source."""
    return builders.DatasourceVariable("datasource").label("Data source").type("prometheus")


def job() -> builders.QueryVariable:
    """Return the choice of scrape jobs. All means all jobs of exporters only."""
    return several("job", "Job", f"label_values({BUILD_INFO.name}, job)")


def groups(*, one: bool) -> list[Variable]:
    """Return the choice of projects, logstores and consumer groups: one of each, or several.

    The label region exists only if the configuration sets it.
    """
    make = single if one else _any
    of_region = f'{JOB}, region=~"$region"'
    of_project = f'{of_region}, project=~"$project"'
    return [
        _any("region", "Region", f"label_values({GROUP_UP.name}{{{JOB}}}, region)"),
        make("project", "Project", f"label_values({GROUP_UP.name}{{{of_region}}}, project)"),
        make("logstore", "Logstore", f"label_values({GROUP_UP.name}{{{of_project}}}, logstore)"),
        make(
            "consumer_group",
            "Consumer group",
            f"label_values({GROUP_UP.name}{{{LOGSTORE}}}, consumer_group)",
        ),
    ]


def shard() -> builders.QueryVariable:
    """Return the choice of shards, also those without a checkpoint or without a known end."""
    names = "sls_consumer_group_(checkpoint_age_seconds|unread_log_groups)"
    query = f'label_values({{__name__=~"{names}", {GROUP}}}, shard)'
    return _any("shard", "Shard", query).sort(VariableSort.NUMERICAL_ASC)


def window(selected: str) -> builders.QueryVariable:
    """Return the range, in seconds, of queries on counters that change once per poll."""
    query = queries.window(selected)
    return (
        single("window", "Range of rates", query)
        .query({"qryType": 3, "query": query, "refId": "Variable-window"})
        .regex(r"/} (\d+)/")
        .current(VariableOption(text="300", value="300"))
        .hide(VariableHide.HIDE_VARIABLE)
    )


def single(name: str, label: str, query: str) -> builders.QueryVariable:
    """Return the choice of one value."""
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query({"qryType": 1, "query": query, "refId": f"Variable-{name}"})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def several(name: str, label: str, query: str) -> builders.QueryVariable:
    """Return the choice of several values, or all."""
    return (
        single(name, label, query)
        .multi(multi=True)
        .include_all(include_all=True)
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )


def _any(name: str, label: str, query: str) -> builders.QueryVariable:
    """Return the choice of several values, where all may be a short expression for any."""
    return several(name, label, query).all_value(".*")
