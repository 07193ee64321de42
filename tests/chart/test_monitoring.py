"""The objects of the chart for Prometheus and Grafana, and the labels of all objects."""

import json
import re
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from tests.support import promtool
from tests.support.helm import (
    DASHBOARDS,
    KUBERNETES,
    Values,
    check,
    feature,
    read,
    render,
    with_dashboards,
)
from tests.support.rules import alerting_rules
from tools.paths import CHART, RULES

LEAST = read(CHART / "ci" / "least-values.yaml")
ADDRESSES = {"runbook_url", "dashboard_url"}


def test_the_rules_are_those_of_the_package(tmp_path: Path) -> None:
    url = "https://wiki.example.com/sls"
    grafana = "https://grafana.example.com/teams/data"
    of_rules = {"enabled": True, "runbookUrl": url, "dashboardUrl": f"{grafana}/"}
    spec = render({**LEAST, "prometheusRule": of_rules}).one("PrometheusRule")["spec"]
    source = RULES.read_text(encoding="utf-8")
    assert spec == yaml.safe_load(
        source.replace("https://sls-exporter.example/docs/runbook.md", url).replace(
            "https://sls-exporter.example/grafana", grafana
        )
    )
    assert "sls-exporter.example" not in json.dumps(spec)
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(dict(spec)), encoding="utf-8")
    assert "SUCCESS" in promtool.run("promtool", "check", "rules", file)


@pytest.mark.parametrize(
    ("value", "annotation"), [("runbookUrl", "runbook_url"), ("dashboardUrl", "dashboard_url")]
)
def test_alerts_have_no_address_if_none_is_set(value: str, annotation: str) -> None:
    alerts = alerts_of({"enabled": True, value: "https://example.com"})
    assert all(
        set(ADDRESSES & rule["annotations"].keys()) == {annotation} for rule in alerts.values()
    )
    for rule in alerts_of({"enabled": True}).values():
        assert set(rule["annotations"]) == {"summary", "description"}
        assert "sls-exporter.example" not in json.dumps(rule)


def alerts_of(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    spec = render({**LEAST, "prometheusRule": values}).one("PrometheusRule")["spec"]
    return alerting_rules(yaml.safe_dump(dict(spec)))


def test_alerts_can_be_left_out_and_get_labels() -> None:
    spec = feature("rules-values.yaml").one("PrometheusRule")["spec"]
    alerts = alerting_rules(yaml.safe_dump(dict(spec)))
    assert "SLSConsumerCheckpointsOld" not in alerts
    assert "SLSConsumerLagGrowing" not in alerts
    assert alerts["SLSConsumerShardStalled"]["labels"] == {"severity": "critical", "team": "data"}


def test_overrides_replace_parts_of_single_alerts() -> None:
    override = {
        "for": "15m",
        "severity": "info",
        "labels": {"team": "billing"},
        "annotations": {"summary": "Slow.", "dashboard": "https://g.example.com"},
    }
    alerts = alerts_of(
        {
            "enabled": True,
            "alertLabels": {"team": "data", "severity": "page"},
            "overrides": {
                "SLSConsumerLagHigh": override,
                "SLSConsumerShardStalled": {"for": "0", "enabled": True},
                "SLSConsumerDataLost": {"enabled": False},
            },
        }
    )
    shipped = alerting_rules(RULES.read_text())
    changed, expected = alerts["SLSConsumerLagHigh"], shipped["SLSConsumerLagHigh"]
    assert changed["for"] == "15m"
    assert changed["labels"] == {"team": "billing", "severity": "info"}
    assert changed["annotations"] == {
        "summary": "Slow.",
        "description": expected["annotations"]["description"],
        "dashboard": "https://g.example.com",
    }
    assert changed["expr"] == expected["expr"]
    assert alerts["SLSConsumerShardStalled"]["for"] == "0"
    assert alerts["SLSConsumerGroupStalled"]["labels"] == {"team": "data", "severity": "page"}
    assert alerts.keys() == shipped.keys() - {"SLSConsumerDataLost"}


def test_additional_rules_are_a_separate_group() -> None:
    groups = feature("rules-values.yaml").one("PrometheusRule")["spec"]["groups"]
    assert groups[-1] == {
        "name": "sls-exporter-additional",
        "rules": [
            {
                "record": "project:sls_consumer_group_shards:sum",
                "expr": "sum by (project, state) (sls_consumer_group_shards)",
            }
        ],
    }


def test_selector_is_in_each_selector_of_the_rules_and_nothing_else_changes() -> None:
    matchers = 'job="test-sls-exporter",namespace="watch"'
    selector = 'job="{{ include "sls-exporter.fullname" . }}",namespace="{{ .Release.Namespace }}"'
    with_selector = alerts_of({"enabled": True, "selector": selector})
    for alert, rule in alerts_of({"enabled": True}).items():
        found = with_selector[alert]["expr"]
        names = re.findall(r"\bsls_(?!endpoint)\w+|\bup\b", rule["expr"])
        assert names
        assert re.findall(rf"(\w+){{{re.escape(matchers)}[,}}]", found) == names
        bare = found.replace(f"{{{matchers}}}", "").replace(f"{{{matchers},", "{")
        assert bare == rule["expr"]


def test_release_with_a_selector_alerts_only_for_its_own_groups(tmp_path: Path) -> None:
    selector = (
        'job="{{ include "sls-exporter.fullname" . }}", namespace=~"{{ .Release.Namespace }}|$"'
    )
    values = {**LEAST, "prometheusRule": {"enabled": True, "selector": selector}}
    (tmp_path / "rules.yaml").write_text(
        yaml.safe_dump(dict(render(values).one("PrometheusRule")["spec"]))
    )
    inputs = []
    for job, namespace in (("test-sls-exporter", "watch"), ("test-sls-exporter", "other")):
        target = f'job="{job}",namespace="{namespace}",instance="a",pod="p"'
        labels = f'project="p",logstore="l",consumer_group="g",{target}'
        inputs += [
            (f"sls_consumer_group_up{{{labels}}}", "0x60"),
            (f'sls_consumer_group_shards{{state="expired",{labels}}}', "1x60"),
            (f"sls_exporter_build_info{{{target}}}", "1x60"),
            (f"up{{{target}}}", "0x60"),
        ]
    expected = ("GroupNeverRead", "ScrapedRarely", "TargetFailing")
    own = 'namespace="watch"'
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": given} for name, given in inputs],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname, namespace) (ALERTS{alertstate="firing"})',
                "eval_time": "1h",
                "exp_samples": [
                    {"labels": f'{{alertname="SLSExporter{name}",{own}}}', "value": 1}
                    for name in expected
                ]
                + [{"labels": f'{{alertname="SLSConsumerDataLost",{own}}}', "value": 1}],
            }
        ],
    }
    file = tmp_path / "test.yaml"
    file.write_text(
        yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]})
    )
    promtool.run("promtool", "test", "rules", file)


