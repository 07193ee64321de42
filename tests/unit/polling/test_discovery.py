"""Discovery: patterns become targets by listings, over real HTTP to the simulator."""

from collections import Counter

import pytest

from exporter.app.assembly import Parts
from exporter.model.names import TargetKey
from tests.support.faults import ErrorAnswer
from tests.support.fleet import HEAD, Fleet, names
from tests.support.scrape import scrape

PATTERNS = """\
projects:
  - project: shop
    endpoint: ENDPOINT
    logstores:
      - {logstore: "app-.*", consumer_groups: [".*"], exclude_consumer_groups: ["etl-.*"]}
"""


WITH_LAG = HEAD.replace("lag: false", "lag: true")
ONE_LOGSTORE = """\
projects:
  - project: shop
    endpoint: ENDPOINT
    logstores: [{logstore: web, consumer_groups: [".*"], exclude_consumer_groups: ["etl-.*"]}]
"""


def test_a_pattern_selects_complete_matches_and_exclusion_wins(fleet: Fleet) -> None:
    engine = fleet.engine(PATTERNS)
    assert names(engine) == []
    assert fleet.discover(engine) == ["shop/app-1/billing", "shop/app-2/billing"]


def test_excluded_logstores_are_left_out_even_if_named(fleet: Fleet) -> None:
    engine = fleet.engine(
        "projects: [{project: shop, endpoint: ENDPOINT, logstores: "
        '[{logstore: ".*", consumer_groups: [billing]}, {logstore: web, consumer_groups: [a]}], '
        'exclude_logstores: [web, "app-[2-9]"]}]'
    )
    assert names(engine) == []
    assert fleet.discover(engine) == ["shop/app-1/billing"]


def test_groups_of_excluded_logstores_are_not_listed(fleet: Fleet) -> None:
    engine = fleet.engine(PATTERNS + '    exclude_logstores: [".*-1"]\n')
    assert fleet.discover(engine) == ["shop/app-2/billing"]
    listed = [each for each in fleet.simulator.requests if each.operation == "ListConsumerGroup"]
    assert len(listed) == 1


def test_excluded_projects_are_left_out_even_if_named(fleet: Fleet) -> None:
    fleet.world.create_project("ship")
    fleet.world.create_logstore("ship", "app-1")
    logstores = "logstores: [{logstore: app-1, consumer_groups: [billing]}]"
    engine = fleet.engine(
        f'projects: [{{project: "sh.p", endpoint: ENDPOINT, {logstores}}},'
        f" {{project: bank, endpoint: ENDPOINT, {logstores}}}]\n"
        'exclude_projects: ["ship", "b.*"]\n'
    )
    assert names(engine) == []
    assert fleet.discover(engine) == ["shop/app-1/billing"]


def test_exclusion_that_a_reload_brings_removes_its_series(fleet: Fleet) -> None:
    engine = fleet.engine(PATTERNS)
    fleet.discover(engine)
    fleet.poll(engine)
    other = fleet.engine(PATTERNS + "    exclude_logstores: [app-2]\n")
    engine.configure(other.manager.config)
    assert fleet.discover(engine) == ["shop/app-1/billing"]
    found = scrape(engine).labels("sls_consumer_group_up")
    assert [each["logstore"] for each in found] == ["app-1"]


def test_a_plain_name_needs_no_listing(fleet: Fleet) -> None:
    engine = fleet.engine(
        "projects: [{project: shop, endpoint: ENDPOINT, "
        "logstores: [{logstore: web, consumer_groups: [billing]}]}]"
    )
    assert not engine.manager.needs_listings
    assert names(engine) == ["shop/web/billing"]
    fleet.poll(engine)
    assert {record.operation for record in fleet.simulator.requests} == {"GetCheckPoint"}


def test_a_pattern_of_projects_lists_them(fleet: Fleet) -> None:
    engine = fleet.engine(
        'projects: [{project: ".*", endpoint: ENDPOINT, '
        'logstores: [{logstore: ".*", consumer_groups: [billing]}]}]'
    )
    assert fleet.discover(engine) == [
        "bank/ledger/billing",
        "shop/app-1/billing",
        "shop/app-2/billing",
        "shop/web/billing",
    ]


