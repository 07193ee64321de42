"""The daemon as a process: it starts even if the API fails, recovers, and stops immediately."""

import signal
import time
from pathlib import Path

import pytest

from exporter.simulator.world import World
from tests.support.daemon import daemon
from tests.support.faults import Hang
from tests.support.faulty_simulator import FaultySimulator
from tests.support.keys import KEYS
from tests.support.servers import free_port
from tests.support.wait import wait_for

LISTEN = "--web.listen-address=127.0.0.1:0"


def world_of(logstores: int = 1) -> World:
    world = World(wall=time.time)
    world.create_project("shop")
    for number in range(logstores):
        name = f"log-{number}"
        world.create_logstore("shop", name, shards=1)
        world.create_group("shop", name, "billing")
        world.write("shop", name, 0, count=2)
        cursor = world.end_cursor("shop", name, 0)
        world.update_checkpoint("shop", name, "billing", 0, cursor, consumer="worker-1")
    return world


def config_file(folder: Path, endpoint: str, *, logstores: int = 1, polling: str = "") -> Path:
    entries = "".join(
        f"      - {{logstore: log-{number}, consumer_groups: [billing]}}\n"
        for number in range(logstores)
    )
    path = folder / "config.yaml"
    path.write_text(
        f"polling: {{interval: 1s, stale_after: 30s, requests_per_second: 10000{polling}}}\n"
        f"projects:\n  - project: shop\n    endpoint: {endpoint}\n    logstores:\n{entries}"
    )
    return path


def test_the_daemon_polls_serves_and_ends_with_status_0(tmp_path: Path) -> None:
    with FaultySimulator(world_of()) as simulator:
        config = config_file(tmp_path, simulator.endpoint)
        with daemon(f"--config.file={config}", LISTEN, environ=KEYS) as exporter:
            wait_for(lambda: exporter.get("/-/ready").status_code == 200)
            found = exporter.scrape()
            age = found.value(
                "sls_consumer_group_checkpoint_age_seconds",
                project="shop",
                logstore="log-0",
                consumer_group="billing",
                shard="0",
                consumer="worker-1",
            )
            assert 0 <= age < 60
            assert exporter.get("/-/healthy").status_code == 200
            assert exporter.stop() == 0
            wait_for(lambda: "stopping" in exporter.log)
    assert "Traceback" not in exporter.log
    assert "Warning" not in exporter.log


def test_the_daemon_starts_and_logs_failures_and_recovers_if_the_api_is_down(
    tmp_path: Path,
) -> None:
    port = free_port()
    config = config_file(tmp_path, f"http://127.0.0.1:{port}")
    with daemon(f"--config.file={config}", LISTEN, environ=KEYS) as exporter:
        wait_for(lambda: exporter.scrape().find("sls_exporter_poll_errors_total"))
        down = exporter.scrape()
        assert down.value("sls_consumer_group_up") == 0
        assert down.labels("sls_exporter_poll_errors_total")[0]["code"] == "connection"
        assert exporter.get("/-/healthy").status_code == 200
        assert exporter.get("/-/ready").status_code == 200
        with FaultySimulator(world_of(), address=("127.0.0.1", port)):
            wait_for(lambda: exporter.scrape().value("sls_consumer_group_up") == 1)
            assert exporter.scrape().find("sls_consumer_group_checkpoint_age_seconds")
            wait_for(lambda: "poll recovered" in exporter.log, what="the end of the poll")
        assert exporter.stop() == 0
        wait_for(lambda: "stopping" in exporter.log)
    lines = [line for line in exporter.log.splitlines() if "poll fails" in line]
    assert len(lines) == 1, "a line at the change of state, not one a poll"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_polls_ends_the_daemon_with_status_0_despite_queued_polls(
    tmp_path: Path, number: int
) -> None:
    with FaultySimulator(world_of(300)) as simulator:
        simulator.faults.add(Hang())
        config = config_file(tmp_path, simulator.endpoint, logstores=300, polling=", timeout: 60s")
        with daemon(f"--config.file={config}", LISTEN, environ=KEYS) as exporter:
            wait_for(lambda: simulator.connections >= 8, what="all workers in a request that hangs")
            assert exporter.stop(number, within=5.0) == 0
    assert exporter.stdout == []
    assert "Traceback" not in exporter.log
