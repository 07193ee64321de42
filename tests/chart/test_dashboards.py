"""The dashboards: well formed, and with queries that a real Prometheus can evaluate."""

import functools
import itertools
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from exporter.metrics.catalogue import CATALOGUE
from exporter.simulator.demo_world import DEMO_CREDENTIALS, build_demo_world
from tests.support.daemon import daemon
from tests.support.dashboards import (
    DASHBOARDS,
    DEMO,
    Asked,
    Series,
    answer,
    inserted,
    panels,
    queries,
    variables,
)
from tests.support.faults import ErrorAnswer
from tests.support.faulty_simulator import FaultySimulator
from tests.support.prometheus import Prometheus, prometheus
from tests.support.wait import wait_for
from tools.paths import ROOT, RULES

PAGE = ROOT / "docs" / "dashboards.md"
OF_PROMETHEUS = {"up", "scrape_duration_seconds"}
OF_THE_PROCESS = {
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
}
EMPTY = {"failing exporters", "last success", "caught up in"}
"""Names of queries that are empty while no listing fails and no group catches up.

Other tests have their values: `test_dashboard_shards` and `test_dashboard_fleets`.
"""
METRIC = re.compile(r"\b(?:sls_(?!endpoint\b)|process_|scrape_)\w+\b|\bup\b(?=\{)")
WRITTEN_APART = re.compile(r"_(?:bucket|count|sum)$")