@pytest.mark.parametrize(
    "selector",
    ["sls", "job=sls", 'job="sls"}', '{job="sls"}', 'job="a" namespace="b"', 'pod=~"a{2}"'],
)
def test_selector_that_is_not_a_list_of_matchers_is_rejected(selector: str) -> None:
    with pytest.raises(helm_python.HelmRenderError, match=r"selector is not a list"):
        alerts_of({"enabled": True, "selector": selector})


def test_every_dashboard_becomes_a_config_map(tmp_path: Path) -> None:
    found = render(read(CHART / "ci" / "dashboards-values.yaml"), chart=with_dashboards(tmp_path))
    maps = [each for each in found.all("ConfigMap") if "dashboard" in each["metadata"]["name"]]
    assert {each["metadata"]["name"] for each in maps} == {
        "test-sls-exporter-dashboard-sls-consumers",
        "test-sls-exporter-dashboard-exporter",
    }
    for each in maps:
        ((name, content),) = each["data"].items()
        assert json.loads(content) == json.loads(DASHBOARDS[name])
        assert each["metadata"]["labels"]["my_dashboards"] == "yes"
        assert each["metadata"]["annotations"] == {"grafana_folder": "SLS"}
        assert each["metadata"]["namespace"] == "monitoring"
        check(each, KUBERNETES[0])


def test_dashboards_have_the_label_that_grafanas_sidecar_looks_for_by_default(
    tmp_path: Path,
) -> None:
    values = {**LEAST, "dashboards": {"enabled": True}}
    found = render(values, chart=with_dashboards(tmp_path)).all("ConfigMap")
    boards = [each["metadata"] for each in found if "dashboard" in each["metadata"]["name"]]
    assert [board["labels"]["grafana_dashboard"] for board in boards] == ["1", "1"]
    assert {board["namespace"] for board in boards} == {"watch"}


def test_every_dashboard_of_the_chart_is_json() -> None:
    found = render({**LEAST, "dashboards": {"enabled": True}}).all("ConfigMap")
    boards = [each for each in found if "dashboard" in each["metadata"]["name"]]
    assert len(boards) == len(list((CHART / "dashboards").glob("*.json")))
    for board in boards:
        ((_, content),) = board["data"].items()
        assert json.loads(content)["title"]


