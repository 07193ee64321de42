"""The rules of Grafana's dashboard-linter, and those that all panels of the project keep."""

import re

import pytest
import yaml

from tests.support.dashboards import DASHBOARDS, Asked, panels, queries, variables
from tools.paths import ROOT

EXCEPTIONS = yaml.safe_load((ROOT / "tools" / "dashboards" / "lint.yaml").read_text())["exclusions"]
OF_THE_ALERT = {"Failed API requests", "Failed requests by project"}
"""Panels with the range of SLSExporterAPIErrors."""

each_dashboard = pytest.mark.parametrize("name", DASHBOARDS)
each_query = pytest.mark.parametrize("asked", queries(), ids=str)


def test_exceptions_name_dashboards_and_panels_that_exist_and_a_reason() -> None:
    titles = {each["title"]: name for name, each in DASHBOARDS.items()}
    for rule in EXCEPTIONS.values():
        assert rule["reason"].endswith(".")
        for entry in rule.get("entries", []):
            name = titles[entry["dashboard"]]
            assert entry.get("panel", "") in {"", *(panel["title"] for panel in panels(name))}


def is_excepted(rule: str, asked: Asked) -> bool:
    title = DASHBOARDS[asked.dashboard]["title"]
    return any(
        entry["dashboard"] == title and entry.get("panel", asked.panel) == asked.panel
        for entry in EXCEPTIONS[rule]["entries"]
    )


@each_query
@pytest.mark.parametrize("label", ["job", "instance"])
def test_each_selector_has_the_matcher_of_the_variable(asked: Asked, label: str) -> None:
    if is_excepted(f"target-{label}-rule", asked):
        return
    selectors = re.findall(r"[a-z]\w*\{([^}]*)\}", asked.expr.replace("${window}", "$window"))
    assert selectors
    assert all(f'{label}=~"${label}"' in each for each in selectors)


@each_query
def test_range_is_five_intervals_for_polls_and_that_of_the_scrape_for_the_process(
    asked: Asked,
) -> None:
    for metric, found in re.findall(r"(\w+)\{[^}]*\}\[(.+?)\]", asked.expr):
        if metric.startswith("process_"):
            assert found == "$__rate_interval"
        else:
            assert found == ("15m" if asked.panel in OF_THE_ALERT else "${window}s")


@each_dashboard
def test_dashboard_is_read_only_and_its_variables_follow_the_time_range(name: str) -> None:
    assert DASHBOARDS[name]["editable"] is False
    for entry in variables(name).values():
        assert entry["type"] == "datasource" or entry["refresh"] == 2


@each_dashboard
def test_legends_of_curves_are_tables_with_the_last_and_the_largest_value(name: str) -> None:
    found = [panel for panel in panels(name) if panel["type"] == "timeseries"]
    assert found
    for panel in found:
        legend = panel["options"]["legend"]
        assert (legend["displayMode"], legend["calcs"]) == ("table", ["lastNotNull", "max"])


@each_dashboard
def test_curves_show_when_alerts_were_firing(name: str) -> None:
    (found,) = DASHBOARDS[name]["annotations"]["list"]
    assert found["enable"] is True
    assert re.fullmatch(r"ALERTS\{.+, alertstate=\"firing\"\}", found["expr"])
    assert set(re.findall(r"\$(\w+)", found["expr"])) <= variables(name).keys()


@each_dashboard
def test_columns_of_tables_have_the_names_of_the_fields_that_grafana_makes(name: str) -> None:
    for panel in panels(name):
        if panel["type"] != "table":
            continue
        refs = [target["refId"] for target in panel["targets"]]
        # Grafana names the values of the only query of a table without its letter.
        values = ["Value"] if len(refs) == 1 else [f"Value #{ref}" for ref in refs]
        named = {each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]}
        assert {each for each in named if each.startswith("Value")} == set(values), panel["title"]
