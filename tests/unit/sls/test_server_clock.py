"""The server's clock: the middle of the last responses, even if one of them is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.base.clock import Clock
from exporter.http.response import Response
from exporter.sls.server_clock import ServerClock
from tests.support.held_clock import HeldClock
from tests.support.sls_client import Notes

START = 1_700_000_000.0


class Bench:
    """A server clock on a held one."""

    def __init__(self) -> None:
        self.held = HeldClock(START)
        self.notes = Notes()
        self.clock = ServerClock(self.held.clock, endpoint="here", observer=self.notes)

    def hear(self, ahead: float, *, status: int = 200) -> float | None:
        headers = {"x-log-time": f"{self.held.wall() + ahead:.0f}"}
        response = Response(status=status, headers=headers, body=b"")
        return self.clock.note(response, sent=self.held.monotonic())

    def ahead(self) -> float:
        return self.clock.now() - self.held.wall()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_clock_is_local_before_the_first_response(bench: Bench) -> None:
    assert bench.clock.now() == START


@pytest.mark.parametrize("ahead", [600.0, -600.0, 900.0])
def test_clock_that_is_off_is_followed_from_the_first_response(bench: Bench, ahead: float) -> None:
    for count in range(1, 20):
        bench.hear(ahead)
        assert bench.ahead() == (ahead if ahead > 0 else ahead + 1)
        assert len(bench.notes.skews) == count
        bench.held.advance(7)
    assert bench.notes.skews[-1] == ("here", ahead if ahead > 0 else ahead + 1)


@pytest.mark.parametrize("true", [0.0, 300.0])
@pytest.mark.parametrize("wrong", [-899.0, 899.0])
def test_single_wrong_time_changes_nothing(bench: Bench, true: float, wrong: float) -> None:
    bench.hear(true)
    bench.hear(true)
    bench.hear(wrong)
    assert bench.ahead() == true
    assert bench.notes.skews[-1] == ("here", true)


def test_wrong_first_time_loses_to_the_second_response(bench: Bench) -> None:
    bench.hear(899.0)
    bench.hear(0.0)
    assert bench.ahead() == 0.0


def test_clock_that_changes_is_followed_after_eight_of_fifteen_responses(bench: Bench) -> None:
    for _ in range(30):
        bench.hear(0.0)
    for _ in range(7):
        bench.hear(100.0)
    assert bench.ahead() == 0.0
    bench.hear(100.0)
    assert bench.ahead() == 100.0


def test_jump_of_our_clock_does_not_move_the_servers(bench: Bench) -> None:
    bench.hear(0.0)
    bench.held.set(START - 500.0)
    assert bench.clock.now() == START
    bench.hear(500.0)
    assert bench.clock.now() == START
    assert bench.notes.skews[-1] == ("here", 500.0)


@pytest.mark.parametrize("ahead", [902.0, -902.0, 86_400.0])
def test_time_out_of_bounds_in_a_successful_response_is_ignored_and_counted(
    bench: Bench, ahead: float
) -> None:
    bench.hear(ahead)
    assert bench.clock.now() == START
    assert bench.notes.skews == []
    assert bench.notes.ignored_times == ["here"]


@pytest.mark.parametrize(
    ("text", "skew"),
    [
        # The server sends whole seconds, so its time is anywhere in that second.
        ("1700000000", 0.0),
        ("1699999999", 0.0),
        ("1700000001", 1.0),
        ("1700000060", 60.0),
        ("1699999998", -1.0),
        ("1699999940", -59.0),
    ],
)
def test_skew_is_the_least_that_explains_the_time_of_the_server(
    bench: Bench, text: str, skew: float
) -> None:
    response = Response(status=200, headers={"x-log-time": text}, body=b"")
    assert bench.clock.note(response, sent=bench.held.monotonic()) == skew
    assert bench.notes.skews == [("here", skew)]


@pytest.mark.parametrize(
    "text",
    [
        *("0", "-5", "soon", "1e9", "12345", "9" * 10, "99999999999", "9" * 5000),
        *("1700000000.5", "1700000000000", "²²"),
    ],
)
def test_unreadable_time_in_a_successful_response_is_ignored_and_counted(
    bench: Bench, text: str
) -> None:
    response = Response(status=200, headers={"x-log-time": text}, body=b"")
    assert bench.clock.note(response, sent=bench.held.monotonic()) is None
    assert bench.clock.now() == START
    assert (bench.notes.skews, bench.notes.ignored_times) == ([], ["here"])


def test_response_without_a_time_is_not_counted(bench: Bench) -> None:
    response = Response(status=200, headers={}, body=b"")
    assert bench.clock.note(response, sent=bench.held.monotonic()) is None
    assert bench.notes.ignored_times == []


def test_time_out_of_bounds_in_a_refusal_is_returned_in_full(bench: Bench) -> None:
    assert bench.hear(3600.0, status=400) == 3600.0
    assert bench.clock.now() == START
    assert bench.notes.ignored_times == []


@given(st.lists(st.integers(-899, 899), min_size=1, max_size=40))
def test_clock_stays_between_the_times_of_the_responses(aheads: list[int]) -> None:
    bench = Bench()
    for ahead in aheads:
        bench.hear(ahead)
    last = [max(ahead, min(ahead + 1, 0)) for ahead in aheads[-15:]]
    assert min(last) <= bench.ahead() <= max(last)


# A machine that was suspended: the monotonic clock has stood meanwhile.


class Suspended:
    """A server clock of a machine that can be suspended, and whose wall clock can be corrected."""

    def __init__(self, *, skew: float = 0.0) -> None:
        self.held = HeldClock(START)
        self.skew = skew
        self.slept = self.unnoticed = 0.0
        ours = Clock(
            wall=lambda: self.held.wall() + self.slept - self.unnoticed,
            monotonic=self.held.monotonic,
        )
        self.clock = ServerClock(ours, endpoint="here", observer=Notes())

    def true(self) -> float:
        return self.held.wall() + self.slept + self.skew

    def hear(self, *, wrong: float = 0.0) -> None:
        headers = {"x-log-time": f"{self.true() + wrong:.0f}"}
        response = Response(status=200, headers=headers, body=b"")
        self.clock.note(response, sent=self.held.monotonic())

    def error(self) -> float:
        return self.clock.now() - self.true()


@pytest.mark.parametrize("slept", [6.0, 60.0, 600.0, 10_800.0])
@pytest.mark.parametrize("skew", [0.0, 300.0, -300.0])
def test_clock_is_right_from_the_first_response_after_a_suspension(
    slept: float, skew: float
) -> None:
    machine = Suspended(skew=skew)
    for _ in range(20):
        machine.hear()
        machine.held.advance(7.0)
    for _ in range(3):
        machine.slept += slept
        machine.hear()
        assert abs(machine.error()) <= 1.0
        machine.held.advance(7.0)


def test_clock_is_right_when_the_wall_clock_is_corrected_late_after_a_suspension() -> None:
    machine = Suspended()
    for _ in range(20):
        machine.hear()
    machine.slept = machine.unnoticed = 600.0
    for _ in range(3):
        machine.hear()  # The median still counts the earlier responses.
    machine.unnoticed = 0.0
    machine.hear()
    assert abs(machine.error()) <= 1.0


def test_correction_of_our_wall_clock_alone_does_not_count_as_a_suspension() -> None:
    machine = Suspended()
    machine.unnoticed = 600.0
    for _ in range(20):
        machine.hear()
    machine.unnoticed = 0.0
    machine.hear(wrong=700.0)
    assert abs(machine.error()) <= 1.0
    machine.hear()
    assert abs(machine.error()) <= 1.0


def test_wrong_time_after_a_suspension_does_not_hide_it() -> None:
    machine = Suspended()
    for _ in range(20):
        machine.hear()
    machine.slept = 600.0
    machine.hear(wrong=-300.0)
    machine.hear()
    assert abs(machine.error()) <= 1.0
