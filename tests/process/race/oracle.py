"""A prediction of what each response of a race may and must show, from the history."""

import math
import re
import time
import zlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, TypeVar

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families as text_families
from prometheus_client.samples import Sample

from tests.process.race.history import (
    FLEETING,
    STABLE,
    UP,
    Answer,
    Change,
    Frozen,
    Key,
    Race,
    Variant,
    settled,
)
from tests.support.scrape import Scrape

CLOCKS_SECONDS = 1.5
"""Maximum pause of a thread between reading two clocks, which makes an age too small."""
INTERVAL_SECONDS = 1.0
STALL_AFTER_SECONDS = 2.0
ROUNDS_TO_TAKE_OVER = 4
"""Number of listing rounds after which at least one was complete and not undone by a reload."""

AGE = "sls_consumer_group_checkpoint_age_seconds"
UPDATED = "sls_consumer_group_checkpoint_update_timestamp_seconds"
UNREAD = "sls_consumer_group_unread_log_groups"
STALLED = "sls_consumer_group_stalled_seconds"
STATES = "sls_consumer_group_shards"
LAST_SUCCESS = "sls_consumer_group_last_success_timestamp_seconds"
ERRORS = "sls_exporter_poll_errors_total"
RELOADED = "sls_exporter_config_last_reload_successful"
POLLED = re.compile(
    "sls_(consumer_group|logstore)_.*|sls_exporter_((cursor|retention)_access|discovery_.*)"
)

T = TypeVar("T")


def key_of(sample: Sample) -> Key:
    labels = sample.labels
    return labels["project"], labels["logstore"], labels["consumer_group"]


def families(answer: Answer) -> list[Metric]:
    """Parse a response as strictly as its format allows."""
    text = zlib.decompress(answer.body, 15 + 32).decode()
    parse = openmetrics_families if answer.openmetrics else text_families
    found: list[Metric] = list(parse(text))
    names = Counter(family.name for family in found)
    assert max(names.values()) == 1, "each family in one piece"
    assert all(family.type in {"gauge", "counter", "histogram", "info"} for family in found)
    series = Counter((each.name, *sorted(each.labels.items())) for each in samples_of(found))
    assert [each for each, count in series.items() if count > 1] == []
    return found


def samples_of(found: Iterable[Metric]) -> Iterator[Sample]:
    for family in found:
        yield from family.samples


class Poll(NamedTuple):
    """Instants of a poll of one group: after the first it began, before the last it had ended."""

    after: float
    asked: float
    before: float


def polls_that_count(asked: Sequence[float], cuts: Sequence[Change[Variant]]) -> Iterator[Poll]:
    """Yield the polls whose results were surely used, from the times of requests for a group.

    Each poll requests the group once, and polls of a logstore do not overlap. Only the poll of a
    target that was replaced may still send its request later, on a busy machine. So a poll has
    ended when the second request after its own arrives.
    """
    for poll in map(Poll, asked, asked[1:], asked[3:]):
        if not any(cut.began <= poll.before and cut.ended >= poll.after for cut in cuts):
            yield poll


