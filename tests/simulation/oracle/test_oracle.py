"""The oracle predicts what the documents promise, from a simulated world."""

from math import inf

import pytest

from exporter.simulator.world import World
from tests.simulation.oracle.account import (
    STALL_AFTER,
    Entry,
)
from tests.simulation.oracle.churn import START
from tests.simulation.oracle.comparing import (
    Span,
    between,
    exactly,
    named,
)
from tests.simulation.oracle.fates import Fate, Fates, Trouble
from tests.simulation.oracle.groups import CAUSES
from tests.simulation.oracle.oracle import Oracle
from tests.simulation.oracle.unread import UnreadData
from tests.simulation.oracle.verdicts import STATES, Stand, Verdict
from tests.support.fault_plan import Scope
from tests.support.held_clock import HeldClock


@pytest.mark.parametrize(
    ("idle_seconds", "age", "stalled", "lag", "oldest"),
    [
        (100.0, 120.0, (0.0, 120.0), (0.0, 1600.0), (START - 1500.0, START + 1500.0)),
        (1000.0, 1020.0, (1018.0, 1020.0), (0.0, 2500.0), (START - 1500.0, START + 1500.0)),
        (5000.0, 5020.0, (5018.0, 5020.0), (2500.0, 7500.0), (START - 2500.0, START + 2500.0)),
    ],
    ids=["short stall", "long stall", "lag"],
)
def test_oracle_predicts_what_documents_promise(
    idle_seconds: float,
    age: float,
    stalled: tuple[float, float],
    lag: tuple[float, float],
    oldest: tuple[float, float],
) -> None:
    held = HeldClock(START)
    world = World(wall=held.wall)
    world.create_project("shop")
    world.create_logstore("shop", "orders", shards=2)
    world.create_group("shop", "orders", "billing")
    world.write("shop", "orders", 0, 10)
    begin = world.begin_cursor("shop", "orders", 0)
    world.update_checkpoint("shop", "orders", "billing", 0, begin + 4, consumer="w-1")
    held.advance(idle_seconds)
    world.write("shop", "orders", 0)
    oracle = Oracle(world, [Entry(project="shop", logstore="orders", groups=("billing",))], str)
    oracle.poll([], [("shop", "orders")], Fates())
    held.advance(20.0)
    logstore = {"project": "shop", "logstore": "orders"}
    group = {**logstore, "consumer_group": "billing"}
    consumed = {**group, "shard": "0", "consumer": "w-1"}
    state = "stalled" if age > STALL_AFTER else "consuming"
    states = dict.fromkeys(STATES, 0.0) | {state: 1.0, "unconsumed": 1.0}
    series = oracle.series()
    bounds = {
        "sls_consumer_group_lag_seconds": between(idle_seconds, *lag, optional=True),
        "sls_consumer_group_oldest_unread_timestamp_seconds": between(
            START, *oldest, optional=True
        ),
        "sls_consumer_group_stalled_seconds": between(age, *stalled),
        "sls_consumer_group_catch_up_seconds": between(0.0, 0.0, inf, optional=True),
        "sls_consumer_group_data_loss_seconds": between(0.0, 0.0, inf, optional=True),
        "sls_exporter_series": between(39, 35, 39),
    }
    for cause in CAUSES:
        most = states["stalled"] if cause != "waiting_for_parent" else 0
        labels = {**group, "cause": cause}
        allowed = between(0, 0, most)
        assert series.pop(named("sls_consumer_group_stalled_shards", labels)) == allowed
    for name, allowed in bounds.items():
        of_group = group if name.endswith(("_catch_up_seconds", "_data_loss_seconds")) else consumed
        labels = {} if name == "sls_exporter_series" else of_group
        assert series.pop(named(name, labels)) == allowed
    assert series == {
        named(name, labels): exactly(value)
        for name, labels, value in [
            ("sls_consumer_group_checkpoint_age_seconds", consumed, age),
            ("sls_consumer_group_checkpoint_update_timestamp_seconds", consumed, START),
            ("sls_consumer_group_unread_log_groups", consumed, 7.0),
            ("sls_consumer_group_unread_log_groups", {**group, "shard": "1", "consumer": ""}, 0.0),
            ("sls_consumer_group_consumers", group, 1.0),
            *(
                (f"sls_consumer_group_{counter}_total", group, 0.0)
                for counter in (
                    "consumed_log_groups",
                    "written_log_groups",
                    "owner_changes",
                    "checkpoint_resets",
                )
            ),
            ("sls_consumer_group_last_success_timestamp_seconds", group, START + idle_seconds),
            ("sls_consumer_group_poll_interval_seconds", group, 300.0),
            ("sls_consumer_group_stall_after_seconds", group, STALL_AFTER),
            ("sls_consumer_group_lag_limit_seconds", group, 600.0),
            ("sls_consumer_group_retention_seconds", group, 604_800.0),
            ("sls_consumer_group_cursor_access", group, 1.0),
            ("sls_consumer_group_up", group, 1.0),
            *(
                ("sls_consumer_group_shards", {**group, "state": each}, count)
                for each, count in states.items()
            ),
            ("sls_logstore_retention_seconds", logstore, 604_800.0),
            ("sls_logstore_shards", {**logstore, "status": "readonly"}, 0.0),
            ("sls_logstore_shards", {**logstore, "status": "readwrite"}, 2.0),
            ("sls_exporter_cursor_access", logstore, 1.0),
            ("sls_exporter_retention_access", logstore, 1.0),
            ("sls_exporter_polls_total", {}, 1.0),
            ("sls_exporter_series_dropped", {}, 0.0),
            ("sls_exporter_targets", {}, 1.0),
        ]
    }


