"""VictoriaMetrics and vmalert: the scrape, every rule, and the alerts of the demo."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.alertmanager import alertmanager
from tests.support.daemon import daemon
from tests.support.debian import program
from tests.support.docs import blocks, read
from tests.support.prometheus import free_port
from tests.support.stack import FILES
from tests.support.wait import wait_for
from tools.paths import NO_KEEP_FIRING_RULES

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The addresses of the programs, with a scheme."""

    victoria_metrics: str
    vmalert: str
    alertmanager: str

    def rules(self) -> list[dict[str, Any]]:
        """Return every rule of vmalert with the error of its last evaluation."""
        groups = requests.get(f"{self.vmalert}/api/v1/rules", timeout=30).json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def series(self, query: str) -> list[dict[str, str]]:
        """Return the labels of the series of a query."""
        url = f"{self.victoria_metrics}/api/v1/query"
        found = requests.get(url, params={"query": query}, timeout=30).json()["data"]["result"]
        return [each["metric"] for each in found]

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that arrived at Alertmanager."""
        found: list[dict[str, Any]] = requests.get(
            f"{self.alertmanager}/api/v2/alerts", timeout=30
        ).json()
        return found


@contextmanager
def server(folder: Path, name: str, *flags: str) -> Iterator[str]:
    """Run a program of VictoriaMetrics until the block ends, and yield its URL."""
    address = f"127.0.0.1:{free_port()}"
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [program(name), f"-httpListenAddr={address}", *flags], stdout=log, stderr=log
        )
    try:
        url = f"http://{address}"
        wait_for(lambda: _healthy(url), timeout=120, what=f"{name} ready")
        yield url
    finally:
        process.terminate()
        process.wait(60)


def _healthy(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=10).status_code == 200
    except requests.ConnectionError:
        return False


def scrape_configuration(target: str) -> str:
    """Return the scrape configuration of the page with the target and a shorter interval."""
    (text,) = (
        block for block in blocks(read("docs/rulers.md"), "yaml") if "scrape_configs" in block[:40]
    )
    assert "localhost:10027" in text
    return "global: {scrape_interval: 1s}\n" + text.replace("localhost:10027", target)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("victoria-metrics")
    scrape = folder / "prometheus.yml"
    routes = (FILES / "alertmanager.yml").read_text(encoding="utf-8")
    with (
        daemon("demo", "--web.listen-address=127.0.0.1:0") as demo,
        alertmanager(folder, routes) as address,
    ):
        wait_for(lambda: "listening=" in demo.log, timeout=120, what="the start of the demo")
        scrape.write_text(scrape_configuration(demo.url.removeprefix("http://")))
        storage = (
            f"-storageDataPath={folder / 'data'}",
            f"-promscrape.config={scrape}",
            "-search.latencyOffset=1s",  # new values are returned after 30 s by default
        )
        with (
            server(folder, "victoria-metrics", *storage) as database,
            server(
                folder,
                "vmalert",
                f"-rule={NO_KEEP_FIRING_RULES}",
                f"-datasource.url={database}",
                f"-remoteWrite.url={database}",
                f"-notifier.url=http://{address}",
                "-evaluationInterval=1s",
            ) as evaluating,
        ):
            yield Running(
                victoria_metrics=database, vmalert=evaluating, alertmanager=f"http://{address}"
            )


def test_victoria_metrics_stores_the_series_of_every_group(running: Running) -> None:
    query = 'count by (job) (sls_consumer_group_up{job="sls-exporter"}) == 9'
    wait_for(lambda: running.series(query), timeout=180, what=query)


def test_vmalert_evaluates_every_rule_without_an_error(running: Running) -> None:
    wait_for(
        lambda: all(rule["evaluationTime"] > 0 for rule in running.rules()),
        timeout=180,
        what="an evaluation of every rule",
    )
    assert {rule["name"]: rule["lastError"] for rule in running.rules() if rule["lastError"]} == {}


def test_the_alert_about_the_stalled_consumer_arrives_with_its_likely_cause(
    running: Running,
) -> None:
    def stalled() -> list[dict[str, Any]]:
        return [
            alert
            for alert in running.alerts()
            if alert["labels"]["alertname"] == "SLSConsumerShardStalled"
            and alert["labels"]["consumer_group"] == "stalled"
            and "Likely cause" in alert["annotations"]["description"]
        ]

    (alert,) = wait_for(stalled, timeout=240, what="the alert in Alertmanager")
    assert alert["labels"]["shard"] == "3"
    assert "owner_stuck (1)" in alert["annotations"]["description"]


@pytest.mark.parametrize(
    "query",
    [
        'ALERTS{alertname="SLSConsumerShardStalled",alertstate="firing"}',
        "consumer_group:sls_consumer_group_stalled_seconds:max",
    ],
)
def test_vmalert_writes_alerts_and_recorded_values_for_the_dashboards(
    running: Running, query: str
) -> None:
    wait_for(lambda: running.series(query), timeout=180, what=query)
