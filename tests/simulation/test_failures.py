"""The effect of a failure on the series, from the response of the API to the scrape.

The real engine polls the simulated service over HTTP. Both use the same manual clock.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.app.assembly import Parts, assemble
from exporter.config.reader import parse
from exporter.simulator.server import DEFAULT_CREDENTIALS
from exporter.simulator.world import World
from tests.support import faults
from tests.support.exchange import Fault
from tests.support.faulty_simulator import FaultySimulator
from tests.support.held_clock import HeldClock
from tests.support.scrape import Scrape, parsed

START = 1_700_000_000.0
BILLING = {"project": "shop", "logstore": "orders", "consumer_group": "billing"}
OTHERS = [
    {"project": "shop", "logstore": "orders", "consumer_group": "audit"},
    {"project": "shop", "logstore": "clicks", "consumer_group": "funnel"},
]
CONFIG = """\
credentials: {{access_key_id: {key_id}, access_key_secret: {secret}}}
polling: {{interval: 1s, timeout: 1s, stale_after: 3m, requests_per_second: 1000}}
projects:
  - project: shop
    endpoint: {endpoint}
    logstores:
      - {{logstore: orders, consumer_groups: [audit, billing]}}
      - {{logstore: clicks, consumer_groups: [funnel]}}
"""
"""A request that is refused for a quota is sent again for an interval, on the real clock."""
AGE = "sls_consumer_group_checkpoint_age_seconds"
LAG = "sls_consumer_group_lag_seconds"
SHARDS = "sls_consumer_group_shards"
UP = "sls_consumer_group_up"
LAST_SUCCESS = "sls_consumer_group_last_success_timestamp_seconds"
ALWAYS = {
    "sls_consumer_group_lag_limit_seconds",
    "sls_consumer_group_poll_interval_seconds",
    "sls_consumer_group_stall_after_seconds",
    "sls_consumer_group_up",
}
"""The series that a group has from its first poll on, also while its polls fail."""
COUNTERS = {
    "sls_consumer_group_checkpoint_resets_total",
    "sls_consumer_group_consumed_log_groups_total",
    "sls_consumer_group_owner_changes_total",
    "sls_consumer_group_written_log_groups_total",
}
"""The series that a group keeps from its first successful poll on."""
ERRORS = "sls_exporter_poll_errors_total"
OF_LOGSTORE = {
    "sls_logstore_shards",
    "sls_logstore_retention_seconds",
    "sls_exporter_cursor_access",
    "sls_exporter_retention_access",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """The world, the service in front of it, and the engine that watches it."""

    held: HeldClock
    world: World
    simulator: FaultySimulator
    engine: Parts

    def poll(self, *, after: float = 0.0) -> Scrape:
        """Poll every logstore once after some seconds, and scrape."""
        self.held.advance(after)
        for target in self.engine.manager.targets:
            self.engine.manager.poll(target.key)
        return self.scrape()

    def scrape(self, *, after: float = 0.0) -> Scrape:
        self.held.advance(after)
        return parsed(b"".join(self.engine.scrape().body).decode())


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Set three groups up, each with a checkpoint at START in both of its shards."""
    held = HeldClock(START)
    world = World(wall=held.wall)
    world.create_project("shop")
    for logstore, groups in {"orders": ["audit", "billing"], "clicks": ["funnel"]}.items():
        world.create_logstore("shop", logstore, shards=2)
        for shard in (0, 1):
            world.write("shop", logstore, shard, 10)
        for group in groups:
            world.create_group("shop", logstore, group)
            for shard in (0, 1):
                end = world.end_cursor("shop", logstore, shard)
                world.update_checkpoint("shop", logstore, group, shard, end, consumer="host-1")
    with FaultySimulator(world) as simulator:
        text = CONFIG.format(
            endpoint=simulator.endpoint,
            key_id=DEFAULT_CREDENTIALS.access_key_id,
            secret=DEFAULT_CREDENTIALS.access_key_secret,
        )
        config = parse(text, name="test", environ={}, base_dir=Path())
        engine = assemble(config, environ={}, clock=held.clock, start_rate=10_000.0)
        try:
            yield Stage(held, world, simulator, engine)
        finally:
            engine.close()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="exporter.polls")
    return caplog


