"""Examples in the README and the guide match the arguments, output and behavior of the program."""

from pathlib import Path

import pytest
import yaml

from exporter.config.reader import parse
from exporter.metrics.catalogue import CATALOGUE
from tests.support import promtool
from tests.support.commands import demo_world, run
from tests.support.docs import blocks, read
from tools.paths import ROOT

README = read("README.md")
GUIDE = read("docs/getting-started.md")


@pytest.mark.parametrize("text", [README, GUIDE], ids=["readme", "guide"])
def test_the_first_configuration_is_valid_without_changes(text: str) -> None:
    least = next(block for block in blocks(text, "yaml") if block.startswith("projects:"))
    config = parse(least, name="config.yaml", environ={}, base_dir=ROOT)
    assert [project.project.text for project in config.projects] == ["my-project"]


def test_the_least_configuration_has_five_lines() -> None:
    least = next(block for block in blocks(README, "yaml") if block.startswith("projects:"))
    assert len(least.splitlines()) <= 5


@pytest.mark.parametrize("text", [README, GUIDE], ids=["readme", "guide"])
def test_prometheus_accepts_the_scrape_configuration(text: str, tmp_path: Path) -> None:
    (scrape,) = [block for block in blocks(text, "yaml") if block.startswith("scrape_configs:")]
    file = tmp_path / "prometheus.yml"
    file.write_text(scrape)
    promtool.run("promtool", "check", "config", file)
    assert yaml.safe_load(scrape)["scrape_configs"][0]["static_configs"][0]["targets"] == [
        "localhost:10027"
    ]


def test_the_table_matches_the_output_of_once(tmp_path: Path) -> None:
    with demo_world(tmp_path) as demo:
        printed = run("once", f"--config.file={demo.config}").stdout
    (shown,) = [block for block in blocks(README, "text") if "stalled" in block]
    # Ages go on by the second between the world's time and the poll's.
    assert without_times(shown) == without_times(printed)


def without_times(table: str) -> list[list[str]]:
    lines = [line.split() for line in table.splitlines()]
    return [
        [word for word in line if word[0] not in "0123456789─" or len(word) == 1] for line in lines
    ]


def test_the_demo_output_matches_the_readme() -> None:
    (shown,) = [block for block in blocks(README, "text") if "Ctrl-C" in block]
    assert shown == (
        "Status page: http://127.0.0.1:10027/\n"
        "Metrics:     http://127.0.0.1:10027/metrics\n"
        "Stop with Ctrl-C.\n"
    )


def test_the_metrics_of_the_readme_are_real() -> None:
    names = {metric.name for metric in CATALOGUE}
    rows = [line.split("`")[1] for line in README.splitlines() if line.startswith("| `sls_")]
    assert len(rows) >= 5
    assert set(rows) <= names


@pytest.mark.parametrize("text", [README, GUIDE], ids=["readme", "guide"])
def test_the_variables_of_keys_are_those_that_are_read(text: str, tmp_path: Path) -> None:
    names = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    assert all(name in text for name in names)
    config = tmp_path / "config.yaml"
    config.write_text(
        next(block for block in blocks(text, "yaml") if block.startswith("projects:"))
    )
    explained = run("check", f"--config.file={config}", environ=dict.fromkeys(names, "x")).stdout
    assert "credentials: none" not in explained


def test_permissions_in_the_guide_are_enough_for_any_configuration(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "projects:\n"
        "  - {project: p, endpoint: h, logstores: [{logstore: '.*', consumer_groups: ['.*']}]}\n"
    )
    explained = run("check", f"--config.file={config}").stdout
    (needed,) = [line for line in explained.splitlines() if "permissions needed: " in line]
    policy = yaml.safe_load(blocks(GUIDE, "json")[0])
    assert sorted(policy["Statement"][0]["Action"]) == sorted(
        needed.partition("permissions needed: ")[2].split(", ")
    )
