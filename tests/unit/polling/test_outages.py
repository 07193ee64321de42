"""Reports: a log line when a state changes, and none while it stays the same."""

import threading
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry

from exporter.base.clock import Clock
from exporter.metrics.self_metrics import SelfMetrics
from exporter.model.names import GroupKey, TargetKey
from exporter.polling.outages import Outages
from exporter.sls.errors import AccessDenied, ServerFault, SlsError
from exporter.sls.operations import OPERATION_NAMES
from tests.support.log_lines import Log
from tests.support.scrape import scrape
from tests.support.snapshots import ENDPOINT

ORDERS = TargetKey(ENDPOINT, "shop", "orders")
ERRORS = "sls_exporter_poll_errors_total"


@dataclass
class Polls:
    """A reporter and its log lines."""

    log: Log
    reporter: Outages
    registry: CollectorRegistry
    now: float = 1000.0

    def poll(self, *failures: tuple[str, str], good: set[str] | None = None) -> list[str]:
        """Run a poll in which groups fail with codes, and return the log lines."""
        before = len(self.log.events)
        for group, code in failures:
            self.reporter.poll_failed(ORDERS, group, error(code))
        self.reporter.end_poll(good)
        self.now += 60.0
        return [
            f"{event['msg']} {event.get('consumer_group', '-')} {event.get('code', '')}".strip()
            for event in self.log.events[before:]
        ]


@pytest.fixture
def polls() -> Polls:
    log, registry = Log(), CollectorRegistry()
    clock = Clock(wall=lambda: 0.0, monotonic=lambda: made.now)
    made = Polls(
        log,
        Outages(
            SelfMetrics(registry, operations=OPERATION_NAMES).poll_failed, log.logger, clock=clock
        ),
        registry,
    )
    return made


def error(code: str, message: str = "no") -> SlsError:
    return SlsError(message, operation="GetCheckPoint", code=code, status=401, request_id="r-1")


def test_failure_is_reported_once_with_its_target_and_request_id(polls: Polls) -> None:
    assert polls.poll(("billing", "Unauthorized")) == ["poll fails billing Unauthorized"]
    assert polls.poll(("billing", "Unauthorized")) == []
    assert polls.log.events == [
        {
            "level": "warning",
            "msg": "poll fails",
            "sls_endpoint": ENDPOINT,
            "project": "shop",
            "logstore": "orders",
            "consumer_group": "billing",
            "code": "Unauthorized",
            "error": "GetCheckPoint: 401 Unauthorized: no (request id r-1)",
        }
    ]


def test_every_failure_is_counted(polls: Polls) -> None:
    for _ in range(3):
        polls.poll(("billing", "Unauthorized"))
    assert scrape(polls.registry).value(ERRORS, consumer_group="billing") == 3


def test_recovery_is_reported_with_its_duration(polls: Polls) -> None:
    polls.poll(("billing", "timeout"))
    polls.poll(("billing", "timeout"))
    assert polls.poll(good={"billing"}) == ["poll recovered billing"]
    assert polls.log.events[-1]["after_seconds"] == 120.0
    assert polls.poll(good={"billing"}) == []


def test_new_failure_after_a_recovery_is_reported(polls: Polls) -> None:
    polls.poll(("billing", "timeout"))
    polls.poll(good={"billing"})
    assert polls.poll(("billing", "timeout")) == ["poll fails billing timeout"]


def test_alternating_error_codes_are_not_reported_indefinitely(polls: Polls) -> None:
    assert polls.poll(("billing", "timeout")) == ["poll fails billing timeout"]
    assert polls.poll(("billing", "connection")) == ["poll fails billing connection"]
    for _ in range(5):
        assert polls.poll(("billing", "timeout")) == []
        assert polls.poll(("billing", "connection")) == []
    assert polls.poll(good={"billing"}) == ["poll recovered billing"]
    assert polls.log.events[-1]["after_seconds"] == 720.0


def test_recovery_is_reported_for_each_group(polls: Polls) -> None:
    polls.poll(("billing", "timeout"), ("etl", "timeout"))
    assert polls.poll(("etl", "timeout"), good={"billing"}) == ["poll recovered billing"]


