"""The page about other rulers: its values, configurations and file names work as far as tested."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import promtool
from tests.support.docs import blocks, read
from tests.support.helm import render
from tests.support.rules import alerting_rules
from tools.paths import CHART, NO_KEEP_FIRING_RULES, RULES

PAGE = read("docs/rulers.md")


def configuration(first: str) -> dict[str, Any]:
    (text,) = (block for block in blocks(PAGE, "yaml") if block.startswith(first))
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def test_the_chart_annotates_the_service_monitor_for_the_managed_service() -> None:
    values = configuration("serviceMonitor:")
    least = yaml.safe_load((CHART / "ci" / "least-values.yaml").read_text(encoding="utf-8"))
    monitor = render({**least, **values}).one("ServiceMonitor")
    assert monitor["metadata"]["annotations"] == values["serviceMonitor"]["annotations"]


def test_the_instance_of_the_managed_service_can_precede_the_rules() -> None:
    head = configuration("datasources:")
    rules = NO_KEEP_FIRING_RULES.read_text(encoding="utf-8")
    whole = yaml.safe_load(yaml.safe_dump(head) + rules)
    assert whole == {**head, **yaml.safe_load(rules)}
    assert list(head["datasources"][0]) == ["type", "instance", "regionId"]


@pytest.mark.parametrize("first", ["scrape_configs:", "receivers:"])
def test_prometheus_accepts_the_scrape_configurations(first: str, tmp_path: Path) -> None:
    found = configuration(first)
    scrape = found if "scrape_configs" in found else found["receivers"]["prometheus"]["config"]
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump(scrape), encoding="utf-8")
    promtool.run("promtool", "check", "config", file)
    (job,) = scrape["scrape_configs"]
    assert job["job_name"] == "sls-exporter"


def test_the_pipeline_of_the_collector_uses_the_declared_parts() -> None:
    found = configuration("receivers:")
    pipeline = found["service"]["pipelines"]["metrics"]
    for kind in ("receivers", "exporters"):
        assert pipeline[kind] == list(found[kind])


def test_commands_load_the_shipped_rules() -> None:
    commands = " ".join(blocks(PAGE, "sh")).replace("\\\n", "")
    named = {word.rpartition("=")[2] for word in shlex.split(commands) if ".rules.yaml" in word}
    made = {"sls-exporter.zh-CN.no-keep-firing.rules.yaml"}
    assert named - made <= {path.name for path in RULES.parent.iterdir()}
    assert RULES.name in named


def test_the_alerts_of_the_page_exist() -> None:
    named = set(re.findall(r"\bSLS[A-Z]\w+", PAGE))
    assert named
    assert named <= alerting_rules(RULES.read_text(encoding="utf-8")).keys()
