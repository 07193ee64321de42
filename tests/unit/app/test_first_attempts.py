"""Failures at the start: readiness waits for a short time, and attempts are repeated soon."""

import time
from functools import partial
from pathlib import Path

import pytest

from exporter.base.clock import Clock
from tests.support import shop
from tests.support.exchange import Fault
from tests.support.faults import Close, ErrorAnswer
from tests.support.faulty_simulator import FaultySimulator
from tests.support.running import Running, running
from tests.support.wait import wait_for

SUCCESS = "sls_exporter_discovery_success"
UP = "sls_consumer_group_up"
FAULTS: dict[str, Fault] = {
    "network": Close(),
    "broken": ErrorAnswer(status=500, code="InternalServerError"),
    "throttled": ErrorAnswer(status=403, code="ReadQuotaExceed"),
}


config_file = partial(shop.config_file, name="ord.*")


def ready(exporter: Running) -> bool:
    return exporter.get("/-/ready").status_code == 200


def is_failing(exporter: Running) -> bool:
    return [sample.value for sample in exporter.scrape().find(SUCCESS)] == [0.0]


@pytest.mark.parametrize("name", FAULTS)
def test_readiness_waits_for_a_listing_that_fails_for_a_passing_reason(
    tmp_path: Path, name: str
) -> None:
    with FaultySimulator(shop.shop()) as simulator:
        simulator.faults.add(FAULTS[name], operation="ListLogStores")
        with running(config_file(tmp_path, simulator.endpoint)) as exporter:
            wait_for(lambda: is_failing(exporter), what="the failed listing")
            wait_for(
                lambda: "listings not read yet: 1" in exporter.get("/-/ready").text,
                what="the reason",
            )
            assert not ready(exporter)
            simulator.faults.clear()
            wait_for(lambda: ready(exporter), timeout=20.0, what="the next attempt")
            assert exporter.scrape().value(UP) == 1


def test_readiness_waits_for_at_most_a_minute(tmp_path: Path) -> None:
    shift = 0.0
    clock = Clock(wall=time.time, monotonic=lambda: time.monotonic() + shift)
    with FaultySimulator(shop.shop()) as simulator:
        simulator.faults.add(Close(), operation="ListLogStores")
        with running(config_file(tmp_path, simulator.endpoint), clock=clock) as exporter:
            wait_for(lambda: "listings not read yet" in exporter.get("/-/ready").text)
            shift = 61.0
            wait_for(lambda: ready(exporter))
            assert is_failing(exporter)


def test_refusal_does_not_delay_readiness(tmp_path: Path) -> None:
    with FaultySimulator(shop.shop()) as simulator:
        simulator.deny("ListLogStores")
        with running(config_file(tmp_path, simulator.endpoint)) as exporter:
            wait_for(lambda: ready(exporter))
            assert is_failing(exporter)


def test_logstore_that_was_never_read_is_polled_again_before_its_interval(tmp_path: Path) -> None:
    with FaultySimulator(shop.shop()) as simulator:
        simulator.faults.add(Close(), operation="GetCheckPoint")
        config = config_file(
            tmp_path, simulator.endpoint, name="orders", polling="interval: 1h, stale_after: 2h"
        )
        with running(config) as exporter:
            wait_for(lambda: ready(exporter), what="the first poll")
            assert exporter.scrape().value(UP) == 0
            simulator.faults.clear()
            wait_for(lambda: exporter.scrape().value(UP) == 1, timeout=20.0, what="the next poll")
