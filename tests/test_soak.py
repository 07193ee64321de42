"""Virtual hours of an account in which everything changes and much fails: each scrape is right.

The real engine polls a simulated service over HTTP, both by one held clock. An oracle that knows
the world predicts every series and every value; whatever differs is a fault.
"""

import logging
import os
import random
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.app.assembly import assemble
from exporter.config.reader import parse
from exporter.model.names import TargetKey
from exporter.simulator.world import World
from tests.oracle.account import ACCOUNT, STALE_AFTER, Entry, configuration
from tests.oracle.churn import START, Churn
from tests.oracle.comparing import Difference, Series, compare, named, read_series
from tests.oracle.fates import Fate, Fates, Trouble
from tests.oracle.oracle import Oracle
from tests.oracle.troubles import AIMS, KINDS, Troubles
from tests.oracle.verdicts import STATES
from tests.support.fault_plan import Scope
from tests.support.faulty_simulator import FaultySimulator
from tests.support.held_clock import HeldClock

HOURS = float(os.environ.get("SLS_EXPORTER_SOAK_HOURS", "6"))
SEED = int(os.environ.get("SLS_EXPORTER_SOAK_SEED", "1"))
HOUR = 3600.0
WORKERS = 6  # polls at once, so that the pauses before retries overlap
# Whole seconds are when things happen; no poll is at the very instant at which data expires.
POLL_OFFSET = 13 / 32
MOST_DIFFERENCES, MOST_EVENTS = 12, 60
SITUATIONS = (
    "cursors denied",
    "data expired unread",
    "group failed",
    "group gone",
    "group left",
    "listing too old",
    "logstore gone",
    "logstore kept",
    "logstore left",
    "logstore withdrawn as stale",
    "rewrite was no progress",
    "verdict kept",
    "withdrawn as stale",
)


