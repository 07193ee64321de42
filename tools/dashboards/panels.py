"""The types of panels in the dashboards, each with one style."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
    ValueMapping,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

from tools.dashboards.limits import Step, state_mappings, thresholds

POINTS = 500
"""The maximum number of points of a curve, which limits what a query reads."""

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel, with the name of its series."""

    expr: str
    legend: str


def number(
    title: str,
    description: str,
    expr: str,
    *,
    unit: str,
    steps: Sequence[Step] = (),
    nothing: str = "-",
    mappings: Sequence[ValueMapping] = (),
    decimals: int | None = None,
) -> stat.Panel:
    """Return one large number: the current value, not the last one that was recorded."""
    panel = (
        _stat(title, description, Query(expr, title))
        .unit(unit)
        .no_value(nothing)
        .thresholds(thresholds(steps))
        .mappings(list(mappings))
    )
    if steps or mappings:
        panel.color_mode(common.BigValueColorMode.BACKGROUND)
    return panel if decimals is None else panel.decimals(decimals)


def label_value(title: str, description: str, query: Query) -> stat.Panel:
    """Return a panel with the value of a label of each series, as text."""
    panel = _stat(title, description, query).unit("none").no_value("-")
    return panel.text_mode(common.BigValueTextMode.NAME)


def _stat(title: str, description: str, query: Query) -> stat.Panel:
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(target(query, ref=0, instant=True))
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.NONE)
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
        .targets([target(query, ref=place) for place, query in enumerate(queries)])
        .max_data_points(POINTS)
        .unit(unit)
        .thresholds(thresholds(steps))
        .color_scheme(builders.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
        .line_width(1)
        .fill_opacity(60 if stacked else 5)
        .show_points(common.VisibilityMode.NEVER)
        .legend(
            _legend().display_mode(common.LegendDisplayMode.TABLE).calcs(["lastNotNull", "max"])
        )
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
        .with_target(target(query, ref=0))
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


def target(
    query: Query, *, ref: int, instant: bool = False, as_table: bool = False
) -> prometheus.Dataquery:
    """Return a query in the form that Grafana uses, of all times or of now only."""
    found = (
        prometheus.Dataquery()
        .datasource(DATASOURCE)
        .editor_mode(QueryEditorMode.CODE)
        .expr(query.expr)
        .legend_format(query.legend)
        .ref_id(letter(ref))
        .format(PromQueryFormat.TABLE if as_table else PromQueryFormat.TIME_SERIES)
    )
    return found.instant() if instant else found.range()


def letter(place: int) -> str:
    """Return the name of a query by its place in the panel."""
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
