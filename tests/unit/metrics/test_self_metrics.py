"""The metrics of the exporter itself: what they count, and what is forgotten."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from exporter.metrics.self_metrics import SelfMetrics
from exporter.model.names import GroupKey, ProjectKey
from exporter.sls.operations import OPERATION_NAMES
from tests.support.scrape import scrape
from tests.support.snapshots import group

SHOP = ProjectKey("https://example.com", "shop")
BANK = ProjectKey("https://example.com", "bank")
ABROAD = ProjectKey("https://example.org", "shop")
ACCOUNT = ProjectKey("https://example.com", "")  # whose projects are listed
REQUESTS = "sls_exporter_api_requests_total"
REQUEST_ERRORS = "sls_exporter_api_request_errors_total"


def codes_after(kept: Callable[[GroupKey], list[GroupKey]]) -> set[str]:
    registry = CollectorRegistry()
    own = SelfMetrics(registry, operations=OPERATION_NAMES)
    key = group().key
    own.poll_failed(key, "timeout")
    own.poll_failed(key._replace(consumer_group=""), "ServerBusy")
    own.keep_only(dict.fromkeys(kept(key), ()))
    return {labels["code"] for labels in scrape(registry).labels("sls_exporter_poll_errors_total")}


def test_values_of_projects_that_left_are_forgotten() -> None:
    registry = CollectorRegistry()
    own = SelfMetrics(registry, operations=OPERATION_NAMES)
    for project in ("shop", "bank", "post"):
        own.request_limit("https://example.com", project, 10.0)
        if project != "post":
            own.interval_usage("https://example.com", project, 0.5)
    own.keep_only_projects([SHOP, ProjectKey("https://example.org", "bank")])
    own.request_limit("https://example.com", "shop", 5.0)
    for name, value in (
        ("sls_exporter_request_limit_per_second", 5.0),
        ("sls_exporter_poll_interval_usage_ratio", 0.5),
    ):
        (sample,) = scrape(registry).find(name)
        labels = {"sls_endpoint": "https://example.com", "project": "shop"}
        assert (sample.labels, sample.value) == (labels, value)


def test_errors_of_groups_that_left_are_forgotten_and_those_of_others_kept() -> None:
    assert codes_after(lambda key: [key]) == {"timeout"}
    assert codes_after(lambda key: [key._replace(consumer_group="")]) == {"ServerBusy"}
    assert codes_after(lambda _: []) == set()


def test_request_errors_have_20_codes_per_project_at_most() -> None:
    registry = CollectorRegistry()
    own = SelfMetrics(registry, operations=OPERATION_NAMES)
    for number in range(300):
        own.request_ended(SHOP, OPERATION_NAMES[number % 2], 0.1, f"Code{number}")
    own.request_ended(SHOP, "GetCheckPoint", 0.1, "Code7")
    own.request_ended(BANK, "GetCheckPoint", 0.1, "Code299")
    found = scrape(registry)
    of_shop = found.find(REQUEST_ERRORS, project="shop")
    codes = {sample.labels["code"] for sample in of_shop}
    assert codes == {*(f"Code{number}" for number in range(20)), "other"}
    others = [sample.value for sample in of_shop if sample.labels["code"] == "other"]
    assert sum(others) == 280
    assert found.value(REQUEST_ERRORS, project="bank", code="Code299") == 1


def test_poll_errors_have_100_codes_at_most() -> None:
    registry = CollectorRegistry()
    own = SelfMetrics(registry, operations=OPERATION_NAMES)
    for number in range(300):
        own.poll_failed(group().key, f"Code{number}")
    found = scrape(registry)
    assert len(found.labels("sls_exporter_poll_errors_total")) == 101
    assert found.value("sls_exporter_poll_errors_total", code="other") == 200


def test_requests_are_counted_by_endpoint_project_and_operation() -> None:
    registry = CollectorRegistry()
    own = SelfMetrics(registry, operations=OPERATION_NAMES)
    for project in (SHOP, SHOP, BANK, ABROAD, ACCOUNT):
        own.request_ended(project, "GetCheckPoint", 0.1, None)
    own.request_ended(SHOP, "GetCursor", 0.1, "timeout")
    found = scrape(registry)
    counted = {
        (labels["sls_endpoint"], labels["project"], labels["operation"]): found.value(
            REQUESTS, **labels
        )
        for labels in found.labels(REQUESTS)
    }
    assert counted == {
        (*SHOP, "GetCheckPoint"): 2,
        (*BANK, "GetCheckPoint"): 1,
        (*ABROAD, "GetCheckPoint"): 1,
        (*ACCOUNT, "GetCheckPoint"): 1,
        (*SHOP, "GetCursor"): 1,
    }
    (failed,) = found.labels(REQUEST_ERRORS)
    assert failed == {
        "sls_endpoint": SHOP.sls_endpoint,
        "project": SHOP.project,
        "operation": "GetCursor",
        "code": "timeout",
    }


def test_requests_of_projects_that_left_are_forgotten_with_the_clocks_of_their_endpoints() -> None:
    registry = CollectorRegistry()
    own = SelfMetrics(registry, operations=OPERATION_NAMES)
    for project in (SHOP, BANK, ABROAD, ACCOUNT):
        own.request_ended(project, "GetCheckPoint", 0.1, "timeout")
        own.clock_skew(project.sls_endpoint, 1.0)
        own.server_time_ignored(project.sls_endpoint)
    own.keep_only_requests([SHOP, ACCOUNT])
    found = scrape(registry)
    for name in (REQUESTS, REQUEST_ERRORS):
        assert {(each["sls_endpoint"], each["project"]) for each in found.labels(name)} == {
            SHOP,
            ACCOUNT,
        }
    for name in ("sls_exporter_clock_skew_seconds", "sls_exporter_ignored_server_times_total"):
        assert {each["sls_endpoint"] for each in found.labels(name)} == {SHOP.sls_endpoint}
    # A project that comes back is counted from 0.
    own.request_ended(BANK, "GetCheckPoint", 0.1, "timeout")
    for name in (REQUESTS, REQUEST_ERRORS):
        assert scrape(registry).value(name, project="bank") == 1
