"""The alert rules: their form, their unit tests, their runbook, and the advice for Alertmanager."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from exporter.config.labels import LabelMap
from tests.support import promtool
from tests.support.dashboards import DASHBOARDS, variables
from tests.support.rules import alerting_rules, scaled
from tools.paths import ROOT, RULES

RUNBOOK = ROOT / "docs" / "runbook.md"
ALERTS_PAGE = ROOT / "docs" / "alerts.md"
RUNBOOK_URL = "https://sls-exporter.example/docs/runbook.md"
DASHBOARD_URL = "https://sls-exporter.example/grafana"
RULE_TESTS = sorted((ROOT / "tests" / "chart" / "rules").glob("*.yaml"))
RECORDING_TESTS = ROOT / "tests" / "chart" / "rules" / "recordings.yaml"
RUNBOOK_PARTS = (
    "Meaning",
    "Impact",
    "Diagnosis",
    "Causes",
    "Mitigation",
    "False positives",
)
METRICS = {
    "sls_consumer_group_catch_up_seconds",
    "sls_consumer_group_checkpoint_age_seconds",
    "sls_consumer_group_checkpoint_resets_total",
    "sls_consumer_group_checkpoint_update_timestamp_seconds",
    "sls_consumer_group_consumed_log_groups_total",
    "sls_consumer_group_consumers",
    "sls_consumer_group_data_loss_seconds",
    "sls_consumer_group_info",
    "sls_consumer_group_lag_limit_seconds",
    "sls_consumer_group_lag_seconds",
    "sls_consumer_group_last_success_timestamp_seconds",
    "sls_consumer_group_oldest_unconsumed_timestamp_seconds",
    "sls_consumer_group_oldest_unread_timestamp_seconds",
    "sls_consumer_group_owner_changes_total",
    "sls_consumer_group_poll_interval_seconds",
    "sls_consumer_group_retention_seconds",
    "sls_consumer_group_cursor_access",
    "sls_consumer_group_shards",
    "sls_consumer_group_stall_after_seconds",
    "sls_consumer_group_stalled_seconds",
    "sls_consumer_group_stalled_shards",
    "sls_consumer_group_unread_log_groups",
    "sls_consumer_group_up",
    "sls_consumer_group_written_log_groups_total",
    "sls_exporter_api_request_duration_seconds",
    "sls_exporter_api_request_errors_total",
    "sls_exporter_api_requests_total",
    "sls_exporter_api_retries_total",
    "sls_exporter_build_info",
    "sls_exporter_clock_skew_seconds",
    "sls_exporter_config_last_reload_success_timestamp_seconds",
    "sls_exporter_config_last_reload_successful",
    "sls_exporter_discovery_last_success_timestamp_seconds",
    "sls_exporter_discovery_success",
    "sls_exporter_ignored_server_times_total",
    "sls_exporter_matching_groups",
    "sls_exporter_poll_interval_usage_ratio",
    "sls_exporter_request_limit_per_second",
    "sls_exporter_cursor_access",
    "sls_exporter_poll_duration_seconds",
    "sls_exporter_poll_errors_total",
    "sls_exporter_polls_skipped_total",
    "sls_exporter_polls_total",
    "sls_exporter_retention_access",
    "sls_exporter_series",
    "sls_exporter_series_dropped",
    "sls_exporter_target_conflicts",
    "sls_exporter_shard",
    "sls_exporter_targets",
    "sls_exporter_tls_handshake_errors_total",
    "sls_exporter_total_shards",
    "sls_logstore_retention_seconds",
    "sls_logstore_shards",
}
STATES = {"caught_up", "consuming", "stalled", "unconsumed", "expired", "finished", "unknown"}


def rules_of(text: str) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


RULE_LIST = rules_of(RULES.read_text())
ALERTS = list(alerting_rules(RULES.read_text()).values())
ALERT_NAMES = [rule["alert"] for rule in ALERTS]
RECORDINGS = [rule for rule in RULE_LIST if "record" in rule]
each_rule = pytest.mark.parametrize("rule", ALERTS, ids=ALERT_NAMES)
each_alert = pytest.mark.parametrize("alert", ALERT_NAMES)


def metrics_in(query: str) -> set[str]:
    """Return the exporter's metrics that a query names, a histogram's parts as the histogram."""
    names = set(re.findall(r"\bsls_(?!endpoint\b)\w+", query))
    return {re.sub(r"_seconds_(bucket|count|sum)$", "_seconds", name) for name in names}


def fenced(page: Path, language: str) -> list[str]:
    """Return the page's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def rule_test_cases() -> Iterator[dict[str, Any]]:
    for path in RULE_TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            yield from test.get("alert_rule_test", [])