@dataclass
class Oracle:
    """A prediction from the history of what a response may and what it must show."""

    race: Race
    made: Counter[str] = field(default_factory=Counter)
    """Number of comparisons by kind."""

    def __post_init__(self) -> None:
        self._to_wall = time.time() - time.monotonic()
        self._rounds: dict[str | None, list[float]] = {}
        polls: dict[tuple[str | None, ...], list[float]] = {}
        for each in sorted(self.race.simulator.requests, key=lambda record: record.received_at):
            if each.operation == "GetCheckPoint" and each.status == 200:
                place = (each.project, each.logstore, each.consumer_group)
                polls.setdefault(place, []).append(each.received_at)
            elif each.operation == "ListLogStores":
                self._rounds.setdefault(each.project, []).append(each.received_at)
        cuts = [
            after
            for before, after in pairwise(self.race.variants)
            if before.value.targets != after.value.targets
        ]
        self._polls = {place: list(polls_that_count(asked, cuts)) for place, asked in polls.items()}

    def check(self, answer: Answer) -> Sequence[Metric]:
        """Compare a response with the history, and return its metrics."""
        found = families(answer)
        scrape = Scrape(tuple(samples_of(found)))
        by_key: dict[Key, dict[str, list[Sample]]] = {}
        for sample in scrape.samples:
            if "consumer_group" in sample.labels:
                of_key = by_key.setdefault(key_of(sample), {})
                of_key.setdefault(sample.name, []).append(sample)
        for key in by_key.keys() - self.race.groups.keys():
            assert key[2] == "", f"never existed: {key}"
            assert key[1].startswith("churn-"), f"was always listed: {key}"
            assert by_key[key].keys() == {ERRORS}
        for key in self.race.groups:
            self._check_presence(answer, key, by_key.get(key, {}))
        for key, named in by_key.items():
            self._check_whole(key, named)
        self._check_shape(answer, scrape)
        polled = sum(1 for sample in scrape.samples if POLLED.fullmatch(sample.name))
        assert scrape.value("sls_exporter_series") == polled
        assert scrape.value("sls_exporter_series_dropped") == 0
        places = {key_of(sample)[:2] for sample in scrape.find(UP)}
        assert scrape.value("sls_exporter_targets") >= len(places)
        outcomes = self._possible(self.race.outcomes, answer)
        assert scrape.value(RELOADED) in outcomes
        self.made["outcomes of reloads"] += len(outcomes) == 1
        return found

    def _possible(self, changes: Sequence[Change[T]], answer: Answer) -> list[T]:
        """Return the values that may have been in force when a response was written."""
        last = max(i for i, change in enumerate(changes) if change.ended <= answer.since)
        return [change.value for change in changes[last:] if change.began <= answer.ended]

    def _check_presence(
        self, answer: Answer, key: Key, named: Mapping[str, Sequence[Sample]]
    ) -> None:
        if self._must_be_gone(answer, key):
            assert not named, f"gone, but shown: {key} {sorted(named)}"
            return
        poll = self.comparable(answer, key)
        if poll is None:
            return
        history = self.race.groups[key]
        frozen = [change.value for change in history if change.began <= answer.ended][-1]
        assert frozen is not None
        kind = "that stays" if key in STABLE else "that came"
        self.made[f"presence of a group {kind}"] += 1
        assert [sample.value for sample in named.get(UP, ())] == [1], f"{key} is not up"
        (success,) = named[LAST_SUCCESS]
        assert success.value > poll.asked + self._to_wall - 0.1, f"a poll of {key} is lost"
        self._check_values(answer, key, named, frozen, asked=poll.asked)

    def comparable(self, answer: Answer, key: Key) -> Poll | None:
        """Return the poll that a response must show or a later one, or None if not sure."""
        exists = settled(self.race.groups[key], lambda frozen: frozen is not None, answer.ended)
        wanted = settled(self.race.variants, lambda each: each.wants(key), answer.ended)
        if exists is None or wanted is None:
            return None
        polls = self._polls.get(key, [])
        last = bisect_right(polls, answer.since, key=lambda poll: poll.before) - 1
        if key in FLEETING or last < 0 or polls[last].after <= max(exists, wanted):
            return None
        return polls[last]

    def _must_be_gone(self, answer: Answer, key: Key) -> bool:
        unwanted = settled(self.race.variants, lambda each: not each.wants(key), answer.ended)
        if unwanted is not None and unwanted <= answer.since:
            # A reload is in force as soon as its request has a response.
            self.made["absence of a group that is not configured"] += 1
            return True
        history = self.race.groups[key]
        missing = settled(history, lambda frozen: frozen is None, answer.ended)
        if missing is None:
            return False
        gone = len(history) == 1 or self._rounds_after(key, missing) <= answer.since
        self.made["absence of a group that was deleted"] += gone
        return gone

    def _rounds_after(self, key: Key, instant: float) -> float:
        """Return when listings have surely detected and applied a change at an instant."""
        rounds = self._rounds.get(key[0], [])
        last = bisect_right(rounds, instant) + ROUNDS_TO_TAKE_OVER - 1
        return rounds[last] if last < len(rounds) else math.inf

    def _check_values(
        self,
        answer: Answer,
        key: Key,
        named: Mapping[str, Sequence[Sample]],
        frozen: Frozen,
        *,
        asked: float,
    ) -> None:
        if key in STABLE:
            assert ERRORS not in named, f"errors of {key}"
        if not all(variant.per_shard for variant in self._possible(self.race.variants, answer)):
            return
        values = {
            name: [sample.value for sample in named.get(name, ()) if sample.labels["shard"] == "0"]
            for name in (UNREAD, UPDATED, AGE, STALLED)
        }
        assert values[UNREAD] == [frozen.unread], key
        assert values[UPDATED] == [pytest.approx(frozen.updated, abs=1e-4, rel=0)], key
        # A stall counts on for one interval after the last poll, an age for as long as it is shown.
        started = self._to_wall - frozen.updated
        stall_until = min(answer.since, asked + INTERVAL_SECONDS)
        most = answer.ended + started + 0.1
        for name, until in ((AGE, answer.since), (STALLED, stall_until)):
            least = until + started - CLOCKS_SECONDS
            assert len(values[name]) == 1, (key, name)
            assert values[name][0] <= most, (key, name)
            if name == AGE or least > STALL_AFTER_SECONDS:
                assert least <= values[name][0], (key, name)
        self.made["values of a shard"] += 1

    @staticmethod
    def _check_whole(key: Key, named: Mapping[str, Sequence[Sample]]) -> None:
        """Check that the values of a group are consistent within one response."""
        states = {sample.labels["state"]: sample.value for sample in named.get(STATES, ())}
        if states:
            assert (len(states), sum(states.values())) == (7, 2), key
        for name, samples in named.items():
            if "shard" in samples[0].labels:
                shards = [sample.labels["shard"] for sample in samples]
                assert len(shards) == len(set(shards)), (key, name)
                assert all(sample.value >= 0 for sample in samples), (key, name)
        if AGE in named:
            known = 2 - states["unconsumed"]
            assert len(named[AGE]) == (known if "shard" in named[AGE][0].labels else 1), key

    def _check_shape(self, answer: Answer, scrape: Scrape) -> None:
        possible = self._possible(self.race.variants, answer)
        ages = scrape.find(AGE)
        if ages and len({variant.per_shard for variant in possible}) == 1:
            assert {"shard" in sample.labels for sample in ages} == {possible[0].per_shard}
            self.made["granularity"] += 1
        forms = {variant.per_shard and variant.consumer_label for variant in possible}
        if ages and len(forms) == 1:
            assert {"consumer" in sample.labels for sample in ages} == forms
            self.made["consumer label"] += 1