def test_more_than_500_logstores_and_projects_are_found_whole(fleet: Fleet) -> None:
    for number in range(501):
        fleet.world.create_logstore("bank", f"log-{number}", shards=1)
        fleet.world.create_project(f"extra-{number}")
    engine = fleet.engine(
        'projects: [{project: "extra-.*|bank", endpoint: ENDPOINT, '
        'logstores: [{logstore: "log-.*", consumer_groups: [always]}]}]'
    )
    found = fleet.discover(engine)
    assert len(found) == 501
    listed = [record for record in fleet.simulator.requests if record.operation == "ListProject"]
    assert len(listed) == 2


def test_deleted_names_are_removed_immediately_and_new_ones_added(fleet: Fleet) -> None:
    engine = fleet.engine(PATTERNS)
    fleet.discover(engine)
    fleet.poll(engine)
    fleet.world.delete_logstore("shop", "app-1")
    fleet.world.create_logstore("shop", "app-3")
    fleet.world.create_group("shop", "app-3", "billing")
    fleet.world.create_group("shop", "app-2", "second")
    fleet.world.delete_group("shop", "app-2", "billing")
    assert fleet.discover(engine) == ["shop/app-2/second", "shop/app-3/billing"]
    ups = scrape(engine).labels("sls_consumer_group_up")
    assert {entry["consumer_group"] + "@" + entry["logstore"] for entry in ups} == set()
    ups = fleet.poll(engine).labels("sls_consumer_group_up")
    assert {entry["consumer_group"] + "@" + entry["logstore"] for entry in ups} == {
        "second@app-2",
        "billing@app-3",
    }


def test_an_unchanged_target_keeps_its_snapshot(fleet: Fleet) -> None:
    engine = fleet.engine(PATTERNS)
    fleet.discover(engine)
    fleet.poll(engine)
    before = engine.store.get(TargetKey(fleet.simulator.endpoint, "shop", "app-1"))
    fleet.discover(engine)
    assert before is not None
    assert engine.store.get(TargetKey(fleet.simulator.endpoint, "shop", "app-1")) == before


@pytest.mark.parametrize("operation", ["ListLogStores", "ListConsumerGroup"])
def test_a_listing_that_fails_removes_nothing_and_is_counted(fleet: Fleet, operation: str) -> None:
    engine = fleet.engine(PATTERNS)
    before = fleet.discover(engine)
    fleet.simulator.faults.add(
        ErrorAnswer(status=403, code="ProjectForbidden", message="no"), operation=operation
    )
    assert fleet.discover(engine) == before
    errors = scrape(engine).labels("sls_exporter_poll_errors_total")
    assert {entry["code"] for entry in errors} == {"ProjectForbidden"}


def test_listings_of_a_project_end_after_three_are_refused_for_an_interval(fleet: Fleet) -> None:
    for number in range(2):
        fleet.world.create_logstore("shop", f"app-{number + 3}")
    projects = """\
projects:
  - {project: shop, endpoint: ENDPOINT, logstores: [{logstore: ".*", consumer_groups: [".*"]}]}
  - {project: bank, endpoint: ENDPOINT, logstores: [{logstore: ".*", consumer_groups: [".*"]}]}
"""
    engine = fleet.engine(projects, head=HEAD.replace("polling: {", "polling: {interval: 1s, "))
    fleet.simulator.faults.add(
        ErrorAnswer(status=403, code="ReadQuotaExceed", message="no"),
        operation="ListConsumerGroup",
        project="shop",
    )
    assert fleet.discover(engine) == ["bank/ledger/billing", "bank/ledger/etl-system"]
    refused = [record for record in fleet.simulator.requests if record.status == 403]
    assert len({record.logstore for record in refused}) == 3
    assert len(scrape(engine).labels("sls_exporter_poll_errors_total")) == 5
    fleet.simulator.faults.clear()
    assert "shop/app-1/billing" in fleet.discover(engine)


def test_a_failed_listing_of_projects_removes_nothing(fleet: Fleet) -> None:
    engine = fleet.engine(PATTERNS.replace("project: shop", 'project: "sh.p"'))
    before = fleet.discover(engine)
    assert before == ["shop/app-1/billing", "shop/app-2/billing"]
    fleet.simulator.faults.add(
        ErrorAnswer(status=403, code="ProjectForbidden", message="no"), operation="ListProject"
    )
    assert fleet.discover(engine) == before