def test_stall_counts_on_for_one_interval_after_its_reading() -> None:
    moved = Span(1000.0, 1000.0, 1000.0)
    verdict = Verdict(at=2000.0, unread=exactly(1), waits=moved, readonly=False)
    stand = Stand(
        text="MQ==", owner="", written=900.0, moved=900.0, read_at=2000.0, verdicts=(verdict,)
    )
    seconds = [stand.series(now)["stalled_seconds"] for now in (2000.0, 2300.0, 2301.0)]
    assert seconds == [exactly(1000.0), exactly(1300.0), exactly(1300.0)]


@pytest.mark.parametrize(
    ("age", "states"),
    [(1199.0, {"consuming"}), (1201.0, {"stalled"})],
)
def test_state_has_no_tolerance_next_to_stall_after(age: float, states: set[str]) -> None:
    held = HeldClock(START)
    world = World(wall=held.wall)
    world.create_project("shop")
    world.create_logstore("shop", "orders", shards=1)
    world.write("shop", "orders", 0, 10)
    held.advance(age)
    place, end = ("shop", "orders"), world.end_cursor("shop", "orders", 0)
    data = UnreadData(world, place, 0, end=end, readonly=False)
    for certain in (True, False):
        (verdict,) = data.after(end - 5, START - 60.0, certain=certain)
        stand = Stand(
            text="MQ==",
            owner="",
            written=START - 60.0,
            moved=START - 60.0,
            read_at=held.wall(),
            verdicts=(verdict,),
        )
        assert stand.states(STALL_AFTER) == states
        seconds = stand.series(held.wall())["stalled_seconds"]
        assert (seconds.least > STALL_AFTER) == (seconds.most > STALL_AFTER) == (age > STALL_AFTER)


def test_oracle_makes_up_no_shard_from_an_earlier_listing() -> None:
    held = HeldClock(START)
    world = World(wall=held.wall)
    world.create_project("shop")
    world.create_logstore("shop", "orders", shards=2, ttl_days=1)
    world.create_group("shop", "orders", "billing")
    for shard in (0, 1):
        end = world.end_cursor("shop", "orders", shard)
        world.update_checkpoint("shop", "orders", "billing", shard, end)
    world.split_shard("shop", "orders", 0)
    oracle = Oracle(world, [Entry(project="shop", logstore="orders", groups=("billing",))], str)
    failing = Trouble(
        name="listing fails",
        fault=None,
        fate=Fate.FAILS,
        code="InternalServerError",
        scope=Scope(operation="ListShards", project="shop", logstore="orders"),
    )
    shown = []
    for seconds, fates in ((86_370.0, Fates()), (60.0, Fates([failing]))):
        held.advance(seconds)  # shard 0 vanishes between the polls
        oracle.poll([], [("shop", "orders")], fates)
        labels = [dict(labels) for _, labels in oracle.series()]
        shown.append({each["shard"] for each in labels if "shard" in each})
    assert shown == [{"0", "1", "2", "3"}, {"1", "2", "3"}]