def runbook_sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)$", RUNBOOK.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_no_label_of_the_configuration_is_one_that_a_rule_adds() -> None:
    added = {
        label
        for rule in alerting_rules(RULES.read_text()).values()
        for label in [
            *rule["labels"],
            *re.findall(r'"(\w+)",\s*"[^"]*",\s*"\w*",\s*"[^"]*"\s*\)', rule["expr"]),
        ]
    }
    assert added == {"checkpoint", "severity"}
    labels = TypeAdapter(LabelMap)
    for label in added:
        with pytest.raises(ValueError, match="choose another name"):
            labels.validate_python({label: "x"})


def test_promtool_reports_no_errors_and_no_warnings_for_the_rules() -> None:
    printed = promtool.run("promtool", "check", "rules", "--lint=all", "--lint-fatal", RULES)

    assert f"SUCCESS: {len(RULE_LIST)} rules found" in printed


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_rules_fire_and_stay_silent_as_their_unit_tests_say(path: Path) -> None:
    promtool.run("promtool", "test", "rules", path)


def test_rule_tests_exist_and_read_the_file_that_is_shipped() -> None:
    assert RULE_TESTS
    for path in RULE_TESTS:
        (shipped,) = yaml.safe_load(path.read_text())["rule_files"]
        assert (path.parent / shipped).resolve() == RULES


@each_alert
def test_each_alert_has_a_unit_test_in_which_it_fires_and_one_in_which_it_is_silent(
    alert: str,
) -> None:
    cases = [case for case in rule_test_cases() if case["alertname"] == alert]

    assert any(case["exp_alerts"] for case in cases)
    assert any(not case["exp_alerts"] for case in cases)


@pytest.mark.parametrize("rule", RECORDINGS, ids=lambda rule: rule["record"])
def test_each_recording_rule_has_a_unit_test_in_both_granularities(rule: dict[str, Any]) -> None:
    cases = yaml.safe_load(RECORDING_TESTS.read_text())["tests"]

    assert len(cases) == 2
    for case in cases:
        (test,) = (test for test in case["promql_expr_test"] if test["expr"] == rule["record"])
        assert test["exp_samples"]


def test_unit_tests_name_no_alert_that_does_not_exist() -> None:
    assert {case["alertname"] for case in rule_test_cases()} <= set(ALERT_NAMES)


def test_alert_names_are_unique() -> None:
    assert len(ALERT_NAMES) == len(set(ALERT_NAMES))


@each_rule
def test_each_alert_has_the_labels_and_annotations_that_its_reader_needs(
    rule: dict[str, Any],
) -> None:
    annotations = rule["annotations"]

    assert re.fullmatch(r"SLS[A-Z]\w+", rule["alert"])
    assert set(rule["labels"]) == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(annotations) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert re.fullmatch(r"[A-Z][^.{]{20,118}\.", annotations["summary"])
    words = re.sub(r"\{\{.*?\}\}", "", annotations["description"])
    assert len(words) < 400
    assert words.endswith(".")
    assert annotations["runbook_url"] == f"{RUNBOOK_URL}#{rule['alert'].lower()}"


