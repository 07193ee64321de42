"""The state of each listing that a configuration needs, from the API to metrics and pages."""

import json
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from exporter.app.assembly import Parts
from exporter.simulator.wire import Response, json_response
from exporter.status import api
from tests.support.faults import Echo, ErrorAnswer, Hang
from tests.support.fleet import HEAD, NOW, Fleet, names
from tests.support.scrape import scrape
from tests.support.wait import wait_for

SUCCESS = "sls_exporter_discovery_success"
LAST_SUCCESS = "sls_exporter_discovery_last_success_timestamp_seconds"
DENIED = ErrorAnswer(status=401, code="Unauthorized", message="denied by sts or ram")
BROKEN = ErrorAnswer(status=500, code="InternalServerError")
OPERATIONS = ("ListProject", "ListLogStores", "ListConsumerGroup")

ALL_PATTERNS = """\
projects:
  - project: "sh.p"
    endpoint: ENDPOINT
    logstores: [{logstore: "app-.*", consumer_groups: ["bill.*"]}]
"""
PLAIN = """\
projects:
  - project: shop
    endpoint: ENDPOINT
    logstores: [{logstore: app-1, consumer_groups: [billing]}]
"""
PROJECTS = 25


def shown(engine: Parts, name: str) -> dict[tuple[str, str], float]:
    """Return the values of a metric of listings by project and logstore."""
    return {
        (sample.labels["project"], sample.labels["logstore"]): sample.value
        for sample in scrape(engine).find(name)
    }


def rows(engine: Parts, **query: str) -> Any:  # noqa: ANN401  JSON
    return json.loads(api.as_json(engine.groups(), query))


def asked(fleet: Fleet) -> Counter[str]:
    """Count the requests since the previous call."""
    found = Counter(record.operation for record in fleet.simulator.requests)
    fleet.simulator.forget_requests()
    return found


def test_each_listing_has_its_success_and_the_time_of_it(fleet: Fleet) -> None:
    engine = fleet.engine(ALL_PATTERNS)
    assert shown(engine, SUCCESS) == {}
    fleet.discover(engine)
    listings = [("", ""), ("shop", ""), ("shop", "app-1"), ("shop", "app-2")]
    assert shown(engine, SUCCESS) == dict.fromkeys(listings, 1.0)
    assert shown(engine, LAST_SUCCESS) == dict.fromkeys(listings, NOW)
    found = scrape(engine).labels(SUCCESS)
    assert {each["sls_endpoint"] for each in found} == {fleet.simulator.endpoint}


@pytest.mark.parametrize("fault", [DENIED, BROKEN], ids=["denied", "broken"])
@pytest.mark.parametrize(
    ("operation", "failing"),
    [
        ("ListProject", ("", "")),
        ("ListLogStores", ("shop", "")),
        ("ListConsumerGroup", ("shop", "app-1")),
    ],
)
def test_listing_that_never_succeeded_is_shown_as_failing(
    fleet: Fleet, operation: str, failing: tuple[str, str], fault: ErrorAnswer
) -> None:
    fleet.simulator.faults.add(fault, operation=operation)
    engine = fleet.engine(ALL_PATTERNS)
    fleet.discover(engine)
    assert shown(engine, SUCCESS)[failing] == 0.0
    assert failing not in shown(engine, LAST_SUCCESS)
    fleet.simulator.faults.clear()
    fleet.discover(engine)
    assert set(shown(engine, SUCCESS).values()) == {1.0}
    assert shown(engine, LAST_SUCCESS)[failing] == NOW


@pytest.mark.parametrize("operation", OPERATIONS)
def test_listing_that_begins_to_fail_keeps_the_time_of_its_last_success(
    fleet: Fleet, operation: str
) -> None:
    engine = fleet.engine(ALL_PATTERNS)
    before = fleet.discover(engine)
    fleet.clock.advance(300.0)
    fleet.simulator.faults.add(BROKEN, operation=operation)
    assert fleet.discover(engine) == before
    failing = {place for place, value in shown(engine, SUCCESS).items() if value == 0.0}
    assert failing
    times = shown(engine, LAST_SUCCESS)
    assert {times[place] for place in failing} == {NOW}
    assert {times[place] for place in times.keys() - failing} == {NOW + 300.0}


def test_listing_that_is_not_needed_any_more_has_no_state(fleet: Fleet) -> None:
    engine = fleet.engine(ALL_PATTERNS)
    fleet.simulator.faults.add(DENIED, operation="ListConsumerGroup")
    fleet.discover(engine)
    fleet.world.delete_logstore("shop", "app-2")
    fleet.discover(engine)
    assert ("shop", "app-2") not in shown(engine, SUCCESS)
    engine.configure(fleet.engine(PLAIN).manager.config)
    assert shown(engine, SUCCESS) == {}
    assert shown(engine, LAST_SUCCESS) == {}
    assert rows(engine)["summary"]["failing"] == 0


