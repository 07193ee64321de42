"""Failed polls are counted by code, with the constant labels of what failed."""

from prometheus_client import CollectorRegistry, generate_latest

from exporter.metrics.error_counts import ErrorCounts
from exporter.metrics.self_catalogue import POLL_ERRORS
from exporter.model.names import GroupKey
from tests.support.scrape import Scrape, parsed

NAME = POLL_ERRORS.name
EAST = GroupKey("https://east.example", "shop", "orders", "billing")
WEST = EAST._replace(sls_endpoint="https://west.example")
LOGSTORE = EAST._replace(consumer_group="")


def scraped(counts: ErrorCounts) -> Scrape:
    registry = CollectorRegistry()
    registry.register(counts)
    return parsed(generate_latest(registry).decode())


def test_groups_of_two_endpoints_are_told_apart_by_their_labels() -> None:
    counts = ErrorCounts(POLL_ERRORS)
    for key, times in ((EAST, 1), (WEST, 2)):
        for _ in range(times):
            counts.count(key, "timeout")
    assert scraped(counts).value(NAME) == 3.0
    counts.keep_only({EAST: (("region", "east"),), WEST: (("region", "west"),)})
    assert scraped(counts).value(NAME, region="east", code="timeout") == 1.0
    assert scraped(counts).value(NAME, region="west", code="timeout") == 2.0


def test_logstore_has_its_own_labels() -> None:
    counts = ErrorCounts(POLL_ERRORS)
    counts.keep_only({EAST: (("team", "a"), ("tier", "b")), LOGSTORE: (("team", "c"),)})
    counts.count(EAST, "timeout")
    counts.count(LOGSTORE, "timeout")
    names = {"project": "shop", "logstore": "orders", "code": "timeout"}
    assert scraped(counts).labels(NAME) == [
        {**names, "consumer_group": "billing", "team": "a", "tier": "b"},
        {**names, "consumer_group": "", "team": "c"},
    ]


def test_new_labels_apply_to_what_was_counted_before() -> None:
    counts = ErrorCounts(POLL_ERRORS)
    counts.count(EAST, "timeout")
    counts.keep_only({EAST: (("team", "a"),)})
    counts.keep_only({EAST: (("team", "b"),)})
    counts.count(EAST, "timeout")
    assert [each.labels["team"] for each in scraped(counts).find(NAME)] == ["b"]
    assert scraped(counts).value(NAME) == 2.0


def test_group_that_is_not_kept_is_forgotten() -> None:
    counts = ErrorCounts(POLL_ERRORS)
    counts.count(EAST, "timeout")
    counts.keep_only({WEST: ()})
    assert scraped(counts).find(NAME) == []
    counts.keep_only({EAST: ()})
    assert scraped(counts).find(NAME) == []


def test_codes_beyond_the_bound_are_counted_as_other() -> None:
    counts = ErrorCounts(POLL_ERRORS)
    for number in range(150):
        counts.count(EAST, f"Code{number}")
    found = scraped(counts)
    assert len(found.find(NAME)) == 101
    assert found.value(NAME, code="other") == 50.0