@each_rule
def test_each_alert_leads_to_a_dashboard_by_labels_that_it_has(rule: dict[str, Any]) -> None:
    path, _, chosen = (
        rule["annotations"]["dashboard_url"].removeprefix(DASHBOARD_URL).partition("?")
    )
    (name,) = (name for name, each in DASHBOARDS.items() if path.startswith(f"/d/{each['uid']}"))
    assert name == ("group.json" if rule["alert"].startswith("SLSConsumer") else name)
    assert set(re.findall(r"var-(\w+)=", chosen)) <= variables(name).keys()
    required = set(re.findall(r"var-(\w+)=\{\{ \$labels\.\1 \|", chosen))
    fired = [
        alert["exp_labels"]
        for case in rule_test_cases()
        if case["alertname"] == rule["alert"]
        for alert in case["exp_alerts"]
    ]
    assert fired
    assert all(required <= labels.keys() for labels in fired)


@each_rule
def test_each_alert_outlives_a_gap_in_the_scraping(rule: dict[str, Any]) -> None:
    assert rule["keep_firing_for"] in {"5m", "10m", "15m"}


@each_rule
def test_each_alert_is_made_of_metrics_and_states_that_exist(rule: dict[str, Any]) -> None:
    names = metrics_in(rule["expr"])

    assert names
    assert names <= METRICS
    assert set(re.findall(r'state="(\w+)"', rule["expr"])) <= STATES


@pytest.mark.parametrize(
    "rule",
    [rule for rule in ALERTS if rule["alert"].startswith("SLSConsumer")],
    ids=lambda rule: rule["alert"],
)
def test_each_alert_about_a_consumer_group_ignores_who_owns_the_shard_and_which_replica_saw_it(
    rule: dict[str, Any],
) -> None:
    aggregations = re.findall(r"\b(?:max|min) without \(([^)]*)\)", rule["expr"])

    assert aggregations
    for labels in aggregations:
        assert {"instance", "pod"} <= set(labels.split(", "))
    assert all(
        not {"consumer", "instance", "pod"} & set(alert["exp_labels"])
        for case in rule_test_cases()
        if case["alertname"] == rule["alert"]
        for alert in case["exp_alerts"]
    )


@each_alert
def test_each_alert_has_its_section_in_the_runbook(alert: str) -> None:
    section = runbook_sections()[alert]

    assert tuple(re.findall(r"^\*\*(.+?)\.\*\*", section, re.MULTILINE)) == RUNBOOK_PARTS
    assert "```promql" in section
    for part in re.split(r"^\*\*.+?\.\*\*", section, flags=re.MULTILINE)[1:]:
        assert part.strip()


def test_the_runbook_has_no_section_about_an_alert_that_does_not_exist() -> None:
    assert {name for name in runbook_sections() if name.startswith("SLS")} == set(ALERT_NAMES)


@each_rule
def test_each_alert_is_in_the_table_of_alerts_with_its_severity(rule: dict[str, Any]) -> None:
    link = f"[{rule['alert']}](runbook.md#{rule['alert'].lower()})"
    (row,) = [line for line in ALERTS_PAGE.read_text().splitlines() if line.startswith(f"| {link}")]

    assert row.split(" | ")[1] == rule["labels"]["severity"]


def test_queries_in_the_runbook_are_valid_and_name_metrics_that_exist(tmp_path: Path) -> None:
    queries = [query for block in fenced(RUNBOOK, "promql") for query in block.split("\n\n")]
    rules = [{"record": f"query:{n}", "expr": query} for n, query in enumerate(queries)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))

    promtool.run("promtool", "check", "rules", file)

    assert queries
    assert set().union(*map(metrics_in, queries)) <= METRICS