def test_plain_names_need_no_listing_and_have_no_state_of_one(fleet: Fleet) -> None:
    engine = fleet.engine(PLAIN)
    fleet.discover(engine)
    assert shown(engine, SUCCESS) == {}
    assert asked(fleet) == {}


def test_one_refused_project_among_many_is_named_with_its_error_and_remedy(fleet: Fleet) -> None:
    for number in range(PROJECTS - 1):
        fleet.world.create_project(f"team-{number}")
        fleet.world.create_logstore(f"team-{number}", "app", shards=1)
        fleet.world.create_group(f"team-{number}", "app", "billing")
    fleet.simulator.faults.add(DENIED, operation="ListLogStores", project="shop")
    entries = "".join(
        f"  - {{project: {name}, endpoint: ENDPOINT,"
        ' logstores: [{logstore: "app.*", consumer_groups: [billing]}]}\n'
        for name in ("shop", *(f"team-{number}" for number in range(PROJECTS - 1)))
    )
    engine = fleet.engine(f"projects:\n{entries}")
    fleet.discover(engine)
    fleet.poll(engine)
    fleet.clock.advance(120.0)
    found = rows(engine)
    assert found["summary"]["groups"] == PROJECTS - 1
    assert found["summary"]["failing"] == 1
    (row,) = rows(engine, state="failing")["groups"]
    assert found["groups"][0] == row, "the worst first"
    assert (row["project"], row["logstore"], row["consumer_group"]) == ("shop", "", "")
    assert (row["listing"], row["sls_endpoint"]) == ("logstores", fleet.simulator.endpoint)
    assert row["error"].startswith("ListLogStores: 401 Unauthorized: denied by sts or ram")
    assert row["error_code"] == "Unauthorized"
    assert "log:ListLogStores" in row["remedy"]
    assert row["failing_seconds"] == 120.0
    assert row["last_success_seconds"] is None


def test_restart_during_a_refusal_shows_the_same_failures(fleet: Fleet) -> None:
    mixed = PLAIN.replace(
        "logstores: [", 'logstores: [{logstore: "w.b", consumer_groups: [".*"]}, '
    )
    before = fleet.engine(mixed)
    fleet.discover(before)
    fleet.poll(before)
    fleet.simulator.faults.add(DENIED, project="shop")
    fleet.discover(before)
    fleet.poll(before)
    after = fleet.engine(mixed)
    fleet.discover(after)
    fleet.poll(after)
    for engine in (before, after):
        assert shown(engine, SUCCESS)["shop", ""] == 0.0
        assert scrape(engine).value("sls_consumer_group_up", logstore="app-1") == 0.0
        assert "logstores" in [row["listing"] for row in rows(engine, state="failing")["groups"]]


def test_listing_that_two_entries_need_is_read_once(fleet: Fleet) -> None:
    engine = fleet.engine(
        "projects: [{project: shop, endpoint: ENDPOINT, logstores: ["
        '{logstore: "app-.*", consumer_groups: ["bill.*"]},'
        '{logstore: "w.b", consumer_groups: ["bill.*"]}, {logstore: web, consumer_groups: [".*"]}'
        "]}]"
    )
    assert len(fleet.discover(engine)) == 4
    assert asked(fleet) == {"ListLogStores": 1, "ListConsumerGroup": 3}


# Retries before the first success


def retry(fleet: Fleet, engine: Parts, *, after: float) -> Counter[str]:
    """Let time pass, read what is due, and count the requests."""
    asked(fleet)
    fleet.clock.advance(after)
    engine.manager.discover(only_due=True)
    return asked(fleet)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_listing_that_failed_is_read_again_alone_and_then_all_that_follows(
    fleet: Fleet, operation: str
) -> None:
    fleet.simulator.faults.add(BROKEN, operation=operation)
    engine = fleet.engine(ALL_PATTERNS)
    assert fleet.discover(engine) == []
    assert engine.manager.unread_listings > 0
    assert engine.manager.seconds_to_listing() == 1.0
    assert retry(fleet, engine, after=0.5) == {}
    assert retry(fleet, engine, after=0.5).keys() == {operation}
    fleet.simulator.faults.clear()
    followed = retry(fleet, engine, after=1.0)
    assert followed.keys() == set(OPERATIONS[OPERATIONS.index(operation) :])
    assert names(engine) == ["shop/app-1/billing", "shop/app-2/billing"]
    assert engine.manager.unread_listings == 0
    assert engine.manager.seconds_to_listing() is None


def test_refused_listing_is_read_again_after_half_a_minute(fleet: Fleet) -> None:
    fleet.simulator.faults.add(DENIED, operation="ListLogStores")
    engine = fleet.engine(ALL_PATTERNS)
    fleet.discover(engine)
    assert engine.manager.unread_listings == 0
    assert retry(fleet, engine, after=29.0) == {}
    fleet.simulator.faults.clear()
    assert retry(fleet, engine, after=1.0)["ListLogStores"] == 1
    assert names(engine) == ["shop/app-1/billing", "shop/app-2/billing"]


