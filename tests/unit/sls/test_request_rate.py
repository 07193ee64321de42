"""The request rate: evenly spaced slots, and a limit that adapts to refusals."""

import heapq
import itertools
import math
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sls.request_rate import RequestRate


class Now:
    """A monotonic clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Changes(list[tuple[float, bool]]):
    """The changes that a rate reports."""

    def note(self, limit: float, is_lowered: bool) -> None:  # noqa: FBT001  a callback
        self.append((limit, is_lowered))


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def rate(now: Now) -> RequestRate:
    return RequestRate(100.0, monotonic=now)


def wait_through(rate: RequestRate, now: Now, seconds: int) -> None:
    """Let some seconds pass in which requests wait for their slots."""
    for _ in range(seconds):
        rate.reserve()
        rate.reserve()
        now.seconds += 1.0
    rate.begin()


def test_slots_are_evenly_spaced_in_the_order_of_asking(rate: RequestRate) -> None:
    assert [rate.reserve() for _ in range(4)] == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_pause_saves_no_slots_up(rate: RequestRate, now: Now) -> None:
    rate.reserve()
    now.seconds += 60.0
    assert [rate.reserve() for _ in range(2)] == pytest.approx([0.0, 0.1])


def test_slot_that_is_too_late_stays_free(rate: RequestRate, now: Now) -> None:
    rate.reserve()
    assert rate.reserve(before=now.seconds + 0.05) is None
    assert rate.reserve() == pytest.approx(0.1)


def test_late_thread_delays_the_next_without_a_burst(rate: RequestRate, now: Now) -> None:
    assert [rate.reserve(), rate.reserve()] == pytest.approx([0.0, 0.1])
    now.seconds += 0.07  # the first is woken late
    assert rate.begin() == 0.0
    now.seconds += 0.03  # the second is on time
    assert rate.begin() == pytest.approx(0.07)
    now.seconds += 0.07
    assert rate.begin() == 0.0
    assert rate.reserve() == pytest.approx(0.1)


def test_threads_share_a_rate_without_sharing_a_slot() -> None:
    rate = RequestRate(1000.0, start=1000.0, monotonic=Now())
    slots: list[float | None] = []
    start = threading.Barrier(8)

    def reserve() -> None:
        start.wait()
        slots.extend(rate.reserve() for _ in range(100))

    threads = [threading.Thread(target=reserve) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(round((slot or 0.0) * 1000) for slot in slots) == list(range(800))


# The limit


@pytest.mark.parametrize(
    ("ceiling", "start", "limit"),
    [(100.0, 10.0, 10.0), (5.0, 10.0, 5.0), (0.5, 10.0, 0.5), (100.0, 0.4, 1.0), (0.5, 0.4, 0.5)],
)
def test_limit_begins_at_start_within_its_bounds(
    ceiling: float, start: float, limit: float
) -> None:
    assert RequestRate(ceiling, start=start).limit == limit


def test_limit_rises_by_one_per_second_in_which_requests_wait(rate: RequestRate, now: Now) -> None:
    wait_through(rate, now, 5)
    assert rate.limit == 15.0


def test_limit_stays_while_no_request_waits(rate: RequestRate, now: Now) -> None:
    for _ in range(50):
        assert rate.reserve() == 0.0
        assert rate.begin() == 0.0
        now.seconds += 0.5
    assert rate.limit == 10.0


def test_limit_stays_over_a_long_pause(rate: RequestRate, now: Now) -> None:
    rate.reserve()
    rate.reserve()
    now.seconds += 600.0
    rate.begin()
    assert rate.limit == 11.0


def test_limit_rises_no_further_than_the_ceiling(now: Now) -> None:
    rate = RequestRate(12.5, monotonic=now)
    wait_through(rate, now, 10)
    assert rate.limit == 12.5


def test_limit_rises_no_further_than_the_work_needs(rate: RequestRate, now: Now) -> None:
    rate.needed = lambda: 12.5
    wait_through(rate, now, 10)
    assert rate.limit == 13.0
    rate.reserve()
    now.seconds += 60.0
    assert [rate.reserve(), rate.reserve()] == pytest.approx([0.0, 1 / 12.5])


def test_rate_in_use_is_at_least_start_if_less_is_needed(rate: RequestRate, now: Now) -> None:
    wait_through(rate, now, 10)
    assert rate.limit == 20.0
    rate.needed = lambda: 3.0
    now.seconds += 60.0
    assert [rate.reserve(), rate.reserve()] == pytest.approx([0.0, 0.1])
    assert rate.limit == 20.0


def test_needed_rate_is_evaluated_once_per_second(rate: RequestRate, now: Now) -> None:
    asked: list[float] = []

    def needed() -> float:
        asked.append(now.seconds)
        assert rate.reserve() is not None  # no lock is held
        return 5.0

    rate.needed = needed
    for _ in range(40):
        rate.reserve()
        rate.begin()
        now.seconds += 0.25
    assert len(asked) == 9


# Refusals


def test_refusal_halves_the_limit_once_per_flight(rate: RequestRate, now: Now) -> None:
    sent = [now.seconds, now.seconds + 0.1, now.seconds + 0.2]
    now.seconds += 0.3
    rate.refused(sent[1])
    assert rate.limit == 5.0
    now.seconds += 0.1
    rate.refused(sent[0])
    rate.refused(sent[2])
    assert rate.limit == 5.0
    rate.refused(now.seconds)
    assert rate.limit == 2.5


def test_refusal_halves_the_rate_in_use_if_that_is_below_the_limit(
    rate: RequestRate, now: Now
) -> None:
    wait_through(rate, now, 30)
    rate.needed = lambda: 3.0
    now.seconds += 2.0
    rate.reserve()
    rate.refused(now.seconds)
    assert rate.limit == 5.0


def test_limit_falls_no_further_than_one(rate: RequestRate, now: Now) -> None:
    for _ in range(10):
        now.seconds += 0.1
        rate.refused(now.seconds)
    assert rate.limit == 1.0


def test_second_with_a_refusal_raises_nothing(rate: RequestRate, now: Now) -> None:
    sent = now.seconds
    now.seconds += 0.1
    rate.refused(sent)
    now.seconds += 0.5
    rate.refused(sent)  # of the flight that was cut
    wait_through(rate, now, 1)
    assert rate.limit == 5.0
    wait_through(rate, now, 1)
    assert rate.limit == 6.0


def test_waiting_requests_follow_a_cut(rate: RequestRate, now: Now) -> None:
    assert [rate.reserve() for _ in range(5)][-1] == pytest.approx(0.4)
    assert rate.begin() == 0.0
    rate.refused(now.seconds)
    assert rate.reserve() == pytest.approx(1.0)  # five slots of the new distance
    now.seconds += 0.1
    assert rate.begin() == pytest.approx(0.1)


def test_changes_are_reported_until_a_minute_without_refusals(rate: RequestRate, now: Now) -> None:
    changes = Changes()
    rate.on_change = changes.note
    rate.needed = lambda: 6.0
    rate.refused(now.seconds)
    wait_through(rate, now, 3)
    assert changes == [(5.0, True), (6.0, True)]
    wait_through(rate, now, 60)
    assert changes == [(5.0, True), (6.0, True), (6.0, False)]


def test_ceiling_that_changes_keeps_what_it_allows(rate: RequestRate, now: Now) -> None:
    changes = Changes()
    rate.on_change = changes.note
    wait_through(rate, now, 10)
    changes.clear()
    rate.set_ceiling(50.0)
    rate.set_ceiling(0.5)
    rate.set_ceiling(50.0)
    assert changes == [(20.0, False), (0.5, False), (1.0, False)]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "begin", "refused", "late refusal", "ceiling"]),
        st.floats(0.0, 3.0),
        st.floats(0.05, 200.0),
    ),
    max_size=60,
)


@given(st.floats(0.05, 200.0), STEPS, st.floats(0.0, 300.0))
def test_limit_stays_within_its_bounds(
    ceiling: float, steps: list[tuple[str, float, float]], needed: float
) -> None:
    now = Now()
    rate = RequestRate(ceiling, monotonic=now)
    rate.needed = lambda: needed
    for step, seconds, value in steps:
        now.seconds += seconds
        if step == "reserve":
            rate.reserve()
        elif step == "begin":
            rate.begin()
        elif step == "ceiling":
            ceiling = value
            rate.set_ceiling(ceiling)
        else:
            rate.refused(now.seconds - (value if step == "late refusal" else 0.0))
        assert min(1.0, ceiling) <= rate.limit <= ceiling


@given(st.lists(st.tuples(st.floats(0.0, 2.0), st.floats(0.0, 2.0)), min_size=1, max_size=20))
def test_flight_of_refusals_cuts_once(flight: list[tuple[float, float]]) -> None:
    now = Now()
    rate = RequestRate(1000.0, start=1000.0, monotonic=now)
    first = now.seconds + 2.0  # all of the flight were sent until the first refusal
    answers = sorted((first + late, now.seconds + sent) for sent, late in flight)
    for at, sent in answers:
        now.seconds = at
        rate.refused(min(sent, answers[0][0]))
    assert rate.limit == 500.0


# A simulated run


class Quota:
    """A service that serves a number of requests in each second of its clock."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._second, self._served = -1, 0

    def serve(self, at: float) -> bool:
        if int(at) != self._second:
            self._second, self._served = int(at), 0
        self._served += 1
        return self._served <= self._per_second