OTHER = {
    "app.kubernetes.io/component": "exporter",
    "app.kubernetes.io/name": "other",
    "app.kubernetes.io/instance": "other",
}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"service": {"labels": OTHER}},
        {"commonLabels": OTHER},
        {"commonLabels": {"app.kubernetes.io/component": "metrics"}},
        {"commonLabels": OTHER, "podLabels": OTHER, "workload": {"labels": OTHER}},
    ],
)
def test_a_service_monitor_selects_one_service_only(values: Values) -> None:
    found = render({**read(CHART / "ci" / "shards-values.yaml"), **values})
    wanted = found.one("ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
    selected = [s for s in found.all("Service") if wanted <= s["metadata"]["labels"].items()]
    assert [service["metadata"]["name"] for service in selected] == ["test-sls-exporter"]
    (endpoint,) = found.one("ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in selected[0]["spec"]["ports"]}
    pod_labels = found.workload()["spec"]["template"]["metadata"]["labels"]
    assert selected[0]["spec"]["selector"].items() <= pod_labels.items()


def test_a_scrape_config_selects_the_pods_and_their_port() -> None:
    found = feature("scrape-config-values.yaml")
    spec = found.one("ScrapeConfig")["spec"]
    (discovery,) = spec["kubernetesSDConfigs"]
    assert discovery["namespaces"]["names"] == ["watch"]
    (selector,) = discovery["selectors"]
    wanted = dict(each.split("=") for each in selector["label"].split(","))
    assert wanted.items() <= found.workload()["spec"]["template"]["metadata"]["labels"].items()
    keep = spec["relabelings"][0]
    assert keep["action"] == "keep"
    assert keep["regex"] in {port["name"] for port in found.container()["ports"]}
    assert spec["relabelings"][-1] == {"targetLabel": "cluster", "replacement": "production"}
    assert spec["scheme"] == "HTTPS"


def test_a_monitor_in_another_namespace_selects_the_namespace_of_the_pods() -> None:
    found = feature("namespace-values.yaml")
    assert {each["metadata"]["namespace"] for each in found.manifests} == {"monitoring"}
    spec = found.one("ServiceMonitor")["spec"]
    assert spec["namespaceSelector"]["matchNames"] == ["monitoring"]
    assert "watch" not in found.notes


def test_labels_of_an_override_replace_those_by_which_a_monitor_selects() -> None:
    for name, kind in (("service", "ServiceMonitor"), ("pod", "PodMonitor")):
        spec = feature(f"{name}-monitor-values.yaml").one(kind)["spec"]
        assert spec["selector"] == {"matchLabels": {"team": "data"}}


def test_dashboards_of_the_grafana_operator_are_those_of_the_config_maps() -> None:
    operator = {"enabled": True}
    found = render({**LEAST, "dashboards": {"enabled": True, "grafanaOperator": operator}})
    maps = {
        each["metadata"]["name"]: json.loads(next(iter(each["data"].values())))
        for each in found.all("ConfigMap")
        if "dashboard" in each["metadata"]["name"]
    }
    boards = found.all("GrafanaDashboard")
    assert len(boards) == 3
    assert {e["metadata"]["name"]: json.loads(e["spec"]["json"]) for e in boards} == maps
    selectors = [each["spec"]["instanceSelector"] for each in boards]
    assert selectors == [{"matchLabels": {"dashboards": "grafana"}}] * 3


def test_only_the_included_dashboards_are_created() -> None:
    found = feature("grafana-operator-values.yaml")
    assert found.one("GrafanaDashboard")["metadata"]["name"].endswith("-dashboard-exporter")
    values = {**LEAST, "dashboards": {"enabled": True, "include": ["group", "exporter"]}}
    names = [each["metadata"]["name"] for each in render(values).all("ConfigMap")]
    assert [name for name in names if "dashboard" in name] == [
        "test-sls-exporter-dashboard-exporter",
        "test-sls-exporter-dashboard-group",
    ]


def test_a_pod_monitor_selects_the_pods_and_their_port() -> None:
    values = read(CHART / "ci" / "pod-monitor-values.yaml")
    found = render({**values, "podMonitor": {"enabled": True}})
    spec = found.one("PodMonitor")["spec"]
    labels = found.workload()["spec"]["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    (endpoint,) = spec["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in found.container()["ports"]}
    assert found.all("Service") == []


def test_labels_and_annotations_for_all_objects_yield_to_those_of_one() -> None:
    found = feature("names-values.yaml")
    for each in found.manifests:
        contact = each["metadata"]["annotations"]["example.com/contact"]
        assert contact == "data-platform"
    environments = {
        each["kind"]: each["metadata"]["labels"]["environment"] for each in found.manifests
    }
    assert environments == {
        "ConfigMap": "production",
        "Deployment": "production",
        "Pod": "production",
        "Service": "overridden",
        "ServiceAccount": "production",
    }
