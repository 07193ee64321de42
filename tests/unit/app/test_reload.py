"""Reloads: the caller gets the result, an invalid file changes nothing, kept jobs keep state."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.base.clock import Clock
from exporter.simulator.server import Simulator
from exporter.simulator.world import World
from tests.support.daemon import daemon
from tests.support.faults import Hang
from tests.support.faulty_simulator import FaultySimulator
from tests.support.held_clock import HeldClock
from tests.support.keys import CREDENTIALS
from tests.support.running import Running, running
from tests.support.wait import wait_for

LISTEN = "--web.listen-address=127.0.0.1:0"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    world = World(wall=time.time)
    world.create_project("shop")
    for logstore in ("orders", "clicks", "audit"):
        world.create_logstore("shop", logstore, shards=1)
        world.create_group("shop", logstore, "billing")
        world.write("shop", logstore, 0)
        end = world.end_cursor("shop", logstore, 0)
        world.update_checkpoint("shop", logstore, "billing", 0, end)
    with Simulator(world) as simulator:
        yield simulator


def text(simulator: Simulator, *logstores: str, interval: str = "60s") -> str:
    entries = "".join(
        f"      - {{logstore: {name}, consumer_groups: [billing]}}\n" for name in logstores
    )
    return (
        f"{CREDENTIALS}polling: {{interval: {interval}, requests_per_second: 1000}}\n"
        f"projects:\n  - project: shop\n    endpoint: {simulator.endpoint}\n"
        f"    logstores:\n{entries}"
    )


def logstores(exporter: Running) -> set[str]:
    return {
        sample.labels["logstore"]
        for sample in exporter.scrape().find("sls_consumer_group_checkpoint_age_seconds")
    }


def write(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def test_a_reload_removes_what_left_adds_what_came_and_keeps_what_stays(
    simulator: Simulator, tmp_path: Path
) -> None:
    config = write(tmp_path / "config.yaml", text(simulator, "orders", "clicks"))
    with running(config, enable_lifecycle=True) as exporter:
        wait_for(lambda: logstores(exporter) == {"orders", "clicks"})
        success = "sls_consumer_group_last_success_timestamp_seconds"
        before = exporter.scrape().value(success, logstore="orders")
        polls = exporter.scrape().value("sls_exporter_polls_total")
        write(config, text(simulator, "orders", "audit"))
        answer = exporter.post("/-/reload")
        assert answer.status_code == 200
        at_once = exporter.scrape()
        assert not at_once.find(success, logstore="clicks"), "gone from the next scrape"
        assert at_once.value(success, logstore="orders") == before, "the snapshot is kept"
        assert at_once.value("sls_exporter_polls_total") >= polls, "counters are kept"
        assert at_once.value("sls_exporter_config_last_reload_successful") == 1
        wait_for(lambda: logstores(exporter) == {"orders", "audit"})
        assert exporter.scrape().value(success, logstore="orders") == before, "the phase is kept"


def test_new_group_of_a_known_logstore_is_polled_soon_after_a_reload(
    simulator: Simulator, tmp_path: Path
) -> None:
    simulator.world.create_group("shop", "orders", "mailing")
    before = text(simulator, "orders", "clicks", interval="300d")
    config = write(tmp_path / "config.yaml", before)
    with running(config, enable_lifecycle=True) as exporter:
        wait_for(lambda: exporter.get("/-/ready").ok, timeout=60)
        success = "sls_consumer_group_last_success_timestamp_seconds"
        other = exporter.scrape().value(success, logstore="clicks")
        write(config, before.replace("[billing]", "[billing, mailing]", 1))
        assert exporter.post("/-/reload").ok
        wait_for(
            lambda: exporter.scrape().find("sls_consumer_group_up", consumer_group="mailing"),
            timeout=60,
            what="a poll of the new group",
        )
        assert exporter.scrape().value(success, logstore="clicks") == other, "the phase is kept"


def test_poll_that_a_reload_ends_is_repeated_soon(simulator: Simulator, tmp_path: Path) -> None:
    with FaultySimulator(simulator.world) as faulty:
        before = text(faulty, "orders", interval="300d, timeout: 300s")
        config = write(tmp_path / "config.yaml", before)
        faulty.faults.add(Hang(), operation="GetCheckPoint")
        with running(config, enable_lifecycle=True) as exporter:
            wait_for(
                lambda: any(each.operation == "GetCheckPoint" for each in faulty.requests),
                timeout=60,
                what="the first poll",
            )
            write(config, "stall_after: 7m\n" + before)
            assert exporter.post("/-/reload").ok
            assert exporter.get("/-/ready").status_code == 503
            faulty.faults.clear()
            wait_for(lambda: exporter.get("/-/ready").ok, timeout=60, what="the end of a poll")


def test_invalid_file_changes_nothing_and_the_caller_gets_every_error(
    simulator: Simulator, tmp_path: Path
) -> None:
    config = write(tmp_path / "config.yaml", text(simulator, "orders"))
    with running(config, enable_lifecycle=True) as exporter:
        wait_for(lambda: logstores(exporter) == {"orders"})
        loaded = "sls_exporter_config_last_reload_success_timestamp_seconds"
        before = exporter.scrape().value(loaded)
        bad = text(simulator, "clicks").replace("interval: 60s", "interval: never, workes: 3")
        write(config, bad)
        answer = exporter.post("/-/reload")
        assert answer.status_code == 500
        assert "polling.interval" in answer.text
        assert "polling.workes" in answer.text
        assert logstores(exporter) == {"orders"}
        assert exporter.scrape().value("sls_exporter_config_last_reload_successful") == 0
        assert exporter.scrape().value(loaded) == before
        write(config, text(simulator, "clicks"))
        assert exporter.post("/-/reload").status_code == 200
        assert exporter.scrape().value("sls_exporter_config_last_reload_successful") == 1
        assert exporter.scrape().value(loaded) >= before


def test_a_reload_without_credentials_changes_nothing(simulator: Simulator, tmp_path: Path) -> None:
    config = write(tmp_path / "config.yaml", text(simulator, "orders"))
    with running(config, enable_lifecycle=True) as exporter:
        wait_for(lambda: logstores(exporter) == {"orders"})
        write(config, text(simulator, "clicks").partition("\n")[2])
        answer = exporter.post("/-/reload")
        assert answer.status_code == 500
        assert "ALIBABA_CLOUD_ACCESS_KEY_ID" in answer.text
        assert logstores(exporter) == {"orders"}


def test_reload_over_http_is_off_unless_it_is_enabled(simulator: Simulator, tmp_path: Path) -> None:
    config = write(tmp_path / "config.yaml", text(simulator, "orders"))
    with running(config) as exporter:
        answer = exporter.post("/-/reload")
    assert answer.status_code == 403
    assert "--web.enable-lifecycle" in answer.text


def test_a_new_interval_takes_effect(simulator: Simulator, tmp_path: Path) -> None:
    config = write(tmp_path / "config.yaml", text(simulator, "orders", interval="170s"))
    with running(config, enable_lifecycle=True) as exporter:
        wait_for(lambda: logstores(exporter) == {"orders"})
        write(config, text(simulator, "orders", interval="1s"))
        assert exporter.post("/-/reload").status_code == 200
        wait_for(lambda: exporter.scrape().value("sls_exporter_polls_total") >= 3)


def test_sighup_reloads(simulator: Simulator, tmp_path: Path) -> None:
    config = write(tmp_path / "config.yaml", text(simulator, "orders"))
    with daemon(f"--config.file={config}", LISTEN) as exporter:
        name = "sls_consumer_group_up"
        wait_for(lambda: exporter.scrape().find(name, logstore="orders"))
        write(config, text(simulator, "clicks"))
        os.kill(exporter.process.pid, signal.SIGHUP)
        wait_for(lambda: exporter.scrape().find(name, logstore="clicks"))
        assert not exporter.scrape().find(name, logstore="orders")
        assert exporter.stop() == 0


def test_a_mounted_configmap_that_is_swapped_is_followed(
    simulator: Simulator, tmp_path: Path
) -> None:
    """Kubernetes links config.yaml to ..data/config.yaml and swaps ..data as a whole."""
    for version, logstore in (("v1", "orders"), ("v2", "clicks")):
        (tmp_path / version).mkdir()
        write(tmp_path / version / "config.yaml", text(simulator, logstore))
    (tmp_path / "..data").symlink_to("v1")
    config = tmp_path / "config.yaml"
    config.symlink_to("..data/config.yaml")
    with running(config, watched=True) as exporter:
        wait_for(lambda: logstores(exporter) == {"orders"})
        (tmp_path / "..data_tmp").symlink_to("v2")
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")
        wait_for(lambda: logstores(exporter) == {"clicks"}, timeout=20)


class LookClock:
    """The system's clock, which is held for the thread that looks at the watched file."""

    def __init__(self) -> None:
        self._held = HeldClock(time.time())
        self._start = time.monotonic()
        self._asked = 0
        self.clock = Clock(wall=self._wall, monotonic=self._monotonic)

    def look(self) -> None:
        """Make the thread look at the file, and wait until it has looked."""
        asked = self._asked
        self._held.advance(6)
        # A round of the thread reads the clock at most four times, and looks at the file first.
        wait_for(lambda: self._asked >= asked + 8, timeout=30)

    def _wall(self) -> float:
        return self._held.wall() if self._is_tending() else time.time()

    def _monotonic(self) -> float:
        if not self._is_tending():
            return time.monotonic()
        self._asked += 1
        return self._start + self._held.monotonic()

    def _is_tending(self) -> bool:
        return threading.current_thread().name == "tend"


def test_file_that_is_written_in_two_halves_is_loaded_only_as_a_whole(
    simulator: Simulator, tmp_path: Path
) -> None:
    config = write(tmp_path / "config.yaml", text(simulator, "orders"))
    look_clock = LookClock()
    with running(config, watched=True, clock=look_clock.clock) as exporter:
        wait_for(lambda: logstores(exporter) == {"orders"})
        name = "sls_exporter_config_last_reload_success_timestamp_seconds"
        loaded = exporter.scrape().value(name)
        first = text(simulator, "clicks")
        write(config, first)
        look_clock.look()
        with config.open("a") as file:
            file.write(text(simulator, "clicks", "audit").removeprefix(first))
        look_clock.look()
        assert exporter.scrape().value(name) == loaded
        look_clock.look()
        wait_for(lambda: logstores(exporter) == {"clicks", "audit"})