class Soak:
    """A world, troubles, the exporter and the oracle, moved on step by step."""

    def __init__(self, seed: int, *, most: int = 4, likely: float = 0.5) -> None:
        """``most`` changes a step, and how ``likely`` there is one trouble more."""
        self._seed = seed
        self._chance = random.Random(seed)  # noqa: S311  # reproducible, not secret
        self.churn = Churn(self._chance)
        self.simulator = FaultySimulator(self.churn.world)
        self.troubles = Troubles(self.simulator, self._chance)
        self.oracle = Oracle(self.churn.world, ACCOUNT)
        self._most, self._likely = most, likely
        self.steps = self.values = 0
        self._events: deque[str] = deque(maxlen=MOST_EVENTS)

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return self.churn.held.wall() - START

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the service and the exporter."""
        with self.simulator, ThreadPoolExecutor(WORKERS) as pool:
            config = parse(
                configuration(ACCOUNT, self.simulator.endpoint),
                name="soak",
                environ={},
                base_dir=Path(),
            )
            self._engine = assemble(
                config, environ={}, clock=self.churn.held.clock, start_rate=10_000.0
            )
            self._pool = pool
            try:
                yield
            finally:
                self._engine.close()

    def step(self) -> None:
        """Let some time pass, things happen, the exporter look, and compare what it shows."""
        self.steps += 1
        try:
            self._step()
        except Exception as error:
            error.add_note(self._where())
            raise

    def _step(self) -> None:
        self._pass(float(self._chance.choice((20, 45, 60, 60, 120, 180, 300))))
        self.churn.step(self._most)
        fates = self.troubles.step(self.oracle.watched, self._likely)
        self._events += [self._stamped(text) for text in self.churn.told + self.troubles.told]
        self._pass(POLL_OFFSET)
        if self.steps == 1 or self._chance.random() < 0.3:
            self._events.append(self._stamped("discovery"))
            self._engine.manager.discover()
            self.oracle.discover(fates)
        places = sorted(self.oracle.watched)
        if self.steps > 1 and self._chance.random() < 0.3:
            places = self._chance.sample(places, self._chance.randint(0, len(places)))
        self.troubles.look(self.simulator.requests)
        self.simulator.forget_requests()
        list(self._pool.map(lambda place: self._engine.manager.poll(TargetKey(*place)), places))
        self.oracle.poll(self.simulator.requests, places, fates)
        self.troubles.look(self.simulator.requests)
        self.simulator.forget_requests()
        self._events.append(self._stamped(f"polled {'/'.join(logstore for _, logstore in places)}"))
        self._pass(self._chance.choice((0.0, 1.0, 14.0, 29.0)))
        self.compare()
        if self._chance.random() < 0.08:
            self._pass(STALE_AFTER - 30.0)
            self.compare()
        self._pass(1 - POLL_OFFSET)

    def missing(self) -> list[str]:
        """List the changes, troubles and situations that have not come yet."""
        fates = [f"{fate} in the end" for fate in ("passes", "fails", "denied", "gone")]
        met = self.troubles.met
        return [
            *(kind for kind in self.churn.kinds if not self.churn.counts[kind]),
            *(each for each in (*AIMS, *fates, *(kind.name for kind in KINDS)) if not met[each]),
            *(each for each in (*STATES, *SITUATIONS) if not self.oracle.seen[each]),
        ]

    def scrape(self) -> str:
        """Scrape the exporter."""
        return b"".join(self._engine.scrape().body).decode()

    def compare(self) -> dict[Series, float]:
        """Compare a scrape with what is true; return the latter."""
        expected = self.oracle.series()
        self.values += len(expected)
        differences = compare(self.scrape(), expected)
        if differences:
            shown = [f"  {each}" for each in differences[:MOST_DIFFERENCES]]
            pytest.fail(
                f"{self._where()}: {len(differences)} differences\n"
                + "\n".join([*shown, "what happened before:", *self._events]),
                pytrace=False,
            )
        return expected

    def _where(self) -> str:
        return f"seed {self._seed}, step {self.steps}, {self.now:.2f} s after the start"

    def _pass(self, seconds: float) -> None:
        self.churn.held.advance(seconds)

    def _stamped(self, text: str) -> str:
        return f"  {self.now:9.2f} {text}"


@pytest.fixture
def soak(caplog: pytest.LogCaptureFixture) -> Iterator[Soak]:
    caplog.set_level(logging.CRITICAL, "exporter")  # else pytest keeps every record
    soak = Soak(SEED)
    with soak.running():
        yield soak


@pytest.fixture
def calm(caplog: pytest.LogCaptureFixture) -> Iterator[Soak]:
    """Poll once where nothing changes and nothing is in trouble."""
    caplog.set_level(logging.CRITICAL, "exporter")
    soak = Soak(SEED, most=0, likely=0.0)
    with soak.running():
        soak.step()
        yield soak


@pytest.mark.timeout(120 + 120 * HOURS)
def test_every_value_of_every_scrape_is_right_for_hours(soak: Soak) -> None:
    while soak.now < HOURS * HOUR or (soak.missing() and soak.now < 2 * HOURS * HOUR):
        soak.step()
    assert soak.missing() == [], f"not played with seed {SEED}"


def test_the_oracle_tells_what_the_documents_promise() -> None:
    held = HeldClock(START)
    world = World(wall=held.wall)
    world.create_project("shop")
    world.create_logstore("shop", "orders", shards=2)
    world.create_group("shop", "orders", "billing")
    world.write("shop", "orders", 0, 10)
    begin = world.begin_cursor("shop", "orders", 0)
    world.update_checkpoint("shop", "orders", "billing", 0, begin + 4, consumer="w-1")
    held.advance(100.0)
    world.write("shop", "orders", 0)
    oracle = Oracle(world, [Entry(project="shop", logstore="orders", groups=("billing",))])
    oracle.poll([], [("shop", "orders")], Fates())
    held.advance(20.0)
    logstore = {"project": "shop", "logstore": "orders"}
    group = {**logstore, "consumer_group": "billing"}
    consumed = {**group, "shard": "0", "consumer": "w-1"}
    states = dict.fromkeys(STATES, 0.0) | {"consuming": 1.0, "unconsumed": 1.0}
    assert oracle.series() == {
        named("sls_consumer_group_checkpoint_age_seconds", consumed): 120.0,
        named("sls_consumer_group_checkpoint_update_timestamp_seconds", consumed): START,
        named("sls_consumer_group_lag_seconds", consumed): 100.0,
        named("sls_consumer_group_oldest_unread_timestamp_seconds", consumed): START,
        named("sls_consumer_group_stalled_seconds", consumed): 120.0,
        named("sls_consumer_group_unread_log_groups", consumed): 7.0,
        named("sls_consumer_group_unread_log_groups", {**group, "shard": "1", "consumer": ""}): 0.0,
        named("sls_consumer_group_consumers", group): 1.0,
        named("sls_consumer_group_last_success_timestamp_seconds", group): START + 100.0,
        named("sls_consumer_group_up", group): 1.0,
        **{
            named("sls_consumer_group_shards", {**group, "state": state}): count
            for state, count in states.items()
        },
        named("sls_logstore_retention_seconds", logstore): 604_800.0,
        named("sls_logstore_shards", {**logstore, "status": "readonly"}): 0.0,
        named("sls_logstore_shards", {**logstore, "status": "readwrite"}): 2.0,
        named("sls_exporter_cursor_access", logstore): 1.0,
        named("sls_exporter_polls_total", {}): 1.0,
        named("sls_exporter_series", {}): 21.0,
        named("sls_exporter_series_dropped", {}): 0.0,
        named("sls_exporter_targets", {}): 1.0,
    }


def test_the_oracle_makes_up_no_shard_from_an_earlier_listing() -> None:
    held = HeldClock(START)
    world = World(wall=held.wall)
    world.create_project("shop")
    world.create_logstore("shop", "orders", shards=2, ttl_days=1)
    world.create_group("shop", "orders", "billing")
    for shard in (0, 1):
        end = world.end_cursor("shop", "orders", shard)
        world.update_checkpoint("shop", "orders", "billing", shard, end)
    world.split_shard("shop", "orders", 0)
    oracle = Oracle(world, [Entry(project="shop", logstore="orders", groups=("billing",))])
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


def test_a_comparison_finds_a_wrong_value_of_each_metric(calm: Soak) -> None:
    expected, text = calm.compare(), calm.scrape()
    names = sorted({name for name, _ in expected})
    assert len(names) == 19
    for name in names:
        series = next(series for series in expected if series[0] == name)
        wrong = expected[series] + 1
        altered = "".join(
            f"{line.rpartition(' ')[0]} {wrong}\n" if line_is(line, series) else f"{line}\n"
            for line in text.splitlines()
        )
        (difference,) = compare(altered, expected)
        assert difference == Difference(series=series, expected=expected[series], got=wrong)


def test_a_comparison_finds_a_series_that_is_missing(calm: Soak) -> None:
    expected, text = calm.compare(), calm.scrape()
    for series, value in expected.items():
        kept = "".join(f"{line}\n" for line in text.splitlines() if not line_is(line, series))
        assert compare(kept, expected) == [Difference(series=series, expected=value, got=None)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sls_consumer_group_up", 1.0),
        ("sls_consumer_group_stalled_seconds", 0.0),
        ("sls_logstore_shards", 2.0),
        ("sls_exporter_poll_errors_total", 1.0),
    ],
)
def test_a_comparison_finds_a_series_of_what_is_gone(calm: Soak, name: str, value: float) -> None:
    expected, text = calm.compare(), calm.scrape()
    gone = named(name, {"project": "shop", "logstore": "gone"})
    text += f'{name}{{logstore="gone",project="shop"}} {value}\n'
    assert compare(text, expected) == [Difference(series=gone, expected=None, got=value)]


def test_a_comparison_finds_a_series_that_is_there_twice(calm: Soak) -> None:
    expected, text = calm.compare(), calm.scrape()
    twice = next(line for line in text.splitlines() if line.startswith("sls_consumer_group_up"))
    (difference,) = compare(f"{text}{twice}\n", expected)
    assert difference.expected is None
    assert difference.series[0] == "sls_consumer_group_up"


def line_is(line: str, series: Series) -> bool:
    return line.startswith(series[0]) and read_series(line.rpartition(" ")[0]) == series