def test_first_of_several_failures_of_a_logstore_in_one_poll_is_reported(polls: Polls) -> None:
    told = polls.poll(("", "ServerBusy"), ("", "timeout"), good={"billing"})
    assert told == ["poll fails - ServerBusy"]
    assert scrape(polls.registry).value(ERRORS, consumer_group="", code="timeout") == 1


def test_a_group_that_left_while_it_failed_has_not_recovered(polls: Polls) -> None:
    polls.poll(("billing", "timeout"), good={"etl"})
    assert polls.poll(good={"etl"}) == []
    assert polls.reporter.failing == frozenset()


def test_a_logstore_that_was_not_asked_about_has_not_recovered(polls: Polls) -> None:
    polls.poll(("", "ServerBusy"), good={"billing"})
    assert polls.poll(("billing", "connection"), good=set()) == ["poll fails billing connection"]
    assert polls.poll(good={"billing"}) == ["poll recovered -", "poll recovered billing"]
    assert polls.log.events[-2]["after_seconds"] == 120.0


def test_listings_recover_when_they_do_not_fail_any_more(polls: Polls) -> None:
    polls.poll(("", "Unauthorized"))
    assert polls.reporter.failing == {GroupKey(ENDPOINT, "shop", "orders", "")}
    assert polls.poll() == ["poll recovered -"]
    assert polls.reporter.failing == frozenset()


def test_skipped_entries_are_reported_once_until_a_response_is_complete_again(polls: Polls) -> None:
    def poll(*, skips: bool) -> list[str]:
        if skips:
            polls.reporter.entries_skipped(ORDERS, "billing", ("shard 3: no cursor", "shard 4"))
        return polls.poll(good={"billing"})

    assert poll(skips=True) == []
    assert polls.log.events[0]["msg"] == "invalid entries of a response ignored"
    assert (polls.log.events[0]["count"], polls.log.events[0]["first"]) == (2, "shard 3: no cursor")
    poll(skips=True)
    assert len(polls.log.events) == 1
    poll(skips=False)
    poll(skips=True)
    assert len(polls.log.events) == 2
    assert scrape(polls.registry).value(ERRORS, code="invalid_response") == 3


def test_lost_access_to_cursors_is_reported_with_its_remedy_and_recovery(
    polls: Polls,
) -> None:
    polls.reporter.cursor_access_changed(ORDERS, error("Unauthorized"))
    polls.reporter.cursor_access_changed(ORDERS, None)
    lost, back = polls.log.events
    assert (lost["level"], lost["code"], back["level"]) == ("warning", "Unauthorized", "info")
    assert "log:GetCursorOrData" in lost["remedy"]


@pytest.mark.parametrize(
    ("failure", "remedy"),
    [
        (AccessDenied("no", operation="GetLogStore", code="Unauthorized"), "log:GetLogStore"),
        (ServerFault("no", operation="GetLogStore", code="InternalServerError"), "SLS itself"),
        (SlsError("no", operation="GetLogStore", code="Unheard"), None),
    ],
)
def test_lost_retention_time_is_reported_with_its_remedy_and_recovery(
    polls: Polls, failure: SlsError, remedy: str | None
) -> None:
    polls.reporter.retention_access_changed(ORDERS, failure)
    polls.reporter.retention_access_changed(ORDERS, None)
    lost, back = polls.log.events
    assert (lost["level"], lost["code"], back["level"]) == ("warning", failure.code, "info")
    assert lost["logstore"] == back["logstore"] == "orders"
    assert (remedy is None) == (lost.get("remedy") is None)
    assert (remedy or "") in (lost.get("remedy") or "")


def test_failures_from_many_threads_are_all_counted_and_reported_once(polls: Polls) -> None:
    def fail(number: int) -> None:
        for _ in range(50):
            polls.reporter.poll_failed(ORDERS, f"group-{number}", error("timeout"))

    threads = [threading.Thread(target=fail, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(polls.poll()) == 8
    counts = [sample.value for sample in scrape(polls.registry).find(ERRORS)]
    assert counts == [50.0] * 8


def test_unlimited_error_codes_are_reported_without_being_kept(polls: Polls) -> None:
    for number in range(30):
        assert len(polls.poll(("billing", f"Code{number}"))) == 1
    assert polls.poll(("billing", "Code3")) == [], "one of the first ten"
    assert len(polls.poll(("billing", "Code20"))) == 1