def events(log: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """Return the log events of the polls: the message under ``msg``, and the other fields."""
    return [
        {"msg": record.getMessage(), **vars(record)["facts"]}
        for record in log.records
        if record.name == "exporter.polls"
    ]


def values(scrape: Scrape, name: str, **labels: str) -> list[float]:
    return [float(sample.value) for sample in scrape.find(name, **labels)]


def names(scrape: Scrape, **labels: str) -> set[str]:
    return {sample.name for sample in scrape.samples if labels.items() <= sample.labels.items()}


def assert_fresh(scrape: Scrape, group: dict[str, str], *, at: float) -> None:
    """Expect both shards of a healthy group, polled at an instant."""
    assert values(scrape, UP, **group) == [1]
    assert values(scrape, LAST_SUCCESS, **group) == [at]
    assert values(scrape, AGE, **group) == [at - START] * 2
    assert values(scrape, LAG, **group) == [0, 0]
    assert values(scrape, ERRORS, **group) == []


# One of each kind. The tests of ``http`` have many more.
FAILURES: list[tuple[Fault, str]] = [
    (faults.Html(status=200), "invalid_response"),
    (faults.Body(text='{"shards": []}'), "invalid_response"),
    (faults.Redirect(location="http://127.0.0.1:1/"), "invalid_response"),
    (faults.Reset(), "connection"),
    (faults.Hang(), "timeout"),
    (faults.ErrorAnswer(status=401, code="Unauthorized"), "Unauthorized"),
    (faults.ErrorAnswer(status=403, code="ProjectForbidden"), "ProjectForbidden"),
    (faults.ErrorAnswer(status=403, code="ReadQuotaExceed"), "ReadQuotaExceed"),
    (faults.ErrorAnswer(status=404, code="ShardNotExist"), "ShardNotExist"),
    (faults.ErrorAnswer(status=429, code="TooManyRequests"), "TooManyRequests"),
    (faults.ErrorAnswer(status=500, code="InternalServerError"), "InternalServerError"),
    (faults.ErrorAnswer(status=502, code="BadGateway"), "BadGateway"),
    (faults.ErrorAnswer(status=503, code="ServerBusy"), "ServerBusy"),
]


@pytest.mark.parametrize(("fault", "code"), FAILURES, ids=[str(each) for each, _ in FAILURES])
def test_a_failing_group_does_not_affect_others_and_recovers_by_itself(
    stage: Stage, fault: Fault, code: str
) -> None:
    for group in (BILLING, *OTHERS):
        assert_fresh(stage.poll(), group, at=START)

    planned = stage.simulator.faults.add(
        fault, operation="GetCheckPoint", logstore="orders", consumer_group="billing"
    )
    scrape = stage.poll(after=60)
    for group in OTHERS:
        assert_fresh(scrape, group, at=START + 60)
    assert values(scrape, UP, **BILLING) == [0]
    assert values(scrape, LAST_SUCCESS, **BILLING) == [START]
    assert values(scrape, AGE, **BILLING) == [60, 60]
    assert values(scrape, SHARDS, **BILLING, state="caught_up") == [2]
    assert values(scrape, ERRORS) == [1]
    assert values(scrape, ERRORS, **BILLING, code=code) == [1]

    # At the end of stale_after the series are still there, then they are not; no poll is needed.
    assert values(stage.scrape(after=120), AGE, **BILLING) == [180, 180]
    scrape = stage.scrape(after=1)
    assert names(scrape, **BILLING) == ALWAYS | COUNTERS | {LAST_SUCCESS, ERRORS}
    assert values(scrape, UP, **BILLING) == [0]
    assert values(scrape, LAST_SUCCESS, **BILLING) == [START]

    stage.simulator.faults.remove(planned)
    scrape = stage.poll(after=60)
    for group in OTHERS:
        assert_fresh(scrape, group, at=START + 241)
    assert values(scrape, UP, **BILLING) == [1]
    assert values(scrape, LAST_SUCCESS, **BILLING) == [START + 241]
    assert values(scrape, AGE, **BILLING) == [241, 241]
    assert values(scrape, ERRORS, **BILLING, code=code) == [1]


def test_a_group_without_any_successful_response_is_down_and_has_no_other_series(
    stage: Stage,
) -> None:
    stage.simulator.faults.add(faults.Html(), consumer_group="billing")
    scrape = stage.poll()
    assert names(scrape, **BILLING) == ALWAYS | {ERRORS}
    assert values(scrape, UP, **BILLING) == [0]


@pytest.mark.parametrize(
    ("missing", "code"),
    [
        ("project", "ProjectNotExist"),
        ("logstore", "LogStoreNotExist"),
        ("group", "ConsumerGroupNotExist"),
    ],
)
def test_series_of_deleted_objects_are_removed_immediately(
    stage: Stage, missing: str, code: str
) -> None:
    stage.poll()
    if missing == "project":
        stage.world.delete_project("shop")
    elif missing == "logstore":
        stage.world.delete_logstore("shop", "orders")
    else:
        stage.world.delete_group("shop", "orders", "billing")
    scrape = stage.poll(after=60)
    assert names(scrape, **BILLING) == ALWAYS | COUNTERS | {LAST_SUCCESS, ERRORS}
    assert values(scrape, UP, **BILLING) == [0]
    assert values(scrape, LAST_SUCCESS, **BILLING) == [START]
    assert values(scrape, ERRORS, **BILLING, code=code) == [1]
    if missing == "group":
        for group in OTHERS:
            assert_fresh(scrape, group, at=START + 60)
        return
    assert not names(scrape, logstore="orders") & OF_LOGSTORE
    if missing == "logstore":
        assert_fresh(scrape, OTHERS[1], at=START + 60)


def test_logstore_series_stay_until_stale_after_while_all_its_groups_fail(
    stage: Stage,
) -> None:
    stage.poll()
    outage = stage.simulator.faults.add(
        faults.Html(status=200), operation="GetCheckPoint", logstore="orders"
    )
    stage.poll(after=60)
    scrape = stage.poll(after=60)
    assert values(scrape, UP, logstore="orders") == [0, 0]
    scrape = stage.scrape(after=60)
    assert names(scrape, logstore="orders") >= OF_LOGSTORE
    assert values(scrape, "sls_logstore_shards", logstore="orders", status="readwrite") == [2]
    scrape = stage.poll(after=1)
    assert not names(scrape, logstore="orders") & OF_LOGSTORE
    assert names(scrape, logstore="clicks") >= OF_LOGSTORE
    stage.simulator.faults.remove(outage)
    assert names(stage.poll(after=60), logstore="orders") >= OF_LOGSTORE


def test_a_group_that_comes_back_is_shown_again(stage: Stage) -> None:
    stage.poll()
    stage.world.delete_group("shop", "orders", "billing")
    assert values(stage.poll(after=60), AGE, **BILLING) == []
    stage.world.create_group("shop", "orders", "billing")
    stage.world.update_checkpoint("shop", "orders", "billing", 0, "MQ==", consumer="host-2")
    scrape = stage.poll(after=60)
    assert values(scrape, UP, **BILLING) == [1]
    assert values(scrape, AGE, **BILLING, consumer="host-2") == [60]


# Bad entries


BAD_ENTRY = json.dumps(
    [
        {"shard": 0, "checkpoint": "", "updateTime": 0, "consumer": ""},
        {"shard": "\x1b[31m", "checkpoint": "MQ=="},
    ]
)


def test_an_invalid_entry_is_omitted_and_counted_each_time_and_logged_once(
    stage: Stage, log: pytest.LogCaptureFixture
) -> None:
    stage.simulator.faults.add(
        faults.Body(text=BAD_ENTRY), operation="GetCheckPoint", consumer_group="billing"
    )
    stage.poll(after=60)
    stage.poll(after=60)
    scrape = stage.poll(after=60)
    assert values(scrape, UP, **BILLING) == [1]
    assert values(scrape, LAST_SUCCESS, **BILLING) == [START + 180]
    assert values(scrape, ERRORS, **BILLING, code="invalid_response") == [3]
    for group in OTHERS:
        assert_fresh(scrape, group, at=START + 180)
    (event,) = events(log)
    assert event["msg"] == "invalid entries of a response ignored"
    assert event["count"] == 1
    assert event["first"] == "shard is the text '�[31m', expected a whole number"
    assert {name: event[name] for name in BILLING} == BILLING


# Failures of requests that the groups of a logstore share


@pytest.mark.parametrize(
    "fault",
    [
        faults.Html(),
        faults.Body(text="not JSON"),
        faults.Reset(),
        faults.Hang(),
        faults.ErrorAnswer(status=500, code="InternalServerError"),
    ],
    ids=str,
)
@pytest.mark.parametrize("operation", ["ListShards", "GetCursor", "GetCursorTime", "GetLogStore"])
def test_a_failed_request_for_other_data_keeps_the_checkpoint_ages(
    stage: Stage, operation: str, fault: Fault
) -> None:
    stage.world.write("shop", "orders", 1, 5)
    stage.simulator.faults.add(fault, operation=operation, logstore="orders")
    scrape = stage.poll(after=60)
    for group in (BILLING, OTHERS[0]):
        assert values(scrape, UP, **group) == [1]
        assert values(scrape, AGE, **group) == [60, 60]
    assert_fresh(scrape, OTHERS[1], at=START + 60)
    failed = values(scrape, "sls_exporter_api_request_errors_total", operation=operation)
    assert sum(failed) >= 1
    # A poll without the retention time does not count as failed, since all else is available.
    polls = values(scrape, ERRORS, logstore="orders", consumer_group="")
    assert (sum(polls) >= 1) == (operation != "GetLogStore")
    assert values(scrape, ERRORS, logstore="clicks") == []