CONFIG = """\
credentials: {{access_key_id: {key_id}, access_key_secret: {key_secret}}}
signature: v4
labels: {{region: cn-shanghai}}
polling: {{interval: 1s, requests_per_second: 1000}}
projects:
  - project: demo-shop
    endpoint: {endpoint}
    region: cn-shanghai
    logstores:
      - {{logstore: ".*", consumer_groups: [".*"]}}
  - project: demo-platform
    endpoint: {endpoint}
    region: cn-shanghai
    logstores:
      - {{logstore: audit, consumer_groups: [expired, steady]}}
"""
PROMETHEUS = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: sls-exporter
    static_configs: [{{targets: ["127.0.0.1:{port}", "localhost:{port}"]}}]
  - job_name: something-else-that-is-down
    static_configs: [{{targets: ["127.0.0.1:1"]}}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A Prometheus that scrapes the demo twice, as if it had two replicas."""

    prometheus: Prometheus
    healthy: Mapping[str, list[Series]]
    """The results of error panels before the first error."""

    def ask(self, asked: Asked) -> list[Series]:
        """Return the series that Grafana would draw of the demo."""
        return answer(self.prometheus, asked)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("dashboards")
    with ExitStack() as stack:
        simulator = FaultySimulator(build_demo_world(time.time), credentials=[DEMO_CREDENTIALS])
        stack.enter_context(simulator)
        config = folder / "config.yaml"
        config.write_text(
            CONFIG.format(
                key_id=DEMO_CREDENTIALS.access_key_id,
                key_secret=DEMO_CREDENTIALS.access_key_secret,
                endpoint=simulator.endpoint,
            )
        )
        exporter = stack.enter_context(
            daemon(f"--config.file={config}", "--web.listen-address=127.0.0.1:0")
        )
        wait_for(lambda: exporter.get("/-/ready").status_code == 200, timeout=30, what="ready")
        port = exporter.url.rpartition(":")[2]
        server = stack.enter_context(prometheus(folder, PROMETHEUS.format(port=port, rules=RULES)))
        both = "count(sls_exporter_build_info) == 2"
        wait_for(lambda: server.query(both), timeout=30, what="both replicas scraped")
        healthy = {
            asked.panel: wait_for(
                functools.partial(answer, server, asked), timeout=30, what=str(asked)
            )
            for asked in queries()
            if asked.panel in {"Failed polls by code", "Throttled requests"}
        }
        simulator.faults.add(
            ErrorAnswer(status=403, code="ReadQuotaExceed", message="too many reads"),
            operation="GetCheckPoint",
            consumer_group="unconsumed",
        )
        yield Stage(prometheus=server, healthy=healthy)


def test_the_uids_and_titles_are_those_that_links_and_people_know() -> None:
    assert {(each["uid"], each["title"]) for each in DASHBOARDS.values()} == {
        ("sls-exporter-overview", "SLS consumer groups: overview"),
        ("sls-exporter-group", "SLS consumer groups: one group"),
        ("sls-exporter-exporter", "SLS consumer groups: the exporter"),
    }


@pytest.mark.parametrize("name", DASHBOARDS)
def test_dashboard_has_the_fields_that_grafana_10_to_12_expect(name: str) -> None:
    dashboard = DASHBOARDS[name]
    # Grafana 10.0 has this version. Newer ones migrate it.
    assert dashboard["schemaVersion"] == 38
    assert dashboard["tags"] == ["sls-exporter"]
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert ids == list(range(1, len(ids) + 1))


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_panel_has_a_title_a_description_and_a_unit(name: str) -> None:
    for panel in panels(name):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
    titles = [panel["title"] for panel in panels(name)]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_two_panels_overlap_and_none_leaves_the_grid(name: str) -> None:
    places = [panel["gridPos"] for panel in DASHBOARDS[name]["panels"]]
    for place in places:
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
        assert place["h"] > 0
    for one, other in itertools.combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, f"{one} and {other}"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_data_source_is_the_variable(name: str) -> None:
    named = list(of_key(DASHBOARDS[name], "datasource"))
    assert len(named) > 20
    assert all(each == {"type": "prometheus", "uid": "${datasource}"} for each in named)
    assert variables(name)["datasource"]["query"] == "prometheus"


def of_key(document: object, key: str) -> Iterator[object]:
    if isinstance(document, dict):
        if key in document:
            yield document[key]
        for value in document.values():
            yield from of_key(value, key)
    elif isinstance(document, list):
        for value in document:
            yield from of_key(value, key)


def test_dashboards_use_only_metrics_of_the_catalog() -> None:
    known = {metric.name for metric in CATALOGUE} | OF_THE_PROCESS | OF_PROMETHEUS
    texts = [asked.expr for asked in queries()]
    used = {
        name if name in known else WRITTEN_APART.sub("", name)
        for text in texts
        for name in METRIC.findall(text)
    }
    assert used <= known
    assert {name for name in known - used if name.startswith("sls_consumer")} == {
        "sls_consumer_group_info",
        # for rules
        "sls_consumer_group_cursor_access",
        "sls_consumer_group_lag_limit_seconds",
        "sls_consumer_group_poll_interval_seconds",
        "sls_consumer_group_stall_after_seconds",
    }


def test_links_lead_to_the_group_by_variables_that_it_has() -> None:
    urls = {str(url) for url in of_key(DASHBOARDS["overview.json"]["panels"], "url")}
    assert len(urls) == 2, "one for a row of the table, one for a series"
    for url in urls:
        path, _, chosen = url.partition("?")
        assert path == "/d/sls-exporter-group"
        named = re.findall(r"var-(\w+)=", chosen) + re.findall(r"\{(\w+):queryparam\}", chosen)
        assert sorted([*named, "shard", "window"]) == sorted(variables("group.json"))
        fields = re.findall(r"var-(\w+)=\$\{__(?:field\.labels|data\.fields)\.(\w+)\}", chosen)
        assert fields == [(name, name) for name in ("project", "logstore", "consumer_group")]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_each_dashboard_links_to_the_others_and_keeps_variables_and_time(name: str) -> None:
    (link,) = DASHBOARDS[name]["links"]
    assert (link["type"], link["tags"]) == ("dashboards", ["sls-exporter"])
    assert (link["includeVars"], link["keepTime"]) == (True, True)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_variable_offers_what_the_demo_has(name: str, stage: Stage) -> None:
    expected = {
        "job": {"sls-exporter"},
        "region": {"cn-shanghai"},
        "project": {"demo-shop"},
        "logstore": {"orders"},
        "consumer_group": {"stalled"},
        "shard": {"0", "1", "2", "3"},
        "window": {"60"},  # at least a minute, as the interval is a second
    }
    offered = {
        variable: values_of(stage.prometheus, entry, name)
        for variable, entry in variables(name).items()
        if entry["type"] == "query"
    }
    assert offered
    for variable, values in offered.items():
        if variable == "instance":
            assert len(values) == 2
        else:
            assert expected[variable] <= values, variable


def values_of(server: Prometheus, entry: Mapping[str, Any], dashboard: str) -> set[str]:
    query = entry["query"]["query"]
    if whole := re.fullmatch(r"query_result\((.+)\)", query):
        # Grafana makes such a text of each series, and the regular expression selects a part.
        texts = [
            f"{series['metric']} {series['value'][1]} 1700000000000"
            for series in server.query(inserted(whole[1], dashboard, DEMO))
        ]
        return {found for text in texts for found in re.findall(entry["regex"][1:-1], text)}
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
    assert found is not None, query
    answered = requests.get(
        f"{server.url}/api/v1/label/{found[2]}/values",
        params={"match[]": inserted(found[1], dashboard, DEMO)},
        timeout=10,
    ).json()
    return set(answered["data"])


def test_every_query_of_every_panel_has_data(stage: Stage) -> None:
    assert len(queries()) > 50
    for asked in queries():
        if asked.legend not in EMPTY:
            wait_for(functools.partial(stage.ask, asked), timeout=30, what=str(asked))


def test_the_labels_in_names_of_series_exist(stage: Stage) -> None:
    for asked in queries():
        if asked.legend in EMPTY:
            continue
        named = set(re.findall(r"\{\{(\w+)\}\}", asked.legend))
        wait_for(functools.partial(has_labels, stage, asked, named), timeout=30, what=str(asked))


def has_labels(stage: Stage, asked: Asked, named: set[str]) -> bool:
    return any(named <= labels.keys() for labels, _ in stage.ask(asked))


def test_a_second_replica_does_not_change_the_values_of_groups(stage: Stage) -> None:
    assert len(stage.prometheus.query("sls_exporter_build_info")) == 2
    about_processes = {("overview.json", "Logstores polled")}
    for asked in queries():
        if asked.dashboard != "exporter.json" and (
            (asked.dashboard, asked.panel) not in about_processes
        ):
            owners = {"consumer"} if asked.panel == "Shards" else set()
            for labels, _ in stage.ask(asked):
                assert {"instance", "pod", "consumer"} & labels.keys() <= owners, str(asked)
    shown = {
        asked.panel: stage.ask(asked)
        for asked in queries()
        if asked.dashboard == "overview.json" and asked.instant
    }
    assert shown["Stalled shards"] == [({}, [1.0])]
    assert shown["Shards that lost data"] == [({}, [2.0])]
    assert shown["Exporters"] == [({}, [2.0])]
    assert shown["Consumer groups"] == [({}, [9.0])]


def test_series_of_other_jobs_are_not_shown(stage: Stage) -> None:
    wait_for(lambda: stage.prometheus.query("count(up == 0) == 1"), what="the other job")
    shown = {
        asked.panel: stage.ask(asked) for asked in queries() if asked.dashboard == "exporter.json"
    }
    assert shown["Failed scrapes"] == [({}, [0.0])]
    assert {labels["job"] for labels, _ in shown["Scrape duration"]} == {"sls-exporter"}


def test_error_panels_show_zero_without_errors_and_otherwise_their_codes(stage: Stage) -> None:
    assert sorted(stage.healthy) == ["Failed polls by code", "Throttled requests"]
    for found in stage.healthy.values():
        ((labels, values),) = found
        assert labels == {"code": "none"}
        assert set(values) == {0.0}
    for asked in queries():
        if asked.panel in stage.healthy:
            wait_for(
                functools.partial(counts, stage, asked, "ReadQuotaExceed"),
                timeout=30,
                what=str(asked),
            )


def counts(stage: Stage, asked: Asked, code: str) -> bool:
    return any(labels["code"] == code and values[-1] > 0 for labels, values in stage.ask(asked))


def test_the_page_describes_every_panel_and_every_variable() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in DASHBOARDS:
        for panel in panels(name):
            assert f"**{panel['title']}**" in page, f"{name}: {panel['title']}"
        for variable in variables(name):
            assert f"`{variable}`" in page, f"{name}: {variable}"
