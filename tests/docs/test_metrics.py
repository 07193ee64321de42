"""The page of metrics is complete, matches ``CATALOGUE``, and has valid PromQL."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from exporter.metrics.catalogue import CATALOGUE, OF_GROUPS, OF_LOGSTORES, OF_SHARDS, POLLED
from exporter.metrics.family import Family
from exporter.model.progress import Cause, State
from tests.support import promtool
from tests.support.docs import blocks, read

TEXT = read("docs/metrics.md")
SECTION = re.compile(r"### `(\S+)`\n\n\*(\w+), labels: (.*)\*\n\n((?:.+\n)+)")
POLLED_SECTIONS, OWN_SECTION = TEXT.split("\n## The exporter itself\n")


def described(text: str) -> dict[str, tuple[str, str, str]]:
    """Return kind, labels and help of each metric that a text describes."""
    return {
        name: (kind, labels.replace("`", ""), " ".join(text.split()))
        for name, kind, labels, text in SECTION.findall(text)
    }


def test_every_metric_is_described_with_its_type_its_labels_and_its_help() -> None:
    expected = {
        metric.name: (
            metric.kind,
            ", ".join(metric.labels) or "none",
            metric.help.removesuffix(f" {POLLED}"),
        )
        for metric in CATALOGUE
    }
    assert described(TEXT) == expected


def test_metrics_that_the_page_calls_polled_are_polled_by_their_help() -> None:
    polled = {metric.name for metric in CATALOGUE if metric.help.endswith(POLLED)}
    assert described(POLLED_SECTIONS).keys() == polled
    assert not described(OWN_SECTION).keys() & polled
    assert POLLED in POLLED_SECTIONS


@pytest.mark.parametrize(
    ("heading", "families"),
    [("Shards", OF_SHARDS), ("Consumer groups", OF_GROUPS), ("Logstores", OF_LOGSTORES)],
)
def test_polled_metrics_are_in_the_section_of_their_object(
    heading: str, families: Sequence[Family]
) -> None:
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert described(section).keys() == {family.name for family in families}


def test_every_heading_is_read_by_these_tests() -> None:
    assert len(re.findall(r"^### ", TEXT, flags=re.MULTILINE)) == len(described(TEXT))


def explained(metric: str) -> list[str]:
    """Return the values of a label that the table of a metric explains."""
    section = TEXT.partition(f"### `{metric}`")[2].partition("\n### ")[0]
    return re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)


def test_every_state_of_a_shard_is_explained() -> None:
    assert explained("sls_consumer_group_shards") == [
        "caught_up",
        "consuming",
        "stalled",
        "unconsumed",
        "expired",
        "finished",
        "unknown",
    ]
    assert len(State) == 7


def test_every_cause_of_a_stall_is_explained_in_the_order_of_their_evaluation() -> None:
    assert explained("sls_consumer_group_stalled_shards") == [
        "waiting_for_parent",
        "owner_changing",
        "shard_stuck",
        "owner_stuck",
        "group_silent",
        "unknown",
    ]
    assert len(Cause) == 6


def test_every_query_is_valid(tmp_path: Path) -> None:
    queries = blocks(TEXT, "promql")
    rules = [{"record": f"query:{number}", "expr": text} for number, text in enumerate(queries)]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    assert f"{len(queries)} rules found" in promtool.run("promtool", "check", "rules", file)


def test_queries_about_consumers_tell_dead_groups_from_those_without_names(tmp_path: Path) -> None:
    section = TEXT.partition("### `sls_consumer_group_consumers`")[2].partition("\n### ")[0]
    dead, nameless = blocks(section, "promql")
    of_group = "sls_consumer_group_{}{{project='p',logstore='l',consumer_group='{}'{}}}"
    shard = ",shard='0',consumer='{}'"
    inputs = [
        (of_group.format(metric, group, labels), values)
        for group, name, stalled, written, age in (
            ("dead", "c1", 1, "0x60", "0+60x60"),
            ("healthy", "c1", 0, "0+60x60", "30x60"),
            ("idle", "c1", 0, "0x60", "0+60x60"),
            ("flink", "", 0, "0+60x60", "30x60"),
        )
        for metric, labels, values in (
            ("consumers", "", f"{int(name != '')}x60"),
            ("shards", ",state='stalled'", f"{stalled}x60"),
            ("shards", ",state='expired'", "0x60"),
            ("checkpoint_update_timestamp_seconds", shard.format(name), written),
            ("checkpoint_age_seconds", shard.format(name), age),
        )
    ]
    inputs.append((of_group.format("consumers", "unconsumed", ""), "0x60"))
    labels = "{{project='p',logstore='l',consumer_group='{}'}}"
    test = {
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in inputs],
        "promql_expr_test": [
            {
                "expr": query,
                "eval_time": "30m",
                "exp_samples": [{"labels": labels.format(group), "value": value}],
            }
            for query, group, value in ((dead, "dead", 1), (nameless, "flink", 0))
        ],
    }
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))
    promtool.run("promtool", "test", "rules", file)