def test_a_group_that_joins_costs_no_more_than_its_checkpoints(fleet: Fleet) -> None:
    engine = fleet.engine(ONE_LOGSTORE, head=WITH_LAG)
    fleet.world.split_shard("shop", "web", 0)
    fleet.discover(engine)
    for _ in range(2):  # The end of the read-only shard is final once two polls found the same.
        fleet.poll(engine)
    fleet.world.create_group("shop", "web", "audit")
    assert fleet.discover(engine) == ["shop/web/audit", "shop/web/billing"]
    fleet.simulator.forget_requests()
    fleet.poll(engine)
    asked = Counter(record.operation for record in fleet.simulator.requests)
    # The retention time is known already, too.
    assert asked == {"GetCheckPoint": 2, "ListShards": 1, "GetCursor": 3}


def test_a_removed_group_keeps_the_stored_data_of_the_logstore(fleet: Fleet) -> None:
    engine = fleet.engine(ONE_LOGSTORE, head=WITH_LAG)
    fleet.world.create_group("shop", "web", "audit")
    fleet.discover(engine)
    fleet.poll(engine)
    fleet.world.delete_group("shop", "web", "audit")
    for operation in ("ListShards", "GetLogStore"):
        fleet.simulator.faults.add(
            ErrorAnswer(status=400, code="ParameterInvalid"), operation=operation
        )
    assert fleet.discover(engine) == ["shop/web/billing"]
    fleet.clock.advance(60.0)
    found = fleet.poll(engine)
    assert found.value("sls_logstore_shards", status="readwrite") == 2
    assert found.value("sls_logstore_retention_seconds") == 604_800.0
    assert found.value("sls_consumer_group_shards", state="unconsumed") == 2


def test_changed_settings_take_effect_at_the_next_poll(fleet: Fleet) -> None:
    engine = fleet.engine(ONE_LOGSTORE)
    fleet.discover(engine)
    assert not fleet.poll(engine).find("sls_logstore_shards")
    other = fleet.engine(ONE_LOGSTORE, head=WITH_LAG)
    engine.configure(other.manager.config)
    assert fleet.poll(engine).value("sls_logstore_shards", status="readwrite") == 2


def test_an_empty_listing_removes_all_targets(fleet: Fleet) -> None:
    engine = fleet.engine(PATTERNS)
    fleet.discover(engine)
    for logstore in ("app-1", "app-2", "web"):
        fleet.world.delete_logstore("shop", logstore)
    assert fleet.discover(engine) == []


def test_a_literal_that_does_not_exist_stays_visible(fleet: Fleet) -> None:
    engine = fleet.engine(
        "projects: [{project: shop, endpoint: ENDPOINT, logstores: "
        '[{logstore: web, consumer_groups: [missing]}, {logstore: "app.*", '
        "consumer_groups: [billing]}]}]"
    )
    fleet.discover(engine)
    found = fleet.poll(engine)
    assert found.value("sls_consumer_group_up", consumer_group="missing") == 0
    assert (
        found.value(
            "sls_exporter_poll_errors_total", consumer_group="missing", code="ConsumerGroupNotExist"
        )
        == 1
    )


def test_listed_groups_have_their_settings_in_info(fleet: Fleet) -> None:
    fleet.world.create_group("shop", "app-1", "ordered", timeout=30, order=True)
    engine = fleet.engine(PATTERNS)
    fleet.discover(engine)
    found = fleet.poll(engine)
    assert (
        found.value(
            "sls_consumer_group_info",
            logstore="app-1",
            consumer_group="ordered",
            order="true",
            timeout_seconds="30",
        )
        == 1
    )


def test_the_first_entry_that_selects_a_group_decides_about_it(fleet: Fleet) -> None:
    engine = fleet.engine(
        "projects: [{project: shop, endpoint: ENDPOINT, logstores: "
        "[{logstore: web, consumer_groups: [billing], shards: [0]}, "
        '{logstore: "w.b", consumer_groups: [".*"]}]}]'
    )
    assert fleet.discover(engine) == ["shop/web/billing", "shop/web/etl-system"]
    shards = {group.name: group.shards for group in engine.manager.targets[0].groups}
    assert shards == {"billing": frozenset({0}), "etl-system": None}


