"""Health and readiness: the process and its threads, never the API behind them."""

import threading
import time
from functools import partial
from pathlib import Path

from exporter.app.health import StuckAfter
from exporter.base.clock import Clock
from tests.support import shop
from tests.support.faults import Delay, DelayUntil
from tests.support.faulty_simulator import FaultySimulator
from tests.support.running import running
from tests.support.wait import wait_for

config_file = partial(shop.config_file, polling="interval: 1s, timeout: 30s")


def test_the_exporter_is_ready_after_every_target_was_polled_and_healthy_before(
    tmp_path: Path,
) -> None:
    answered = threading.Event()
    with FaultySimulator(shop.shop()) as simulator:
        simulator.faults.add(DelayUntil(event=answered))
        with running(config_file(tmp_path, simulator.endpoint)) as exporter:
            assert exporter.get("/-/healthy").status_code == 200
            answer = exporter.get("/-/ready")
            assert answer.status_code == 503
            assert "targets not polled yet: 1" in answer.text
            answered.set()
            wait_for(lambda: exporter.get("/-/ready").status_code == 200)


def test_not_ready_before_patterns_are_resolved(tmp_path: Path) -> None:
    answered = threading.Event()
    with FaultySimulator(shop.shop()) as simulator:
        simulator.faults.add(DelayUntil(event=answered), operation="ListLogStores")
        with running(config_file(tmp_path, simulator.endpoint, name="ord.*")) as exporter:
            answer = exporter.get("/-/ready")
            assert answer.status_code == 503
            assert "not resolved" in answer.text
            answered.set()
            wait_for(lambda: exporter.get("/-/ready").status_code == 200)


def test_the_exporter_stays_healthy_and_ready_if_the_api_refuses_everything(tmp_path: Path) -> None:
    with running(config_file(tmp_path, "http://127.0.0.1:9")) as exporter:
        wait_for(lambda: exporter.get("/-/ready").status_code == 200)
        assert exporter.get("/-/healthy").status_code == 200
        assert exporter.scrape().value("sls_consumer_group_up") == 0


def test_a_stuck_worker_makes_the_exporter_unhealthy_until_it_continues(tmp_path: Path) -> None:
    answered = threading.Event()
    with FaultySimulator(shop.shop()) as simulator:
        simulator.faults.add(DelayUntil(event=answered))
        stuck_after = StuckAfter(poll=0.5)
        with running(
            config_file(tmp_path, simulator.endpoint), stuck_after=stuck_after
        ) as exporter:
            wait_for(lambda: exporter.get("/-/healthy").status_code == 503)
            assert "a worker is stuck in shop/orders" in exporter.get("/-/healthy").text
            answered.set()
            wait_for(lambda: exporter.get("/-/healthy").status_code == 200)


def test_long_poll_that_makes_progress_is_healthy(tmp_path: Path) -> None:
    world, groups = shop.shop(), [f"group-{number}" for number in range(10)]
    for group in groups:
        world.create_group("shop", "orders", group)
    with FaultySimulator(world) as simulator:
        simulator.faults.add(Delay(seconds=0.4), operation="GetCheckPoint")
        config = config_file(tmp_path, simulator.endpoint)
        text = config.read_text().replace("[billing]", f"[{', '.join(groups)}]")
        config.write_text(text.replace("timeout: 30s", "timeout: 30s, workers: 1"))
        with running(config, stuck_after=StuckAfter(poll=2.0)) as exporter:
            started = time.monotonic()
            while exporter.get("/-/ready").status_code != 200:
                assert exporter.get("/-/healthy").status_code == 200
            assert time.monotonic() - started > 2.0, "longer than a poll without progress may take"


def test_first_poll_that_outlasts_its_interval_is_shown_before_it_ends(tmp_path: Path) -> None:
    answered, name = threading.Event(), "sls_exporter_poll_interval_usage_ratio"
    with FaultySimulator(shop.shop()) as simulator:
        simulator.faults.add(DelayUntil(event=answered))
        with running(config_file(tmp_path, simulator.endpoint)) as exporter:
            wait_for(
                lambda: any(each.value > 1.0 for each in exporter.scrape().find(name)), timeout=60
            )
            assert exporter.scrape().value("sls_exporter_polls_total") == 0
            answered.set()
            wait_for(lambda: exporter.scrape().value(name) < 1.0, timeout=60)


def test_a_scheduler_that_does_not_run_makes_the_exporter_unhealthy(tmp_path: Path) -> None:
    with FaultySimulator(shop.shop()) as simulator:
        stuck_after = StuckAfter(heartbeat=0.5)
        # Its heart beats every five seconds, so between two beats it looks as if it had stopped.
        with running(
            config_file(tmp_path, simulator.endpoint), stuck_after=stuck_after
        ) as exporter:
            wait_for(lambda: exporter.get("/-/healthy").status_code == 503)
            assert "the scheduler does not run" in exporter.get("/-/healthy").text
            wait_for(lambda: exporter.get("/-/healthy").status_code == 200)


def test_runs_that_were_left_hours_ahead_are_made_up_for(tmp_path: Path) -> None:
    shift, due = 0.0, 0.0
    clock = Clock(wall=lambda: time.time() + shift, monotonic=lambda: time.monotonic() + shift)

    def asked() -> int:
        return sum(each.operation == "GetCheckPoint" for each in simulator.requests)

    def asked_again_after_the_heartbeat_was_late() -> bool:
        nonlocal shift, due
        # Try again, because a heartbeat may arrive before the check.
        if time.monotonic() >= due:
            shift, due = shift + 40.0, time.monotonic() + 7.0
        return asked() > 1

    with FaultySimulator(shop.shop()) as simulator:
        config = config_file(tmp_path, simulator.endpoint)
        config.write_text(config.read_text().replace("interval: 1s", "interval: 1h"))
        with running(config, clock=clock) as exporter:
            wait_for(lambda: exporter.get("/-/ready").status_code == 200)
            assert asked() == 1
            wait_for(asked_again_after_the_heartbeat_was_late, timeout=40.0)
