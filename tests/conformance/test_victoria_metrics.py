"""A current VictoriaMetrics and its vmalert with the exporter and with its rules."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.conformance.go_programs import go_program
from tests.conformance.libraries import BUILD_SECONDS
from tests.support.alarm import SCRAPES, Watched, alarm_stage, check_page_of_dead_consumer
from tests.support.prometheus import Prometheus
from tests.support.rule_tests import RULE_TESTS, unit_tests_for_vmalert
from tests.support.victoria_metrics import database, vmalert
from tests.support.wait import wait_for
from tools.paths import RULES

pytestmark = pytest.mark.timeout(BUILD_SECONDS)


@contextmanager
def by_victoria_metrics(folder: Path, watched: Watched) -> Iterator[Prometheus]:
    """Monitor with VictoriaMetrics and vmalert; at the end, no rule must have an error."""
    scrape = folder / "scrape.yml"
    targets = json.dumps(watched.targets)
    scrape.write_text("global: {scrape_interval: 1s}\n" + SCRAPES.format(targets=targets))
    with database(folder, scrape, executable=go_program("victoria-metrics")) as storage:
        monitor = Prometheus(storage)
        # Otherwise the rules report that there is no exporter, since their times are short.
        both = f"count(sls_exporter_build_info) == {len(watched.targets)}"
        wait_for(lambda: monitor.query(both), timeout=120, what="the first scrapes")
        with vmalert(
            folder,
            "-rule.evalDelay=1s",  # like the latency of the database, and 30 s by default
            rules=watched.rules,
            storage=storage,
            alertmanager=watched.alertmanager,
            executable=go_program("vmalert"),
        ) as evaluating:
            yield monitor
            assert errors(evaluating) == {}


def errors(evaluating: str) -> dict[str, str]:
    """Return the last errors of rules by name."""
    found = requests.get(f"{evaluating}/api/v1/rules", timeout=60).json()
    rules = [rule for group in found["data"]["groups"] for rule in group["rules"]]
    assert rules
    return {rule["name"]: rule["lastError"] for rule in rules if rule["lastError"]}


@pytest.mark.parametrize("path", sorted(RULES.parent.glob("*.yaml")), ids=lambda path: path.stem)
def test_vmalert_accepts_the_rules(path: Path) -> None:
    done = subprocess.run(
        [go_program("vmalert"), "-dryRun", f"-rule={path}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_rules_fire_and_stay_silent_as_their_unit_tests_say(path: Path, tmp_path: Path) -> None:
    file = tmp_path / path.name
    file.write_text(unit_tests_for_vmalert(path), encoding="utf-8")
    done = subprocess.run(
        [go_program("vmalert-tool"), "unittest", "--disableAlertgroupLabel", f"--files={file}"],
        env={"TMPDIR": str(tmp_path)},  # for its database
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_dead_consumer_is_one_page_and_ends_when_it_is_back(tmp_path: Path) -> None:
    alertmanager = go_program("alertmanager")
    with alarm_stage(
        tmp_path, monitor=by_victoria_metrics, alertmanager_executable=alertmanager
    ) as stage:
        check_page_of_dead_consumer(stage)
