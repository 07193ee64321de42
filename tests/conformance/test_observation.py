"""The comparison of a scrape with the actual state of a world at rest."""

from collections.abc import Mapping

import pytest
from prometheus_client.samples import Sample

from exporter.simulator.world import World
from tests.conformance.observation import Exact, Observation, differences
from tests.support.held_clock import HeldClock
from tests.support.scrape import Scrape

START = 1_700_000_000.0
PLACE = ("shop", "orders")
GROUP = (*PLACE, "billing")
STALL_AFTER = 8.0
EXACT = {
    "unread_log_groups": 3.0,
    "stalled_seconds": 20.0,
    "checkpoint_age_seconds": 20.0,
    "checkpoint_update_timestamp_seconds": START + 10.0,
    "oldest_unread_timestamp_seconds": START,
    "lag_seconds": 0.0,
}
"""The values of the shard in ``world``."""


@pytest.fixture
def world() -> World:
    """A shard with five log groups, of which two are read, 20 seconds after the last write."""
    held = HeldClock(START)
    world = World(wall=held.wall)
    world.create_project("shop")
    world.create_logstore(*PLACE, shards=1)
    world.create_group(*GROUP)
    world.write(*PLACE, 0, count=5)
    held.advance(10.0)
    world.update_checkpoint(*GROUP, 0, world.begin_cursor(*PLACE, 0) + 2, consumer="c1")
    held.advance(20.0)
    return world


def samples(values: Mapping[str, float], *, owner: str = "c1", shard: int = 0) -> list[Sample]:
    group = dict(zip(("project", "logstore", "consumer_group"), GROUP, strict=True))
    labels = group | {"shard": str(shard), "consumer": owner}
    return [Sample(f"sls_consumer_group_{name}", labels, value) for name, value in values.items()]


def observation(
    values: Mapping[str, float] = EXACT,
    *,
    owner: str = "c1",
    state: str = "stalled",
    status: str = "readwrite",
    totals: Mapping[str, float] | None = None,
) -> Observation:
    of_group = {"consumers": 1.0, **(totals or {})}
    return Observation(
        Scrape(
            (
                *samples(values, owner=owner),
                *(Sample(f"sls_consumer_group_{name}", {}, of_group[name]) for name in of_group),
                Sample("sls_consumer_group_shards", {"state": state}, 1.0),
                Sample("sls_consumer_group_stalled_shards", {"cause": "group_silent"}, 1.0),
                Sample("sls_logstore_shards", {"status": status}, 1.0),
            )
        ),
        GROUP,
    )


def found(seen: Observation, world: World) -> list[str]:
    return list(differences(seen, world, GROUP, STALL_AFTER, moved=dict))


def test_exact_values_have_no_difference_and_agree(world: World) -> None:
    seen = observation()
    assert found(seen, world) == []
    seen.check_agreement()


@pytest.mark.parametrize(
    ("name", "error", "difference"),
    [
        ("unread_log_groups", 1.0, "unread log groups"),
        ("stalled_seconds", 3.0, "stalled seconds"),
        ("stalled_seconds", -3.0, "stalled seconds"),
        ("checkpoint_age_seconds", 3.0, "ages"),
        ("checkpoint_update_timestamp_seconds", 0.1, "updated at"),
        ("oldest_unread_timestamp_seconds", -3.0, "oldest unread at"),
        ("lag_seconds", 3.0, "lags"),
    ],
)
def test_wrong_or_missing_value_of_a_shard_is_a_difference(
    world: World, name: str, error: float, difference: str
) -> None:
    wrong = observation({**EXACT, name: EXACT[name] + error})
    assert found(wrong, world) == [difference]
    missing = observation({each: value for each, value in EXACT.items() if each != name})
    assert difference in found(missing, world)


def test_wrong_owner_state_or_status_is_a_difference(world: World) -> None:
    assert found(observation(owner="c2"), world) == ["owners"]
    assert found(observation(state="consuming"), world) == ["states"]
    assert found(observation(status="readonly"), world) == ["statuses"]


def test_shard_with_two_series_of_a_metric_is_an_error() -> None:
    twice = [*samples(EXACT), *samples({"stalled_seconds": 0.0}, owner="c2")]
    with pytest.raises(AssertionError, match="several series of stalled_seconds"):
        Observation(Scrape(tuple(twice)), GROUP)


@pytest.mark.parametrize("name", ["stalled_seconds", "checkpoint_age_seconds"])
def test_values_without_one_of_their_series_do_not_agree(name: str) -> None:
    seen = observation({each: value for each, value in EXACT.items() if each != name})
    with pytest.raises(AssertionError, match="not as many as expected"):
        seen.check_agreement()


def test_counts_that_do_not_fit_the_shards_do_not_agree() -> None:
    for seen in (observation(state="consuming"), observation(totals={"consumers": 2.0})):
        with pytest.raises(AssertionError, match="not as many as expected"):
            seen.check_agreement()


@pytest.mark.parametrize(
    ("consumed", "written", "wrong"),
    [(3, 4, []), (2, 4, ["consumed"]), (3, 5, ["written"]), (0, 0, ["written", "consumed"])],
)
def test_counter_that_does_not_grow_like_the_state_is_a_difference(
    world: World, consumed: int, written: int, wrong: list[str]
) -> None:
    def exact(totals: Mapping[str, float]) -> Exact:
        return Exact(observation(totals=totals), world.truths(*GROUP), resets=0)

    before = exact({"consumed_log_groups_total": 7.0, "written_log_groups_total": 9.0})
    world.write(*PLACE, 0, count=4)
    world.update_checkpoint(*GROUP, 0, world.begin_cursor(*PLACE, 0) + 5, consumer="c1")
    after = exact(
        {"consumed_log_groups_total": 7.0 + consumed, "written_log_groups_total": 9.0 + written}
    )
    assert list(after.wrong_growth(before)) == wrong
