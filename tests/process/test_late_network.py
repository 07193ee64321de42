"""The exporter as a process that starts before its network, with its default settings."""

import time
from pathlib import Path

from exporter.simulator.world import World
from tests.support.daemon import Daemon, daemon
from tests.support.faulty_simulator import FaultySimulator
from tests.support.keys import KEYS
from tests.support.servers import free_port
from tests.support.wait import wait_for

WITHIN_SECONDS = 30.0
"""The time from the network to the series of each project."""
CONFIG = """\
projects:
  - project: plain
    endpoint: ENDPOINT
    logstores: [{logstore: orders, consumer_groups: [billing]}]
  - project: groups
    endpoint: ENDPOINT
    logstores: [{logstore: orders, consumer_groups: ["b.*"]}]
  - project: logstores
    endpoint: ENDPOINT
    logstores: [{logstore: "o.*", consumer_groups: [billing]}]
  - project: "pro.*"
    endpoint: ENDPOINT
    logstores: [{logstore: "o.*", consumer_groups: ["b.*"]}]
"""
PROJECTS = {"plain", "groups", "logstores", "projects"}


def world() -> World:
    made = World(wall=time.time)
    for project in PROJECTS:
        made.create_project(project)
        made.create_logstore(project, "orders", shards=1)
        made.create_group(project, "orders", "billing")
        made.write(project, "orders", 0, count=2)
        end = made.end_cursor(project, "orders", 0)
        made.update_checkpoint(project, "orders", "billing", 0, end, consumer="worker-1")
    return made


def attempts(exporter: Daemon) -> float:
    found = exporter.scrape().find("sls_exporter_api_requests_total")
    return sum(sample.value for sample in found)


def shown(exporter: Daemon) -> set[str]:
    found = exporter.scrape().find("sls_consumer_group_checkpoint_age_seconds")
    return {sample.labels["project"] for sample in found}


def test_series_appear_soon_after_the_network_for_plain_names_and_patterns(
    tmp_path: Path,
) -> None:
    port = free_port()
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.replace("ENDPOINT", f"http://127.0.0.1:{port}"))
    arguments = (f"--config.file={config}", "--web.listen-address=127.0.0.1:0")
    with daemon(*arguments, environ=KEYS) as exporter:
        # Four rounds of four requests with three attempts each. The pauses are seconds by then.
        wait_for(lambda: attempts(exporter) > 48, timeout=40.0, what="several rounds of attempts")
        assert shown(exporter) == set()
        assert exporter.get("/-/ready").status_code == 503
        assert exporter.get("/-/healthy").status_code == 200
        with FaultySimulator(world(), address=("127.0.0.1", port)):
            wait_for(lambda: shown(exporter) == PROJECTS, timeout=WITHIN_SECONDS, what="series")
            wait_for(lambda: exporter.get("/-/ready").status_code == 200, what="readiness")
            success = exporter.scrape().find("sls_exporter_discovery_success")
            assert {sample.value for sample in success} == {1.0}
        assert exporter.stop() == 0
    assert "Traceback" not in exporter.log
