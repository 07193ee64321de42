"""The pace of requests: places in a row, and no two requests closer than they are placed."""

import pytest

from exporter.sls import Throttle


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
def throttle(now: Now) -> Throttle:
    return Throttle(10.0, monotonic=now)


def test_places_are_evenly_spaced_in_the_order_of_asking(throttle: Throttle) -> None:
    assert [throttle.reserve() for _ in range(4)] == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_a_pause_saves_no_places_up(throttle: Throttle, now: Now) -> None:
    throttle.reserve()
    now.seconds += 60.0
    assert [throttle.reserve() for _ in range(2)] == pytest.approx([0.0, 0.1])


def test_a_place_that_would_be_too_late_is_left_to_others(throttle: Throttle, now: Now) -> None:
    throttle.reserve()
    assert throttle.reserve(before=now.seconds + 0.05) is None
    assert throttle.reserve() == pytest.approx(0.1)


def test_who_comes_late_holds_up_the_next_one_and_no_burst_follows(
    throttle: Throttle, now: Now
) -> None:
    assert [throttle.reserve(), throttle.reserve()] == pytest.approx([0.0, 0.1])
    now.seconds += 0.07  # the first is woken late
    assert throttle.begin() == 0.0
    now.seconds += 0.03  # the second is on time
    assert throttle.begin() == pytest.approx(0.07)
    now.seconds += 0.07
    assert throttle.begin() == 0.0
    assert throttle.reserve() == pytest.approx(0.1)
