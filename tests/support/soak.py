"""Simulated hours of an account: a world, problems, the exporter and the oracle, in steps."""

import random
from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import inf
from pathlib import Path

import pytest

from exporter.app.assembly import assemble
from exporter.config.reader import parse
from exporter.model.names import TargetKey
from tests.simulation.oracle.account import (
    ACCOUNT,
    REQUESTS_PER_SECOND,
    STALE_AFTER,
    configuration,
)
from tests.simulation.oracle.churn import START, Churn
from tests.simulation.oracle.comparing import (
    Allowed,
    Series,
    compare,
    samples,
    without_cause,
)
from tests.simulation.oracle.oracle import Oracle
from tests.simulation.oracle.troubles import AIMS, KINDS, Troubles
from tests.simulation.oracle.verdicts import STATES
from tests.support.faulty_simulator import FaultySimulator

WORKERS = 6  # concurrent polls, so that the pauses before retries overlap
# Events happen at whole seconds, so that no poll is at the exact time at which data expires.
POLL_OFFSET = 13 / 32
MOST_DIFFERENCES, MOST_EVENTS = 12, 60
# Values that may be interpolated or absent.
INEXACT = ("_lag_seconds", "_oldest_unread_timestamp_seconds", "_stalled_seconds")
SITUATIONS = (
    "cursors denied",
    "data expired unread",
    "group failed",
    "group gone",
    "group left",
    "hidden",
    "listing too old",
    "logstore gone",
    "logstore kept",
    "logstore left",
    "logstore dropped as stale",
    "retention unreadable",
    "rewrite was no progress",
    "several states",
    "stalled for others",
    "state kept",
    "dropped as stale",
)


class Soak:
    """A world, problems, the exporter and the oracle, advanced step by step."""

    def __init__(self, seed: int, *, most: int = 4, likely: float = 0.5) -> None:
        """Set the largest number of changes (``most``) and the chance of a problem per step."""
        self._seed = seed
        self._chance = random.Random(seed)  # noqa: S311  # reproducible, not secret
        self.churn = Churn(self._chance)
        self.churn.world.times_empty_shards = bool(seed % 2)
        self.churn.world.times_end = bool(seed // 2 % 2)
        self.simulator = FaultySimulator(self.churn.world)
        self.troubles = Troubles(self.simulator, self._chance)
        self.oracle = Oracle(self.churn.world, ACCOUNT, lambda: self.simulator.endpoint)
        self._most, self._likely = most, likely
        self.steps = 0
        self.errors: defaultdict[str, list[float]] = defaultdict(list)
        """Errors of values that need not be exact, in seconds; infinite if a value is absent."""
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
                config, environ={}, clock=self.churn.held.clock, start_rate=REQUESTS_PER_SECOND
            )
            self._pool = pool
            try:
                yield
            finally:
                self._engine.close()

    def step(self) -> None:
        """Advance the clock and the world, poll, and compare the scrape with the oracle."""
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
        list(
            self._pool.map(
                lambda place: self._engine.manager.poll(TargetKey(self.simulator.endpoint, *place)),
                places,
            )
        )
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
        """List the changes, problems and situations that have not occurred yet."""
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

    def compare(self) -> dict[Series, Allowed]:
        """Compare a scrape with the allowed values, and return these."""
        expected, text = self.oracle.series(), self.scrape()
        differences = [*compare(text, expected), *without_cause(text)]
        if differences:
            shown = [f"  {each}" for each in differences[:MOST_DIFFERENCES]]
            pytest.fail(
                f"{self._where()}: {len(differences)} differences\n"
                + "\n".join([*shown, "what happened before:", *self._events]),
                pytrace=False,
            )
        got = dict(samples(text))
        for series, allowed in expected.items():
            if series[0].endswith(INEXACT) and allowed.true is not None:
                error = abs(got[series] - allowed.true) if series in got else inf
                self.errors[series[0]].append(error)
        return expected

    def _where(self) -> str:
        return f"seed {self._seed}, step {self.steps}, {self.now:.2f} s after the start"

    def _pass(self, seconds: float) -> None:
        self.churn.held.advance(seconds)

    def _stamped(self, text: str) -> str:
        return f"  {self.now:9.2f} {text}"
