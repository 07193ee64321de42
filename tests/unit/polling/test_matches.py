"""The number of groups that match each item of the configuration, from a pattern to the page."""

import json
from typing import Any

import pytest

from exporter.app.assembly import Parts
from exporter.config.patterns import Pattern
from exporter.polling.matches import MatchReports
from exporter.polling.scope import Scope
from exporter.polling.sharding import Sharding
from exporter.status import api, page
from tests.support.fault_plan import Scope as FaultScope
from tests.support.faults import ErrorAnswer
from tests.support.fleet import Fleet
from tests.support.log_lines import Log
from tests.support.scrape import scrape

NAME = "sls_exporter_matching_groups"
TYPING_ERROR = """\
projects:
  - project: shop
    endpoint: ENDPOINT
    logstores:
      - {logstore: "app-.*", consumer_groups: ["bill.*"]}
      - {logstore: "ap-.*", consumer_groups: [billing]}
      - {logstore: web, consumer_groups: ["biling.*"]}
      - {logstore: app-1, consumer_groups: [absent]}
  - project: bank
    endpoint: ENDPOINT
    logstores: [{logstore: ledger, consumer_groups: [".*"], exclude_consumer_groups: [".*"]}]
"""


def matches(engine: Parts) -> dict[str, float]:
    """Return the values of the metric by item, without the words that all items share."""
    return {
        each.labels["item"].replace("projects", "").replace(".logstores", ""): each.value
        for each in scrape(engine).find(NAME)
    }


def shown(engine: Parts) -> Any:  # noqa: ANN401  JSON
    return json.loads(api.as_json(engine.groups(), {}))["items_without_groups"]


def test_items_that_match_nothing_have_a_value_of_0_and_are_on_the_page(fleet: Fleet) -> None:
    engine = fleet.engine(TYPING_ERROR)
    fleet.discover(engine)
    assert matches(engine) == {"[0][0]": 2, "[0][1]": 0, "[0][2]": 0, "[0][3]": 1, "[1][0]": 0}
    items = ["projects[0].logstores[1]", "projects[0].logstores[2]", "projects[1].logstores[0]"]
    assert shown(engine) == items
    text = page.page(engine.groups(), {}, telemetry_path="/metrics").decode()
    assert f"3 items of the configuration without groups: {', '.join(items)}" in text


def test_item_that_begins_to_match_is_not_on_the_page_any_more(fleet: Fleet) -> None:
    engine = fleet.engine(TYPING_ERROR)
    fleet.discover(engine)
    fleet.world.create_group("shop", "web", "biling")
    fleet.discover(engine)
    assert matches(engine)["[0][2]"] == 1
    assert "projects[0].logstores[2]" not in shown(engine)
    fleet.world.delete_group("shop", "web", "biling")
    fleet.discover(engine)
    assert matches(engine)["[0][2]"] == 0


def test_no_item_is_without_groups_before_the_first_listings(fleet: Fleet) -> None:
    engine = fleet.engine(TYPING_ERROR)
    assert matches(engine) == {"[0][3]": 1}, "plain names need no listing"
    assert shown(engine) == []


@pytest.mark.parametrize(
    ("scope", "without"),
    [
        ({"operation": "ListLogStores", "project": "shop"}, {"[1][0]"}),
        ({"operation": "ListConsumerGroup", "logstore": "web"}, {"[0][1]", "[1][0]"}),
        ({"operation": "ListConsumerGroup", "logstore": "ledger"}, {"[0][1]", "[0][2]"}),
    ],
)
def test_listing_that_never_succeeded_hides_only_what_it_may_find(
    fleet: Fleet, scope: FaultScope, without: set[str]
) -> None:
    denied = ErrorAnswer(status=401, code="Unauthorized")
    fault = fleet.simulator.faults.add(denied, **scope)
    engine = fleet.engine(TYPING_ERROR)
    fleet.discover(engine)
    assert {item for item, count in matches(engine).items() if not count} == without
    fleet.simulator.faults.remove(fault)
    fleet.discover(engine)
    assert len(shown(engine)) == 3


