"""The pace of requests: places in a row, and no two requests closer than they are placed."""

import pytest

from exporter.sls.request_rate import RequestRate


class Now:
    """A monotonic clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def rate(now: Now) -> RequestRate:
    return RequestRate(10.0, monotonic=now)


def test_places_are_evenly_spaced_in_the_order_of_asking(rate: RequestRate) -> None:
    assert [rate.reserve() for _ in range(4)] == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_a_pause_saves_no_places_up(rate: RequestRate, now: Now) -> None:
    rate.reserve()
    now.seconds += 60.0
    assert [rate.reserve() for _ in range(2)] == pytest.approx([0.0, 0.1])


def test_a_place_that_would_be_too_late_is_left_to_others(rate: RequestRate, now: Now) -> None:
    rate.reserve()
    assert rate.reserve(before=now.seconds + 0.05) is None
    assert rate.reserve() == pytest.approx(0.1)


def test_who_comes_late_holds_up_the_next_one_and_no_burst_follows(
    rate: RequestRate, now: Now
) -> None:
    assert [rate.reserve(), rate.reserve()] == pytest.approx([0.0, 0.1])
    now.seconds += 0.07  # the first is woken late
    assert rate.begin() == 0.0
    now.seconds += 0.03  # the second is on time
    assert rate.begin() == pytest.approx(0.07)
    now.seconds += 0.07
    assert rate.begin() == 0.0
    assert rate.reserve() == pytest.approx(0.1)
