"""VictoriaMetrics and vmalert: the scrape, every rule, and the alerts of the demo."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.support.alertmanager import alertmanager
from tests.support.daemon import daemon
from tests.support.docs import blocks, read
from tests.support.stack import FILES
from tests.support.victoria_metrics import database, vmalert
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
        with (
            database(folder, scrape) as storage,
            vmalert(
                folder, rules=NO_KEEP_FIRING_RULES, storage=storage, alertmanager=address
            ) as url,
        ):
            yield Running(victoria_metrics=storage, vmalert=url, alertmanager=f"http://{address}")


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