def test_granularity_group_has_one_series_for_all_shards(fleet: Fleet) -> None:
    world = fleet.world
    for number in range(2):
        world.write("shop", "web", number, count=3)
        end = world.end_cursor("shop", "web", number)
        world.update_checkpoint("shop", "web", "billing", number, end)
    projects = (
        "projects: [{project: shop, endpoint: ENDPOINT, "
        "logstores: [{logstore: web, consumer_groups: [billing]}]}]"
    )
    shard = fleet.poll(fleet.engine(projects))
    assert shard.labels("sls_consumer_group_checkpoint_age_seconds")
    group = fleet.poll(fleet.engine("metrics: {granularity: group}\n" + projects))
    assert group.labels("sls_consumer_group_checkpoint_age_seconds") == [
        {"project": "shop", "logstore": "web", "consumer_group": "billing"}
    ]
    assert group.value("sls_consumer_group_up") == 1
    assert group.value("sls_exporter_series") < shard.value("sls_exporter_series")


def test_the_consumer_label_can_be_switched_off(fleet: Fleet) -> None:
    world = fleet.world
    world.write("shop", "web", 0, count=3)
    world.update_checkpoint(
        "shop", "web", "billing", 0, world.end_cursor("shop", "web", 0), consumer="worker-1"
    )
    projects = (
        "projects: [{project: shop, endpoint: ENDPOINT, "
        "logstores: [{logstore: web, consumer_groups: [billing]}]}]"
    )
    age = "sls_consumer_group_checkpoint_age_seconds"
    assert fleet.poll(fleet.engine(projects)).labels(age)[0]["consumer"] == "worker-1"
    without = fleet.poll(fleet.engine("metrics: {consumer_label: false}\n" + projects))
    assert "consumer" not in without.labels(age)[0]


# Items that overlap


def settings(engine: Parts) -> dict[str, tuple[float, dict[str, str]]]:
    """Return stall_after and the labels of each group."""
    return {
        f"{target.key.logstore}/{group.name}": (
            group.settings.stall_after,
            dict(group.settings.labels),
        )
        for target in engine.manager.targets
        for group in target.groups
    }


def test_first_item_that_matches_a_group_decides_about_its_settings(fleet: Fleet) -> None:
    engine = fleet.engine(
        """\
projects:
  - project: "sh.p"
    endpoint: ENDPOINT
    logstores:
      - logstore: "app-.*"
        stall_after: 1h
        consumer_groups: [{name: "etl-.*", labels: {team: etl}}]
  - project: shop
    endpoint: ENDPOINT
    stall_after: 2h
    logstores:
      - logstore: "(app|web).*"
        consumer_groups: [{name: ".*", labels: {team: all}}]
      - {logstore: app-1, consumer_groups: [billing, new], stall_after: 3h}
"""
    )
    fleet.discover(engine)
    assert settings(engine) == {
        "app-1/billing": (7200.0, {"team": "all"}),
        "app-1/etl-system": (3600.0, {"team": "etl"}),
        "app-1/new": (7200.0, {"team": "all"}),
        "app-2/billing": (7200.0, {"team": "all"}),
        "app-2/etl-system": (3600.0, {"team": "etl"}),
        "web/billing": (7200.0, {"team": "all"}),
        "web/etl-system": (7200.0, {"team": "all"}),
    }


def test_first_item_decides_before_and_after_its_listing_alike(fleet: Fleet) -> None:
    engine = fleet.engine(
        """\
projects:
  - project: shop
    endpoint: ENDPOINT
    logstores:
      - {logstore: ".*", consumer_groups: [".*"], stall_after: 1h}
      - {logstore: web, consumer_groups: [billing], stall_after: 2h}
"""
    )
    assert settings(engine) == {"web/billing": (3600.0, {})}
    fleet.simulator.faults.add(ErrorAnswer(status=500, code="InternalServerError"))
    fleet.discover(engine)
    assert settings(engine) == {"web/billing": (3600.0, {})}


