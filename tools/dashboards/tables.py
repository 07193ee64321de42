"""Tables in the dashboards, with one row for each set of labels."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.builders.common import TableSortByFieldState
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    ValueMapping,
)

from tools.dashboards.limits import Step, thresholds
from tools.dashboards.panels import DATASOURCE, Query, letter, target

OF_SCRAPES = ("container", "endpoint", "job", "namespace", "service")
"""The labels of scrapes that are the same for all replicas, which tables hide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table: a label of that name, or the value of a query."""

    title: str
    label: str = ""
    expr: str = ""
    unit: str = "none"
    steps: Sequence[Step] = ()
    mappings: Sequence[ValueMapping] = ()
    link: str = ""
    """The URL that a click opens."""
    width: int = 0
    """Width in pixels; 0 for the remaining width."""


def rows(
    title: str,
    description: str,
    columns: Sequence[Column],
    *,
    sorted_by: str,
    smallest_first: bool = False,
    nothing: str = "-",
    hidden: Sequence[str] = (),
) -> table.Panel:
    """Return a table with one row for each set of labels, sorted by a column.

    Labels that are neither columns nor hidden are columns behind the others.
    """
    values = [column for column in columns if column.expr]
    fields = {
        column.title: column.label or _value(values.index(column), len(values))
        for column in columns
    }
    order = TableSortByFieldState().display_name(sorted_by).desc(desc=not smallest_first)
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .targets(
            [
                target(Query(column.expr, column.title), ref=place, instant=True, as_table=True)
                for place, column in enumerate(values)
            ]
        )
        .unit("none")
        .no_value(nothing)
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
        .sort_by([order])
        .height(11)
        .span(24)
    )
    for column in columns:
        panel.override_by_name(fields[column.title], list(_properties(column)))
    return panel


def _value(place: int, count: int) -> str:
    """Return the name that Grafana gives to the values of a query in a table."""
    return "Value" if count == 1 else f"Value #{letter(place)}"


def _properties(column: Column) -> list[DynamicConfigValue]:
    properties: dict[str, object] = {"displayName": column.title}
    if column.expr:
        properties["unit"] = column.unit
    if column.mappings:
        properties["mappings"] = list(column.mappings)
    if column.steps:
        properties["thresholds"] = thresholds(column.steps).build()
    if column.mappings or column.steps:
        properties["custom.cellOptions"] = {"type": "color-background", "mode": "basic"}
    if column.link:
        properties["links"] = [{"title": f"Show this {column.title}", "url": column.link}]
    if column.width:
        properties["custom.width"] = column.width
    return [DynamicConfigValue(id_val=name, value=value) for name, value in properties.items()]
