"""Manifests in docs/autoscaling.md are valid, and queries ask for the right number of consumers."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import promtool
from tests.support.docs import blocks
from tests.support.helm import KUBERNETES, check
from tools.paths import ROOT

PAGE = (ROOT / "docs" / "autoscaling.md").read_text(encoding="utf-8")
SCALED_OBJECT, ADAPTER, AUTOSCALER = map(yaml.safe_load, blocks(PAGE, "yaml"))
TRIGGERS: Sequence[Mapping[str, Any]] = SCALED_OBJECT["spec"]["triggers"]
ADAPTER_RULES: Sequence[Mapping[str, Any]] = ADAPTER["externalRules"]
GROUP = {"project": "shop", "logstore": "orders", "consumer_group": "billing"}
MATCHERS = ",".join(f'{name}="{value}"' for name, value in GROUP.items())
QUERIES = {
    "keda": [trigger["metadata"]["query"] for trigger in TRIGGERS],
    "adapter": [
        rule["metricsQuery"]
        .replace("<<.Series>>", rule["seriesQuery"].partition("{")[0])
        .replace(
            "<<.LabelMatchers>>", ",".join(f'{name}="{value}"' for name, value in GROUP.items())
        )
        for rule in ADAPTER_RULES
    ],
}
FULL = {"lag_seconds": 300.0, "unread_log_groups": 10_000.0}
"""The value from which on a shard counts as one consumer."""

each_tool = pytest.mark.parametrize("tool", QUERIES)


def series(
    name: str, values: Mapping[int, float], *, group: str = "billing", instance: str = "a"
) -> list[tuple[str, float]]:
    """Return the series of some shards of a group at one replica of the exporter."""
    head = f'sls_consumer_group_{name}{{project="shop",logstore="orders",consumer_group="{group}"'
    return [
        (f'{head},shard="{shard}",consumer="of-{instance}",instance="{instance}"}}', value)
        for shard, value in values.items()
    ]


def logstore_shards(count: float, *, instance: str = "a") -> tuple[str, float]:
    labels = f'project="shop",logstore="orders",status="readwrite",instance="{instance}"'
    return f"sls_logstore_shards{{{labels}}}", count


def ask(folder: Path, tool: str, given: Sequence[tuple[str, float]], *wanted: float | None) -> None:
    """Have promtool run both queries of a tool; None stands for a result that is no number."""
    labels = "{}" if tool == "keda" else f"{{{MATCHERS}}}"
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": f"{value:g}x5"} for name, value in given],
        "promql_expr_test": [
            {
                "expr": f"({query}) >= 0",  # leaves NaN out
                "eval_time": "5m",
                "exp_samples": [] if value is None else [{"labels": labels, "value": value}],
            }
            for query, value in zip(QUERIES[tool], wanted, strict=True)
        ],
    }
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))
    promtool.run("promtool", "test", "rules", file)


@each_tool
def test_queries_count_shards_that_need_a_consumer(tmp_path: Path, tool: str) -> None:
    given = [
        logstore_shards(4),
        *series("lag_seconds", {0: 0.0, 1: 150.0, 2: 300.0, 3: 7200.0}),
        *series("unread_log_groups", {0: 0, 1: 2500, 2: 10_000, 3: 9_000_000}),
        *series("lag_seconds", {0: 7200.0}, group="audit"),
        *series("unread_log_groups", {0: 9_000_000}, group="audit"),
    ]
    ask(tmp_path, tool, given, 2.5, 2.25)


@each_tool
def test_queries_ask_for_0_consumers_of_an_idle_group(tmp_path: Path, tool: str) -> None:
    given = [logstore_shards(2)]
    for name in FULL:
        given += series(name, {0: 0.0, 1: 0.0})
    ask(tmp_path, tool, given, 0.0, 0.0)


@each_tool
def test_consumers_are_bounded_by_read_write_shards(tmp_path: Path, tool: str) -> None:
    given = [logstore_shards(3)]
    for name, full in FULL.items():
        given += series(name, dict.fromkeys(range(8), 10 * full))
    ask(tmp_path, tool, given, 3.0, 3.0)


@each_tool
def test_replicas_and_owners_do_not_count_twice(tmp_path: Path, tool: str) -> None:
    given = [logstore_shards(8, instance=each) for each in ("a", "b")]
    for name, full in FULL.items():
        for each in ("a", "b"):
            given += series(name, {0: full, 1: full / 2}, instance=each)
    ask(tmp_path, tool, given, 1.5, 1.5)


@each_tool
def test_queries_are_empty_and_not_0_without_the_exporter(tmp_path: Path, tool: str) -> None:
    ask(tmp_path, tool, [], None, None)
    ask(tmp_path, tool, [logstore_shards(4)], None, None)


@each_tool
def test_unread_data_counts_while_lags_are_absent(tmp_path: Path, tool: str) -> None:
    given = [logstore_shards(4), *series("unread_log_groups", {0: 10_000.0})]
    ask(tmp_path, tool, given, None, 1.0)


@each_tool
def test_queries_have_no_number_while_the_number_of_shards_is_absent(
    tmp_path: Path, tool: str
) -> None:
    given = [pair for name, full in FULL.items() for pair in series(name, {0: full})]
    ask(tmp_path, tool, given, None, None)


def test_scaled_object_has_only_fields_that_keda_knows() -> None:
    check(SCALED_OBJECT, KUBERNETES[-1])


def test_keda_takes_absent_series_for_an_error() -> None:
    for trigger in TRIGGERS:
        assert trigger["metadata"]["ignoreNullValues"] == "false"
        assert trigger["metadata"]["threshold"] == "1"
        assert trigger["metricType"] == "AverageValue", "a fallback needs it"
    spec = SCALED_OBJECT["spec"]
    assert spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
    assert not any("vector(" in query for queries in QUERIES.values() for query in queries)


@pytest.mark.parametrize("version", KUBERNETES)
def test_horizontal_pod_autoscaler_is_valid(version: str) -> None:
    check(AUTOSCALER, version)


def test_horizontal_pod_autoscaler_reads_the_metrics_of_the_adapter() -> None:
    metrics = [metric["external"]["metric"] for metric in AUTOSCALER["spec"]["metrics"]]
    assert [metric["name"] for metric in metrics] == [rule["name"]["as"] for rule in ADAPTER_RULES]
    assert all(metric["selector"] == {"matchLabels": GROUP} for metric in metrics)


def test_rules_of_the_adapter_have_only_fields_that_it_knows() -> None:
    for rule in ADAPTER_RULES:
        assert rule.keys() == {"seriesQuery", "resources", "name", "metricsQuery"}
        assert rule["resources"] == {"namespaced": False}
        assert set(re.findall(r"<<(.+?)>>", rule["metricsQuery"])) == {".Series", ".LabelMatchers"}


def test_both_autoscalers_scale_alike() -> None:
    ours = SCALED_OBJECT["spec"]
    its = AUTOSCALER["spec"]
    assert ours["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == its["behavior"]
    assert (ours["minReplicaCount"], ours["maxReplicaCount"]) == (
        its["minReplicas"],
        its["maxReplicas"],
    )