def test_listing_that_has_succeeded_once_waits_for_the_next_discovery(fleet: Fleet) -> None:
    engine = fleet.engine(ALL_PATTERNS)
    fleet.discover(engine)
    fleet.simulator.faults.add(BROKEN)
    fleet.discover(engine)
    assert engine.manager.seconds_to_listing() is None
    assert retry(fleet, engine, after=3600.0) == {}
    assert set(shown(engine, SUCCESS).values()) == {0.0}


def test_retry_reports_whether_targets_have_changed(fleet: Fleet) -> None:
    fleet.simulator.faults.add(BROKEN, operation="ListConsumerGroup", logstore="app-2")
    engine = fleet.engine(ALL_PATTERNS)
    assert engine.manager.discover()
    fleet.clock.advance(1.0)
    assert not engine.manager.discover(only_due=True)
    fleet.simulator.faults.clear()
    fleet.clock.advance(1.0)
    assert engine.manager.discover(only_due=True)


def test_project_that_hangs_does_not_delay_the_targets_of_others(fleet: Fleet) -> None:
    fleet.simulator.faults.add(Hang(), operation="ListLogStores", project="bank")
    engine = fleet.engine(
        "projects:\n"
        + "".join(
            f"  - {{project: {name}, endpoint: ENDPOINT,"
            ' logstores: [{logstore: ".*", consumer_groups: [billing]}]}\n'
            for name in ("bank", "shop")
        )
    )
    noticed: list[list[str]] = []
    engine.manager.on_targets = lambda: noticed.append(names(engine))
    with ThreadPoolExecutor(1) as thread:
        discovery = thread.submit(engine.manager.discover)
        wait_for(lambda: noticed, what="targets of the other project")
        assert not discovery.done()
        assert not engine.manager.discovered
        assert shown(engine, SUCCESS) == {("shop", ""): 1.0}
        fleet.simulator.faults.clear()
        assert discovery.result(20.0)
    shop = ["shop/app-1/billing", "shop/app-2/billing", "shop/web/billing"]
    assert noticed == [shop]
    assert names(engine) == ["bank/ledger/billing", *shop]


def test_listing_of_an_old_configuration_leaves_no_state(fleet: Fleet) -> None:
    asked, released = threading.Event(), threading.Event()

    def late_error(_headers: Mapping[str, str]) -> Response:
        asked.set()
        released.wait(60.0)
        return json_response(500, {"errorCode": "InternalServerError", "errorMessage": "late"}, {})

    fleet.simulator.faults.add(Echo(make=late_error), logstore="app-1")
    engine = fleet.engine(
        "projects: [{project: shop, endpoint: ENDPOINT, logstores: ["
        '{logstore: app-1, consumer_groups: [".*"]}]}]'
    )
    with ThreadPoolExecutor(1) as thread:
        discovery = thread.submit(engine.manager.discover)
        assert asked.wait(60.0)
        engine.configure(fleet.engine(PLAIN).manager.config)
        released.set()
        assert not discovery.result(20.0)
    assert {record.status for record in fleet.simulator.requests} == {500}
    assert shown(engine, SUCCESS) == {}
    assert engine.manager.seconds_to_listing() is None


@pytest.mark.parametrize("operation", OPERATIONS)
def test_discovery_of_an_old_configuration_sends_no_more_requests(
    fleet: Fleet, operation: str
) -> None:
    hang = fleet.simulator.faults.add(Hang(), operation=operation)
    engine = fleet.engine(ALL_PATTERNS)
    changed = fleet.engine(ALL_PATTERNS, head=f"{HEAD}stall_after: 1h\n").manager.config
    with ThreadPoolExecutor(1) as thread:
        discovery = thread.submit(engine.manager.discover)
        wait_for(
            lambda: any(each.operation == operation for each in fleet.simulator.requests),
            what="the listing that hangs",
        )
        engine.configure(changed)
        fleet.simulator.faults.remove(hang)
        assert not discovery.result(20.0)
    asked = [record.operation for record in fleet.simulator.requests]
    assert asked == list(OPERATIONS[: OPERATIONS.index(operation) + 1])


def test_failure_of_another_listing_is_not_reported_as_recovered_by_a_retry(fleet: Fleet) -> None:
    fleet.simulator.faults.add(DENIED, operation="ListConsumerGroup", logstore="app-1")
    fleet.simulator.faults.add(BROKEN, operation="ListConsumerGroup", logstore="app-2")
    engine = fleet.engine(ALL_PATTERNS)
    fleet.discover(engine)
    fleet.simulator.faults.clear()
    fleet.clock.advance(1.0)
    engine.manager.discover(only_due=True)
    assert shown(engine, SUCCESS) == {
        ("", ""): 1.0,
        ("shop", ""): 1.0,
        ("shop", "app-1"): 0.0,
        ("shop", "app-2"): 1.0,
    }
