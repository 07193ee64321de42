"""Simulated hours of an account with many changes and failures: each scrape is right.

The real poller polls a simulated service over HTTP, both with the same held clock. An oracle that
knows the world predicts every series and, from the documents, the bounds of every value.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from math import isfinite

import pytest

from tests.simulation.oracle.account import INTERVAL
from tests.simulation.oracle.comparing import (
    AGE_PRECISION,
    Difference,
    Series,
    between,
    compare,
    either,
    exactly,
    named,
    read_series,
    samples,
    without_cause,
)
from tests.support.soak import INEXACT, Soak

HOURS = float(os.environ.get("SLS_EXPORTER_SOAK_HOURS", "6"))
SEED = int(os.environ.get("SLS_EXPORTER_SOAK_SEED", "7"))
HOUR = 3600.0
# Most values that may be interpolated or absent are exact, and nearly all are nearly exact.
EXACT_SHARE, SHARE_WITHIN_INTERVAL = 0.5, 0.95


@pytest.fixture
def soak(caplog: pytest.LogCaptureFixture) -> Iterator[Soak]:
    caplog.set_level(logging.CRITICAL, "exporter")  # otherwise pytest keeps every record
    soak = Soak(SEED)
    with soak.running():
        yield soak


@pytest.fixture
def calm(caplog: pytest.LogCaptureFixture) -> Iterator[Soak]:
    """Poll once without changes and problems."""
    caplog.set_level(logging.CRITICAL, "exporter")
    soak = Soak(SEED, most=0, likely=0.0)
    with soak.running():
        soak.step()
        yield soak


@pytest.mark.timeout(120 + 120 * HOURS)
def test_exporter_shows_right_values_in_every_scrape_for_hours(soak: Soak) -> None:
    while soak.now < HOURS * HOUR or (soak.missing() and soak.now < 4 * HOURS * HOUR):
        soak.step()
    assert soak.missing() == [], f"not played with seed {SEED}"
    assert len(soak.errors) == len(INEXACT)
    for name, errors in soak.errors.items():
        assert share(errors, AGE_PRECISION) > EXACT_SHARE, name
        assert share(errors, INTERVAL) > SHARE_WITHIN_INTERVAL, name


def share(errors: Sequence[float], most: float) -> float:
    """Return the share of errors that are not larger than a bound."""
    return sum(error <= most for error in errors) / len(errors)


def test_comparison_finds_wrong_values_of_each_metric(calm: Soak) -> None:
    expected, text = calm.compare(), calm.scrape()
    shown = dict(samples(text))
    names = sorted({name for name, _ in shown})
    assert len(names) == 35
    for name in names:
        series = next(series for series in shown if series[0] == name)
        for wrong in filter(isfinite, (expected[series].least - 1, expected[series].most + 1)):
            altered = "".join(
                f"{line.rpartition(' ')[0]} {wrong}\n" if line_is(line, series) else f"{line}\n"
                for line in text.splitlines()
            )
            (difference,) = compare(altered, expected)
            assert difference == Difference(series=series, expected=expected[series], got=wrong)


def test_comparison_finds_series_that_are_missing(calm: Soak) -> None:
    expected, text = calm.compare(), calm.scrape()
    for series, allowed in expected.items():
        kept = "".join(f"{line}\n" for line in text.splitlines() if not line_is(line, series))
        difference = Difference(series=series, expected=allowed, got=None)
        assert compare(kept, expected) == ([] if allowed.optional else [difference])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sls_consumer_group_up", 1.0),
        ("sls_consumer_group_stalled_seconds", 0.0),
        ("sls_logstore_shards", 2.0),
        ("sls_exporter_poll_errors_total", 1.0),
    ],
)
def test_comparison_finds_series_of_what_is_gone(calm: Soak, name: str, value: float) -> None:
    expected, text = calm.compare(), calm.scrape()
    gone = named(name, {"project": "shop", "logstore": "gone"})
    text += f'{name}{{logstore="gone",project="shop"}} {value}\n'
    assert compare(text, expected) == [Difference(series=gone, expected=None, got=value)]


def test_comparison_finds_series_that_are_there_twice(calm: Soak) -> None:
    expected, text = calm.compare(), calm.scrape()
    twice = next(line for line in text.splitlines() if line.startswith("sls_consumer_group_up"))
    (difference,) = compare(f"{text}{twice}\n", expected)
    assert difference.expected is None
    assert difference.series[0] == "sls_consumer_group_up"


def test_comparison_finds_stalled_shards_without_a_cause() -> None:
    stalled = 'sls_consumer_group_shards{consumer_group="g",state="stalled"} 2\n'
    causes = [
        f'sls_consumer_group_stalled_shards{{consumer_group="g",cause="{cause}"}} 1\n'
        for cause in ("unknown", "group_silent", "owner_stuck")
    ]
    found = [len([*without_cause(stalled + "".join(causes[:count]))]) for count in range(4)]
    assert found == [1, 1, 0, 1]


def test_comparison_accepts_any_alternative_and_nothing_else() -> None:
    series = named("sls_consumer_group_unread_log_groups", {})
    allowed = either([exactly(3.0), between(7.0, 5.0, 9.0)])
    assert allowed is not None
    text = "sls_consumer_group_unread_log_groups"
    found = {value: compare(f"{text} {value}\n", {series: allowed}) for value in (2, 3, 4, 5, 9)}
    assert [value for value, differences in found.items() if not differences] == [3, 5, 9]
    assert compare("", {series: allowed}) != []


def line_is(line: str, series: Series) -> bool:
    return line.startswith(series[0]) and read_series(line.rpartition(" ")[0]) == series
