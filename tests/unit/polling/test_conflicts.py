"""Logstores of one name at two endpoints: which of them are polled, and what reports the others."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from exporter.app.assembly import Parts
from exporter.commands.once import show
from exporter.model.names import TargetKey
from exporter.model.snapshot import GroupSettings
from exporter.polling.conflicts import separate
from exporter.polling.sharding import Sharding
from exporter.polling.targets import GroupTarget, Target
from exporter.status.api import as_json
from tests.support.faults import ErrorAnswer
from tests.support.regions import Regions, polled, running_regions
from tests.support.scrape import scrape
from tests.support.settings import project_settings

CONFLICTS = "sls_exporter_target_conflicts"
UP = "sls_consumer_group_up"
LEFT_OUT = "logstore is not polled, because its series would be those of another endpoint"
ENDED = "series of logstore are not those of another endpoint any more"
BROKEN = ErrorAnswer(status=500, code="InternalServerError")


@pytest.fixture
def regions() -> Iterator[Regions]:
    with running_regions() as regions:
        for region in (regions.north, regions.south):
            region.add("shop", "orders", "billing", f"only-{region.name}")
        yield regions


def both(regions: Regions, north: str = "", south: str = "") -> tuple[str, str]:
    """Return entries with patterns for both regions."""
    return (
        regions.entry(regions.north, "sh.*", ".*", north),
        regions.entry(regions.south, "sh.*", ".*", south),
    )


def conflicts(engine: Parts) -> dict[str, float]:
    """Return the number of conflicts by endpoint."""
    samples = scrape(engine).find(CONFLICTS, project="shop")
    return {each.labels["sls_endpoint"]: each.value for each in samples}


names, label_sets = st.sampled_from("ab"), st.sampled_from([(), (("region", "x"),)])
target_lists = st.lists(
    st.builds(
        Target,
        key=st.builds(TargetKey, names, names, names),
        groups=st.lists(
            st.builds(
                GroupTarget, name=names, settings=st.builds(GroupSettings, labels=label_sets)
            ),
            min_size=1,
            max_size=2,
            unique_by=lambda group: group.name,
        ).map(tuple),
        settings=st.just(project_settings()),
        labels=label_sets,
        refresh_seconds=st.just(300.0),
    ),
    unique_by=lambda target: target.key,
)


def series(target: Target) -> set[object]:
    groups = {(*target.key[1:], each.name, each.settings.labels) for each in target.groups}
    return {(*target.key[1:], target.labels), *groups}


@given(target_lists)
def test_first_of_targets_with_the_same_series_is_polled(targets: list[Target]) -> None:
    kept, left_out = separate(targets)
    assert [each for each in targets if each in kept] == [*kept]
    by_key = {each.key: each for each in targets}
    assert sorted([*(each.key for each in kept), *(each.key for each in left_out)]) == sorted(
        by_key
    )
    taken: set[object] = set()
    for each in kept:
        assert not taken & series(each)
        taken |= series(each)
    for conflict in left_out:
        owner, other = by_key[conflict.polled], by_key[conflict.key]
        assert owner in kept
        assert targets.index(owner) < targets.index(other)
        assert series(owner) & series(other)


def test_label_of_a_group_alone_does_not_hide_a_conflict() -> None:
    labels = (("region", "x"),)
    group = GroupTarget(name="g", settings=GroupSettings(labels=labels))
    first = Target(
        key=TargetKey("a", "shop", "orders"),
        groups=(group,),
        settings=project_settings(),
        refresh_seconds=300.0,
    )
    second = replace(first, key=TargetKey("b", "shop", "orders"), labels=labels)
    assert separate([first, second])[0] == (first,)
    assert separate([first, replace(second, groups=(GroupTarget(name="g"),))])[1] == ()


@pytest.mark.parametrize("is_reversed", [False, True])
def test_first_entry_of_the_file_is_polled(regions: Regions, *, is_reversed: bool) -> None:
    entries = both(regions)
    engine = regions.engine(*(reversed(entries) if is_reversed else entries))
    first, second = regions.north.simulator.endpoint, regions.south.simulator.endpoint
    if is_reversed:
        first, second = second, first
    for _ in range(3):
        assert polled(engine) == {(first, "orders")}
        assert conflicts(engine) == {first: 0.0, second: 1.0}


def test_labels_tell_two_endpoints_apart(regions: Regions) -> None:
    entries = both(regions, "  labels: {region: north}\n", "  labels: {region: south}\n")
    engine = regions.engine(*entries)
    assert len(polled(engine)) == 2
    assert set(conflicts(engine).values()) == {0.0}
    for target in engine.manager.targets:
        engine.manager.poll(target.key)
    found = scrape(engine).find(UP)
    assert {
        (each.labels["region"], each.labels["consumer_group"], each.value) for each in found
    } == {
        ("north", "billing", 1.0),
        ("north", "only-north", 1.0),
        ("south", "billing", 1.0),
        ("south", "only-south", 1.0),
    }
    assert regions.north.requested_groups() == {"billing", "only-north"}
    assert regions.south.requested_groups() == {"billing", "only-south"}


def test_group_of_another_endpoint_is_never_requested(regions: Regions) -> None:
    engine = regions.engine(*both(regions))
    polled(engine)
    for target in engine.manager.targets:
        engine.manager.poll(target.key)
    assert regions.north.requested_groups() == {"billing", "only-north"}
    assert regions.south.requested_groups() == set()


def test_other_logstores_of_a_project_with_a_conflict_are_polled(regions: Regions) -> None:
    regions.south.add("shop", "clicks", "billing")
    engine = regions.engine(*both(regions))
    north, south = regions.north.simulator.endpoint, regions.south.simulator.endpoint
    assert polled(engine) == {(north, "orders"), (south, "clicks")}


def test_first_of_the_endpoints_of_one_item_is_polled(regions: Regions) -> None:
    # Both services accept the same key, and their addresses contain no region.
    regions.south.simulator.accept_credentials([regions.north.key])
    first, second = regions.south.simulator.endpoint, regions.north.simulator.endpoint
    entry = regions.entry(regions.north, "sh.*", ".*")
    earlier = regions.entry(regions.north, "shop", "other.*")
    several = entry.replace(f"endpoint: {second}", f"endpoints: ['{first}', '{second}']")
    for entries in ([several], [earlier, several]):
        engine = regions.engine(*entries)
        assert polled(engine) == {(first, "orders")}
        assert conflicts(engine) == {first: 0.0, second: 1.0}


@pytest.mark.parametrize("operation", ["ListProject", "ListLogStores", "ListConsumerGroup"])
def test_listing_that_fails_later_does_not_change_what_is_polled(
    regions: Regions, operation: str
) -> None:
    engine = regions.engine(*both(regions))
    before = polled(engine)
    regions.north.simulator.faults.add(BROKEN, operation=operation)
    assert polled(engine) == before
    engine.configure(engine.manager.config)
    assert polled(engine) == before


def test_second_target_is_polled_after_the_first_was_deleted(regions: Regions) -> None:
    engine = regions.engine(*both(regions))
    polled(engine)
    regions.north.world.delete_logstore("shop", "orders")
    south = regions.south.simulator.endpoint
    assert polled(engine) == {(south, "orders")}
    assert conflicts(engine) == {south: 0.0}


def test_replicas_poll_the_same_targets_after_their_listings_succeed(regions: Regions) -> None:
    regions.north.simulator.faults.add(BROKEN, operation="ListProject")
    late = regions.engine(*both(regions))
    assert polled(late) == {(regions.south.simulator.endpoint, "orders")}
    regions.north.simulator.faults.clear()
    prompt = regions.engine(*both(regions))
    assert polled(prompt) == polled(late) == {(regions.north.simulator.endpoint, "orders")}
    assert conflicts(prompt) == conflicts(late)


def test_exporters_that_share_the_targets_agree_with_one_that_polls_all(regions: Regions) -> None:
    for number in range(12):
        for region in (regions.north, regions.south):
            region.add("shop", f"log-{number}", "billing")
    regions.south.add("shop", "clicks", "billing")
    whole = regions.engine(*both(regions))
    shares = [
        regions.engine(*both(regions), sharding=Sharding(shard=shard, total=3))
        for shard in range(3)
    ]
    found = [polled(each) for each in shares]
    assert set().union(*found) == polled(whole)
    assert sum(len(each) for each in found) == len(whole.manager.targets) == 14
    south = regions.south.simulator.endpoint
    assert sum(conflicts(each).get(south, 0.0) for each in shares) == conflicts(whole)[south] == 13


def test_conflict_is_logged_once_and_so_is_its_end(
    regions: Regions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "exporter.polls")
    engine = regions.engine(*both(regions))
    polled(engine)
    polled(engine)
    logged = [record for record in caplog.records if record.msg in {LEFT_OUT, ENDED}]
    assert [record.msg for record in logged] == [LEFT_OUT]
    engine.configure(regions.config(*both(regions, south="  labels: {region: south}\n")))
    assert len(polled(engine)) == 2
    logged = [record for record in caplog.records if record.msg in {LEFT_OUT, ENDED}]
    assert [record.msg for record in logged] == [LEFT_OUT, ENDED]


def test_logstore_that_is_left_out_is_a_failing_row(regions: Regions) -> None:
    engine = regions.engine(*both(regions))
    polled(engine)
    (row,) = json.loads(as_json(engine.groups(), {"state": "failing"}))["groups"]
    north, south = regions.north.simulator.endpoint, regions.south.simulator.endpoint
    assert {name: value for name, value in row.items() if value not in (None, [], {}, "")} == {
        "project": "shop",
        "logstore": "orders",
        "sls_endpoint": south,
        "conflicts_with": north,
        "state": "unknown",
        "up": False,
        "error": f"not polled, because its series would be those of the same name at {north}",
        "remedy": "set different labels for the projects of the two endpoints, or exclude one",
    }


def test_single_round_fails_if_a_logstore_is_left_out(
    regions: Regions, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = regions.engine(*both(regions))
    polled(engine)
    for target in engine.manager.targets:
        engine.manager.poll(target.key)
    assert not show(engine, "table", stdout=sys.stdout, errors=sys.stderr, environ={})
    south = regions.south.simulator.endpoint
    assert f"failed: shop / at {south} / orders / logstore left out: not" in capsys.readouterr().out