def test_listing_of_projects_that_never_succeeded_hides_patterns_of_projects(
    fleet: Fleet,
) -> None:
    fleet.simulator.faults.add(
        ErrorAnswer(status=401, code="Unauthorized"), operation="ListProject"
    )
    engine = fleet.engine(TYPING_ERROR.replace("project: bank", 'project: "ba.*"'))
    fleet.discover(engine)
    assert shown(engine) == ["projects[0].logstores[1]", "projects[0].logstores[2]"]


def test_listing_that_fails_later_keeps_the_matches(fleet: Fleet) -> None:
    engine = fleet.engine(TYPING_ERROR)
    fleet.discover(engine)
    before = matches(engine)
    fleet.simulator.faults.add(ErrorAnswer(status=500, code="InternalServerError"))
    fleet.discover(engine)
    assert matches(engine) == before


def test_item_that_an_earlier_one_decides_about_has_groups(fleet: Fleet) -> None:
    engine = fleet.engine(
        "projects: [{project: shop, endpoint: ENDPOINT, logstores: ["
        '{logstore: "app-.*", consumer_groups: [".*"]},'
        ' {logstore: "app-1", consumer_groups: ["bill.*"]}]}]'
    )
    fleet.discover(engine)
    assert matches(engine) == {"[0][0]": 4, "[0][1]": 1}


def test_items_of_a_new_configuration_replace_those_of_the_earlier_one(fleet: Fleet) -> None:
    engine = fleet.engine(TYPING_ERROR)
    fleet.discover(engine)
    plain = "projects: [{project: shop, endpoint: ENDPOINT, logstores: [{logstore: web}]}]".replace(
        "web}", "web, consumer_groups: [billing]}"
    )
    engine.configure(fleet.engine(plain).manager.config)
    assert matches(engine) == {"[0][0]": 1}
    assert shown(engine) == []


def test_exporters_that_share_the_work_count_each_group_once(fleet: Fleet) -> None:
    counts = []
    for shard in range(3):
        scope = Scope(sharding=Sharding(shard=shard, total=3))
        engine = fleet.engine(TYPING_ERROR, scope=scope)
        fleet.discover(engine)
        counts.append(matches(engine))
    total = {item: sum(each[item] for each in counts) for item in counts[0]}
    assert total == {"[0][0]": 2, "[0][1]": 0, "[0][2]": 0, "[0][3]": 1, "[1][0]": 0}


def test_item_outside_of_a_filter_by_names_is_not_reported(fleet: Fleet) -> None:
    engine = fleet.engine(TYPING_ERROR, scope=Scope(logstore=Pattern.parse("app-1")))
    fleet.discover(engine)
    assert matches(engine) == {"[0][0]": 1, "[0][3]": 1}


def test_only_changes_are_logged() -> None:
    log = Log()
    reports = MatchReports(log.logger)
    for found in ({"a": 0, "b": 1}, {"a": 0, "b": 0}, {"a": 2, "b": 0}, {"a": 2}):
        reports.report(found)
    none, some = "matches no consumer group", "matches consumer groups"
    assert [(each["item"], each["msg"]) for each in log.events] == [
        ("a", f"item of the configuration {none}"),
        ("b", f"item of the configuration {none}"),
        ("a", f"item of the configuration {some}"),
    ]


def test_page_names_at_most_three_items(fleet: Fleet) -> None:
    items = ", ".join('{logstore: "none-.*", consumer_groups: [billing]}' for _ in range(5))
    engine = fleet.engine(
        f"projects: [{{project: shop, endpoint: ENDPOINT, logstores: [{items}]}}]"
    )
    fleet.discover(engine)
    text = page.page(engine.groups(), {}, telemetry_path="/metrics").decode()
    assert "5 items of the configuration without groups: projects[0].logstores[0]," in text
    assert "projects[0].logstores[2], …<" in text
    assert "projects[0].logstores[3]" not in text