def test_group_that_the_first_item_excludes_is_left_out(fleet: Fleet) -> None:
    engine = fleet.engine(
        """\
projects:
  - project: shop
    endpoint: ENDPOINT
    logstores:
      - {logstore: "app-.*", consumer_groups: [".*"], exclude_consumer_groups: ["etl-.*"]}
      - {logstore: ".*", consumer_groups: [".*", etl-system]}
"""
    )
    assert fleet.discover(engine) == [
        "shop/app-1/billing",
        "shop/app-2/billing",
        "shop/web/billing",
        "shop/web/etl-system",
    ]


def test_first_item_with_a_group_decides_how_its_logstore_is_polled(fleet: Fleet) -> None:
    engine = fleet.engine(
        """\
projects:
  - project: shop
    endpoint: ENDPOINT
    polling: {interval: 10s}
    labels: {team: x}
    logstores: [{logstore: ".*", consumer_groups: ["x-.*"]}]
  - project: "sh.p"
    endpoint: ENDPOINT
    polling: {interval: 20s}
    labels: {team: y}
    logstores: [{logstore: web, consumer_groups: ["b.*"], labels: {tier: one}}]
"""
    )
    fleet.discover(engine)
    [web] = engine.manager.targets
    assert (web.settings.polling.interval, web.labels) == (20.0, (("team", "y"), ("tier", "one")))
    fleet.world.create_group("shop", "web", "x-1")
    fleet.discover(engine)
    [web] = engine.manager.targets
    assert (web.settings.polling.interval, web.labels) == (10.0, (("team", "x"),))


def test_new_labels_of_a_logstore_keep_what_is_known_of_it(fleet: Fleet) -> None:
    engine = fleet.engine(ONE_LOGSTORE, head=WITH_LAG)
    fleet.discover(engine)
    fleet.poll(engine)
    fleet.simulator.forget_requests()
    other = fleet.engine(ONE_LOGSTORE, head=f"{WITH_LAG}labels: {{team: a}}\n")
    engine.configure(other.manager.config)
    fleet.poll(engine)
    operations = {each.operation for each in fleet.simulator.requests}
    assert "GetLogStore" not in operations


def test_labels_and_limits_of_the_configuration_reach_the_series_of_a_scrape(
    fleet: Fleet,
) -> None:
    engine = fleet.engine(
        """\
labels: {env: prod, tier: t0}
projects:
  - project: shop
    endpoint: ENDPOINT
    labels: {tier: t1}
    logstores:
      - logstore: web
        lag_limit: 1h
        consumer_groups:
          - {name: billing, labels: {team: money, tier: t2}, stall_after: 2m}
          - etl-system
""",
        head=WITH_LAG,
    )
    found = fleet.poll(engine)
    billing = {"consumer_group": "billing", "env": "prod", "tier": "t2", "team": "money"}
    system = {"consumer_group": "etl-system", "env": "prod", "tier": "t1"}
    assert found.value("sls_consumer_group_stall_after_seconds", **billing) == 120.0
    assert found.value("sls_consumer_group_stall_after_seconds", **system) == 300.0
    assert found.value("sls_consumer_group_lag_limit_seconds", **billing) == 3600.0
    assert found.value("sls_consumer_group_retention_seconds", **system) > 0
    assert [set(labels) for labels in found.labels("sls_logstore_retention_seconds")] == [
        {"project", "logstore", "env", "tier"}
    ]
    assert found.value("sls_logstore_retention_seconds", tier="t1") > 0
    [labels] = found.labels("sls_consumer_group_up")[1:]
    assert "team" not in labels


def test_listing_that_one_item_needs_describes_the_groups_of_all_items(fleet: Fleet) -> None:
    engine = fleet.engine(
        """\
projects:
  - project: shop
    endpoint: ENDPOINT
    logstores:
      - {logstore: web, consumer_groups: [billing, missing]}
      - {logstore: "we.", consumer_groups: ["etl-.*"]}
"""
    )
    fleet.discover(engine)
    [web] = engine.manager.targets
    assert {group.name: group.listing is not None for group in web.groups} == {
        "billing": True,
        "etl-system": True,
        "missing": False,
    }
