"""The files of compose.yaml with real programs: an alert of the demo arrives at Alertmanager."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.support.alertmanager import alertmanager
from tests.support.daemon import Daemon, daemon
from tests.support.prometheus import Prometheus, prometheus
from tests.support.rules import alerting_rules
from tests.support.stack import FILES, file_in, service
from tests.support.wait import wait_for
from tools.paths import RULES

pytestmark = pytest.mark.timeout(400)
RULES_IN_CONTAINER = "/etc/prometheus/rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The addresses of the running programs, with a scheme."""

    urls: dict[str, str]
    prometheus: Prometheus


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    (folder / "rules").symlink_to(file_in(service("prometheus"), RULES_IN_CONTAINER))
    routes = (FILES / "alertmanager.yml").read_text(encoding="utf-8")
    with (
        running_demo() as demo,
        alertmanager(folder, routes) as address,
        prometheus(folder, on_loopback(demo.url, address)) as server,
    ):
        urls = {
            "sls-exporter": demo.url,
            "alertmanager": f"http://{address}",
            "prometheus": server.url,
        }
        yield Stack(urls=urls, prometheus=server)


@contextmanager
def running_demo() -> Iterator[Daemon]:
    with daemon("demo", "--web.listen-address=127.0.0.1:0") as demo:
        wait_for(lambda: "listening=" in demo.log, timeout=120, what="the start of the demo")
        yield demo


def on_loopback(exporter: str, alertmanager_address: str) -> str:
    """Return the configuration of Prometheus with addresses of this machine, and in a hurry."""
    text = (FILES / "prometheus.yml").read_text(encoding="utf-8")
    for name, here in (
        ("sls-exporter:10027", exporter.removeprefix("http://")),
        ("alertmanager:9093", alertmanager_address),
        ("_interval: 15s", "_interval: 1s"),
    ):
        assert name in text
        text = text.replace(name, here)
    return text


@pytest.mark.parametrize("name", ["sls-exporter", "alertmanager", "prometheus"])
def test_the_health_check_succeeds_at_the_running_program(stack: Stack, name: str) -> None:
    url = stack.urls[name] + service(name).health_path
    wait_for(lambda: requests.get(url, timeout=30).status_code == 200, timeout=120, what=url)


def test_prometheus_scrapes_the_exporter_as_the_job_of_the_dashboards(stack: Stack) -> None:
    query = 'up{job="sls-exporter"} == 1'
    wait_for(lambda: stack.prometheus.query(query), timeout=120, what=query)
    assert len(stack.prometheus.targets()) == 1


def test_prometheus_evaluates_every_shipped_alert(stack: Stack) -> None:
    answer = requests.get(f"{stack.prometheus.url}/api/v1/rules?type=alert", timeout=30).json()
    loaded = [rule["name"] for group in answer["data"]["groups"] for rule in group["rules"]]
    assert loaded == list(alerting_rules(RULES.read_text(encoding="utf-8")))


def test_the_alert_about_the_stalled_consumer_arrives_at_alertmanager(stack: Stack) -> None:
    found = wait_for(lambda: stalled(stack), timeout=180, what="the alert in Alertmanager")
    (alert,) = found
    wanted = {"project": "demo-shop", "logstore": "orders", "consumer_group": "stalled"}
    assert wanted.items() <= alert["labels"].items()
    assert alert["labels"]["shard"] == "3"
    assert [receiver["name"] for receiver in alert["receivers"]] == ["pager"]


def stalled(stack: Stack) -> list[dict[str, Any]]:
    answer = requests.get(f"{stack.urls['alertmanager']}/api/v2/alerts", timeout=30)
    return [
        alert
        for alert in answer.json()
        if alert["labels"]["alertname"] == "SLSConsumerShardStalled"
        and alert["labels"]["consumer_group"] == "stalled"
    ]