def run(rate: RequestRate, now: Now, quota: Quota, *, workers: int) -> Iterator[tuple[float, bool]]:
    """Send requests one after the other from each worker, and yield when, and whether refused."""
    order = itertools.count()
    events = [(now.seconds, next(order), math.nan, True) for _ in range(workers)]
    while True:
        at, _, sent, is_served = heapq.heappop(events)
        now.seconds = at
        if math.isnan(sent):  # a slot
            if wait := rate.begin():
                heapq.heappush(events, (at + wait, next(order), math.nan, True))
            else:
                heapq.heappush(events, (at + 0.05, next(order), at, quota.serve(at)))
            continue
        if not is_served:
            rate.refused(sent)
        yield at, not is_served
        heapq.heappush(events, (at + (rate.reserve() or 0.0), next(order), math.nan, True))


@pytest.mark.parametrize(("per_second", "share"), [(20, 0.02), (5, 0.07)])
def test_share_of_refused_requests_stays_small_at_a_quota(per_second: int, share: float) -> None:
    now = Now()
    rate = RequestRate(100.0, monotonic=now)
    run_of = run(rate, now, Quota(per_second), workers=16)
    sent = [
        refused
        for at, refused in itertools.takewhile(lambda each: each[0] < 1000.0, run_of)
        if at > 160.0
    ]
    assert sum(sent) < share * len(sent)
    assert len(sent) > 0.6 * per_second * 840  # and most of the quota is used


def test_limit_without_a_quota_reaches_its_ceiling() -> None:
    now = Now()
    rate = RequestRate(100.0, monotonic=now)
    for at, _ in run(rate, now, Quota(10_000), workers=16):
        if at > 200.0:
            break
    assert rate.limit == 100.0
