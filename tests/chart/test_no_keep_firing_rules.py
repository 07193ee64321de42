"""The rules without ``keep_firing_for``: the same alerts, except for scenes with a gap."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support import promtool
from tests.support.debian import program
from tests.support.rule_tests import LOST, RULE_TESTS, scenes, unit_tests_without_keep_firing
from tests.support.rules import alerting_rules
from tools.paths import CHINESE_RULES, NO_KEEP_FIRING_RULES, ROOT, RULES

ADDED_BY_VMALERT = {"alertgroup", "alertname", "severity"}


def test_rules_differ_only_by_keep_firing_for() -> None:
    expected = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    for group in expected["groups"]:
        for rule in group["rules"]:
            rule.pop("keep_firing_for", None)
    assert yaml.safe_load(NO_KEEP_FIRING_RULES.read_text(encoding="utf-8")) == expected


def test_promtool_reports_no_errors_for_the_rules() -> None:
    arguments = ("check", "rules", "--lint=all", "--lint-fatal", NO_KEEP_FIRING_RULES)
    assert "SUCCESS" in promtool.run("promtool", *arguments)


def test_the_command_in_the_page_makes_the_same_rules(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "rulers.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^sed '/keep_firing_for:/d' \S+ > \S+$", page, re.MULTILINE)
    (tmp_path / CHINESE_RULES.name).write_bytes(CHINESE_RULES.read_bytes())
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True, timeout=60)
    (made,) = (path for path in tmp_path.iterdir() if path.name != CHINESE_RULES.name)
    expected = alerting_rules(NO_KEEP_FIRING_RULES.read_text(encoding="utf-8"))
    found = alerting_rules(made.read_text(encoding="utf-8"))
    assert {name: rule["expr"] for name, rule in found.items()} == {
        name: rule["expr"] for name, rule in expected.items()
    }
    assert not any("keep_firing_for" in rule for rule in found.values())
    promtool.run("promtool", "check", "rules", made)


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_scenes_without_a_gap_have_the_same_alerts(path: Path, tmp_path: Path) -> None:
    file = tmp_path / path.name
    file.write_text(unit_tests_without_keep_firing(path), encoding="utf-8")
    promtool.run("promtool", "test", "rules", file)


@pytest.mark.parametrize("lost", sorted(LOST))
def test_scene_with_a_gap_has_other_alerts(lost: str, tmp_path: Path) -> None:
    ((head, text),) = (
        (head, found[lost]) for head, found in map(scenes, RULE_TESTS) if lost in found
    )
    file = tmp_path / "scene.yaml"
    file.write_text(head + text, encoding="utf-8")
    done = subprocess.run(
        [program("promtool"), "test", "rules", file],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "exp:" in done.stdout + done.stderr, "another result, and not another error"


def dry_run(rules: Path) -> subprocess.CompletedProcess[str]:
    """Let vmalert read rules, with their expressions and templates."""
    return subprocess.run(
        [program("vmalert"), "-dryRun", f"-rule={rules}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_vmalert_accepts_the_rules() -> None:
    done = dry_run(NO_KEEP_FIRING_RULES)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("rules", [RULES, CHINESE_RULES])
def test_vmalert_accepts_the_other_rules_or_refuses_only_keep_firing_for(rules: Path) -> None:
    done = dry_run(rules)
    refused = re.findall(r"unknown fields in rule: (.*)", done.stderr)
    assert (done.returncode == 0) is (not refused), done.stderr
    assert set(refused) <= {"keep_firing_for"}


@pytest.mark.parametrize("rules", [RULES, CHINESE_RULES, NO_KEEP_FIRING_RULES])
def test_descriptions_leave_the_labels_that_vmalert_adds_out_of_their_queries(
    rules: Path,
) -> None:
    querying = [
        rule["annotations"]["description"]
        for rule in alerting_rules(rules.read_text(encoding="utf-8")).values()
        if "| query" in rule["annotations"]["description"]
    ]
    assert len(querying) == 2
    for description in querying:
        (left_out,) = re.findall(r"if not \(eq \$name ([^)]*)\)", description)
        assert set(re.findall(r'"(\w+)"', left_out)) == {"shard", *ADDED_BY_VMALERT}