def test_rule_for_vanished_groups_names_those_that_left_while_all_listings_succeed(
    tmp_path: Path,
) -> None:
    (query,) = fenced(ALERTS_PAGE, "promql")
    group = "project='p',logstore='l',consumer_group='{}'"
    up = f"sls_consumer_group_up{{{{{group},job='{{}}',instance='{{}}'}}}}"
    listed = "sls_exporter_discovery_success{{project='p',sls_endpoint='e',job='{}'}}"
    alive = "sls_exporter_build_info{{job='{}'}}"
    inputs = [
        (up.format("deleted", "sls", "a"), "1x10 stale"),
        (up.format("living", "sls", "a"), "1x10 stale"),
        (up.format("living", "sls", "b"), "_x10 0x60"),
        (listed.format("sls"), "1x60"),
        (alive.format("sls"), "1x60"),
        (up.format("hidden", "failing", "a"), "1x10 stale"),
        (listed.format("failing"), "1x10 0x60"),
        (alive.format("failing"), "1x60"),
        (up.format("unseen", "gone", "a"), "1x10 stale"),
        (listed.format("gone"), "1x10 stale"),
        (alive.format("gone"), "1x10 stale"),
    ]
    vanished = '{job="sls",project="p",logstore="l",consumer_group="deleted"}'
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in inputs],
        "promql_expr_test": [
            {
                "expr": query,
                "eval_time": "30m",
                "exp_samples": [{"labels": vanished, "value": 1}],
            }
        ],
    }
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))
    promtool.run("promtool", "test", "rules", file)


def test_the_alertmanager_example_is_valid_and_names_alerts_that_exist(tmp_path: Path) -> None:
    (example,) = fenced(ALERTS_PAGE, "yaml")
    file = tmp_path / "alertmanager.yml"
    file.write_text(example)

    promtool.run("amtool", "check-config", file)

    for inhibition in yaml.safe_load(example)["inhibit_rules"]:
        assert inhibition["equal"] in (
            ["project", "logstore", "consumer_group"],
            ["sls_endpoint", "project", "logstore"],
            ["job"],
        )
        for matchers in (inhibition["source_matchers"], inhibition["target_matchers"]):
            ((operator, pattern),) = (
                re.fullmatch(r'alertname(=~?)"(.+)"', matcher).groups()  # type: ignore[union-attr] # no match fails the test
                for matcher in matchers
            )
            named = pattern if operator == "=~" else re.escape(pattern)
            assert any(re.fullmatch(named, alert) for alert in ALERT_NAMES)


def test_scaled_rules_are_the_same_rules_with_shorter_times(tmp_path: Path) -> None:
    short = scaled(RULES.read_text(), 0.01)
    file = tmp_path / "short.rules.yaml"
    file.write_text(short)
    rules = alerting_rules(short)

    promtool.run("promtool", "check", "rules", "--lint=all", "--lint-fatal", file)

    assert list(rules) == ALERT_NAMES
    assert "sls_consumer_group_stalled_seconds > 3.6\n" in rules["SLSConsumerShardStalled"]["expr"]
    assert rules["SLSConsumerShardStalled"]["keep_firing_for"] == "3000ms"
    assert ">= time() - 3.6\n" in rules["SLSConsumerGroupStalled"]["expr"]
    assert "_seconds <= 6.6\n" in rules["SLSConsumerLagHigh"]["expr"]
    assert "offset 18000ms)" in rules["SLSConsumerLagGrowing"]["expr"]
    assert "> 1.2" in rules["SLSConsumerLagGrowing"]["expr"]
    assert "> 0.8" in rules["SLSConsumerDataExpiring"]["expr"]
    assert "[9000ms]" in rules["SLSExporterAPIErrors"]["expr"]
    assert rules["SLSExporterAPIErrors"]["for"] == "9000ms"
    assert "> 60" in rules["SLSExporterClockSkew"]["expr"]


def test_rules_scaled_by_one_change_only_the_unit_of_their_ranges() -> None:
    same = scaled(RULES.read_text(), 1)

    for before, after in zip(RULE_LIST, rules_of(same), strict=True):
        expression = after["expr"]
        for scaled_range, written in (("900000", "15m"), ("1800000", "30m"), ("3600000", "1h")):
            expression = expression.replace(f"{scaled_range}ms", written)
        assert expression == before["expr"]
