"""The types of panels in the dashboards, each with one style."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

from tools.dashboards.limits import Step, state_mappings, thresholds

OF_SCRAPES = ("container", "endpoint", "job", "namespace", "service")
"""The labels of scrapes that are the same for all replicas, which tables hide."""

POINTS = 500
"""The maximum number of points of a curve, which limits what a query reads."""

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel, with the name of its series."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table: a label of that name, or the value of a query."""

    title: str
    label: str = ""
    expr: str = ""
    unit: str = "none"
    steps: Sequence[Step] = ()
    states: bool = False
    """Whether the value is the rank of a state."""
    link: str = ""
    """The URL that a click opens."""
    width: int = 0
    """Width in pixels; 0 for the remaining width."""


def number(
    title: str,
    description: str,
    expr: str,
    *,
    unit: str,
    steps: Sequence[Step] = (),
    nothing: str = "-",
    states: bool = False,
    decimals: int | None = None,
) -> stat.Panel:
    """Return one large number: the current value, not the last one that was recorded."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(_target(Query(expr, title), ref=0, instant=True))
        .unit(unit)
        .no_value(nothing)
        .thresholds(thresholds(steps))
        .mappings(state_mappings() if states else [])
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(
            common.BigValueColorMode.BACKGROUND
            if steps or states
            else common.BigValueColorMode.NONE
        )
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .height(4)
        .span(4)
    )
    return panel if decimals is None else panel.decimals(decimals)


def label_value(title: str, description: str, query: Query) -> stat.Panel:
    """Return a panel with the value of a label of each series, as text."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(_target(query, ref=0, instant=True))
        .unit("none")
        .no_value("-")
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.NONE)
        .text_mode(common.BigValueTextMode.NAME)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .height(4)
        .span(4)
    )


def curves(
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    unit: str,
    steps: Sequence[Step] = (),
    lowest: float | None = 0,
    stacked: bool = False,
    colours: Mapping[str, str] | None = None,
    link: tuple[str, str] | None = None,
) -> timeseries.Panel:
    """Return values over time. Steps are dashed lines, and series have colors by name."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .targets([_target(query, ref=place) for place, query in enumerate(queries)])
        .max_data_points(POINTS)
        .unit(unit)
        .thresholds(thresholds(steps))
        .color_scheme(builders.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
        .line_width(1)
        .fill_opacity(60 if stacked else 5)
        .show_points(common.VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(_tooltip())
        .height(9)
        .span(12)
    )
    if lowest is not None:
        panel.min(lowest)
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    if steps:
        style = common_builders.GraphThresholdsStyleConfig()
        panel.thresholds_style(style.mode(common.GraphThresholdsStyleMode.DASHED))
    if link:
        panel.data_links([builders.DashboardLink(link[0]).url(link[1])])
    for name, colour in (colours or {}).items():
        panel.override_by_name(name, [_fixed(colour)])
    return panel


def timeline(
    title: str,
    description: str,
    query: Query,
    *,
    unit: str,
    steps: Sequence[Step] = (),
    states: bool = False,
    link: tuple[str, str] | None = None,
    width: int = 24,
) -> statetimeline.Panel:
    """Return a colored bar for each series."""
    # With thresholds, Grafana would merge all values between two steps and lose state names.
    mode = FieldColorModeId.PALETTE_CLASSIC if states else FieldColorModeId.THRESHOLDS
    panel = (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(_target(query, ref=0))
        .max_data_points(POINTS)
        .unit(unit)
        .thresholds(thresholds(steps))
        .color_scheme(builders.FieldColor().mode(mode))
        .mappings(state_mappings() if states else [])
        .show_value(common.VisibilityMode.NEVER)
        .row_height(0.8)
        .merge_values(merge_values=True)
        .legend(_legend())
        .tooltip(_tooltip())
        .height(9)
        .span(width)
    )
    if link:
        panel.data_links([builders.DashboardLink(link[0]).url(link[1])])
    return panel


def rows(
    title: str,
    description: str,
    columns: Sequence[Column],
    *,
    sorted_by: str,
    hidden: Sequence[str] = (),
) -> table.Panel:
    """Return a table with one row for each set of labels, the largest first.

    Labels that are neither columns nor hidden are columns behind the others.
    """
    values = [column for column in columns if column.expr]
    fields = {
        column.title: column.label or f"Value #{_letter(values.index(column))}"
        for column in columns
    }
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .targets(
            [
                _target(Query(column.expr, column.title), ref=place, instant=True, as_table=True)
                for place, column in enumerate(values)
            ]
        )
        .unit("none")
        .no_value("-")
        .with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": dict.fromkeys(("Time", *OF_SCRAPES, *hidden), True),
                    "indexByName": {name: place for place, name in enumerate(fields.values())},
                },
            )
        )
        .sort_by([common_builders.TableSortByFieldState().display_name(sorted_by).desc(desc=True)])
        .height(11)
        .span(24)
    )
    for column in columns:
        panel.override_by_name(fields[column.title], list(_properties(column)))
    return panel


def _properties(column: Column) -> list[DynamicConfigValue]:
    properties: dict[str, object] = {"displayName": column.title}
    if column.expr:
        properties["unit"] = column.unit
    if column.states:
        properties["mappings"] = state_mappings()
    if column.steps:
        properties["thresholds"] = thresholds(column.steps).build()
    if column.states or column.steps:
        properties["custom.cellOptions"] = {"type": "color-background", "mode": "basic"}
    if column.link:
        properties["links"] = [{"title": f"Show this {column.title}", "url": column.link}]
    if column.width:
        properties["custom.width"] = column.width
    return [DynamicConfigValue(id_val=name, value=value) for name, value in properties.items()]


def _target(
    query: Query, *, ref: int, instant: bool = False, as_table: bool = False
) -> prometheus.Dataquery:
    target = (
        prometheus.Dataquery()
        .datasource(DATASOURCE)
        .editor_mode(QueryEditorMode.CODE)
        .expr(query.expr)
        .legend_format(query.legend)
        .ref_id(_letter(ref))
        .format(PromQueryFormat.TABLE if as_table else PromQueryFormat.TIME_SERIES)
    )
    return target.instant() if instant else target.range()


def _letter(place: int) -> str:
    return chr(ord("A") + place)


def _fixed(colour: str) -> DynamicConfigValue:
    return DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": colour})


def _legend() -> common_builders.VizLegendOptions:
    return (
        common_builders.VizLegendOptions()
        .show_legend(show_legend=True)
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
    )


def _tooltip() -> common_builders.VizTooltipOptions:
    return (
        common_builders.VizTooltipOptions()
        .mode(common.TooltipDisplayMode.MULTI)
        .sort(common.SortOrder.DESCENDING)
    )
