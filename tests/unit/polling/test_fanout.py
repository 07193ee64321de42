"""Requests of a poll on several threads: their order, their number, and what ends them."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from exporter.polling.fanout import FanOut, StopRequest
from exporter.sls.errors import Cancelled, NotFound, SlsError
from tests.support.wait import wait_for

PATIENCE = 10.0


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as threads:
        yield threads


def ignored(_: object) -> None:
    """Ignore a result."""


# Order


def test_requests_go_out_by_priority_and_equal_ones_in_the_order_of_adding() -> None:
    fan = FanOut()
    sent: list[str] = []
    for name, priority in (("c", (2.0,)), ("a", (1.0,)), ("d", (2.0,)), ("b", (1.0, 5.0))):
        fan.add(partial(sent.append, name), ignored, priority=priority)
    assert fan.waiting == 4
    fan.run()
    assert sent == ["a", "b", "c", "d"]
    assert (fan.sent, fan.waiting) == (4, 0)


def test_spare_requests_are_sent_but_not_counted() -> None:
    fan = FanOut()
    sent: list[str] = []
    for name, is_spare in (("a", False), ("b", True), ("c", True)):
        fan.add(partial(sent.append, name), ignored, priority=(0.0,), is_spare=is_spare)
    assert (fan.sent, fan.waiting) == (0, 1)
    fan.run()
    assert sent == ["a", "b", "c"]
    assert (fan.sent, fan.waiting) == (1, 0)


def test_request_that_follows_from_a_response_is_sent_by_its_priority() -> None:
    fan = FanOut()
    sent: list[str] = []

    def answer(_: object) -> None:
        fan.add(partial(sent.append, "urgent"), ignored, priority=(1.0,))

    fan.add(partial(sent.append, "first"), answer, priority=(0.0,))
    fan.add(partial(sent.append, "last"), ignored, priority=(2.0,))
    fan.run()
    assert sent == ["first", "urgent", "last"]


def test_run_without_requests_ends_immediately() -> None:
    fan = FanOut()
    fan.run()
    assert fan.sent == 0


def test_fan_out_runs_again_with_more_requests() -> None:
    fan = FanOut()
    results: list[object] = []
    for number in range(2):
        fan.add(partial(int, number), results.append, priority=(0.0,))
        fan.run()
    assert results == [0, 1]


# Results


def test_handler_gets_the_result_or_the_error_of_its_request() -> None:
    fan = FanOut()
    outcomes: list[object] = []
    error = NotFound("no", operation="GetCursor", code="ShardNotExist")

    def fail() -> None:
        raise error

    fan.add(lambda: 7, outcomes.append, priority=(0.0,))
    fan.add(fail, outcomes.append, priority=(1.0,))
    fan.run()
    assert outcomes == [7, error]


def test_request_that_is_not_needed_any_more_has_no_result() -> None:
    fan = FanOut()
    outcomes: list[object] = []

    def skip() -> None:
        raise StopRequest

    fan.add(skip, outcomes.append, priority=(0.0,))
    fan.add(lambda: 1, outcomes.append, priority=(1.0,))
    fan.run()
    assert outcomes == [1]


def test_each_response_is_noted_even_if_it_is_an_error() -> None:
    noted: list[int] = []
    fan = FanOut(on_response=lambda: noted.append(fan.sent))

    def fail() -> None:
        raise SlsError("no", operation="GetCursor", code="ServerBusy")

    fan.add(fail, ignored, priority=(0.0,))
    fan.add(lambda: 1, ignored, priority=(1.0,))
    fan.run()
    assert noted == [1, 2]


# Threads


@pytest.mark.parametrize("width", [1, 2, 5])
def test_as_many_requests_as_the_width_are_under_way_at_the_same_time(
    threads: ThreadPoolExecutor, width: int
) -> None:
    fan = FanOut(submit=threads.submit, width=width)
    counts = Counts()
    barrier = threading.Barrier(width)

    def request() -> None:
        with counts:
            barrier.wait(PATIENCE)

    for _ in range(3 * width):
        fan.add(request, ignored, priority=(0.0,))
    fan.run()
    assert counts.most == width
    assert fan.sent == 3 * width


class Counts:
    """The largest number of threads that were in a block at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0

    def __enter__(self) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._now -= 1


def test_handlers_never_run_at_the_same_time(threads: ThreadPoolExecutor) -> None:
    fan = FanOut(submit=threads.submit, width=8)
    counts = Counts()
    left = 200

    def handle(_: object) -> None:
        nonlocal left
        with counts:
            left -= 1
            if left >= 8:
                fan.add(lambda: None, handle, priority=(0.0,))

    for _ in range(8):
        fan.add(lambda: None, handle, priority=(0.0,))
    fan.run()
    assert counts.most == 1
    assert fan.sent == 200


def test_request_that_hangs_holds_up_no_other(threads: ThreadPoolExecutor) -> None:
    fan = FanOut(submit=threads.submit, width=2)
    release, done = threading.Event(), []

    def follow(number: int) -> Callable[[object], None]:
        def handle(_: object) -> None:
            done.append(number)
            if number < 20:
                fan.add(lambda: None, follow(number + 1), priority=(1.0,))

        return handle

    fan.add(lambda: release.wait(PATIENCE), ignored, priority=(0.0,))
    fan.add(lambda: None, follow(0), priority=(1.0,))
    running = threads.submit(fan.run)
    wait_for(lambda: len(done) == 21, what="everything but the request that hangs")
    assert not running.done()
    release.set()
    running.result(PATIENCE)


def test_run_waits_for_requests_of_helpers_and_their_follow_up_requests(
    threads: ThreadPoolExecutor,
) -> None:
    fan = FanOut(submit=threads.submit, width=3)
    both = threading.Barrier(2)
    results: list[object] = []

    def meet(name: str) -> str:
        both.wait(PATIENCE)
        return name

    def follow(result: object) -> None:
        results.append(result)
        fan.add(lambda: f"after {result}", results.append, priority=(0.0,))

    for name in ("a", "b"):
        fan.add(partial(meet, name), follow, priority=(0.0,))
    fan.run()
    assert sorted(map(str, results)) == ["a", "after a", "after b", "b"]


def test_single_request_needs_no_helper() -> None:
    helpers: list[Callable[[], None]] = []
    fan = FanOut(submit=helpers.append, width=8)
    fan.add(lambda: None, ignored, priority=(0.0,))
    assert helpers == []
    fan.add(lambda: None, ignored, priority=(0.0,))
    assert len(helpers) == 1
    for _ in range(20):
        fan.add(lambda: None, ignored, priority=(0.0,))
    assert len(helpers) == 7
    fan.run()
    assert fan.sent == 22


def test_helper_that_comes_late_finds_nothing_to_do_and_another_may_come() -> None:
    helpers: list[Callable[[], None]] = []
    fan = FanOut(submit=helpers.append, width=2)
    for _ in range(2):
        fan.add(lambda: None, ignored, priority=(0.0,))
    fan.run()
    (late,) = helpers
    late()
    assert fan.sent == 2
    for _ in range(2):
        fan.add(lambda: None, ignored, priority=(0.0,))
    assert len(helpers) == 2


def test_fan_out_works_alone_if_no_thread_is_available() -> None:
    def refuse(_: Callable[[], None]) -> None:
        raise RuntimeError("cannot schedule new futures after shutdown")

    fan = FanOut(submit=refuse, width=4)
    results: list[object] = []
    for number in range(5):
        fan.add(partial(int, number), results.append, priority=(0.0,))
    fan.run()
    assert results == [0, 1, 2, 3, 4]


# Ends


@pytest.mark.parametrize("error", [Cancelled(operation="GetCursor"), ValueError("a bug")])
def test_cancellation_and_unexpected_errors_end_the_run(error: Exception) -> None:
    fan = FanOut()
    sent: list[int] = []

    def fail() -> None:
        raise error

    fan.add(partial(sent.append, 0), ignored, priority=(0.0,))
    fan.add(fail, ignored, priority=(1.0,))
    fan.add(partial(sent.append, 2), ignored, priority=(2.0,))
    with pytest.raises(type(error)) as raised:
        fan.run()
    assert raised.value is error
    assert sent == [0]


def test_error_in_a_handler_ends_the_run() -> None:
    fan = FanOut()

    def fail(_: object) -> None:
        raise ValueError("a bug")

    fan.add(lambda: 1, fail, priority=(0.0,))
    fan.add(lambda: 2, ignored, priority=(1.0,))
    with pytest.raises(ValueError, match="a bug"):
        fan.run()
    assert fan.sent == 1


def test_error_in_noting_a_response_ends_the_run() -> None:
    def outdated() -> None:
        raise ValueError("outdated")

    fan = FanOut(on_response=outdated)
    handled: list[object] = []
    for _ in range(2):
        fan.add(lambda: 1, handled.append, priority=(0.0,))
    with pytest.raises(ValueError, match="outdated"):
        fan.run()
    assert (fan.sent, handled) == (1, [])


def test_error_on_a_helper_is_raised_on_the_thread_of_the_run(
    threads: ThreadPoolExecutor,
) -> None:
    fan = FanOut(submit=threads.submit, width=2)
    both, runner = threading.Barrier(2), threading.get_ident()

    def request() -> None:
        both.wait(PATIENCE)
        if threading.get_ident() != runner:
            raise Cancelled(operation="GetCursor")

    for _ in range(2):
        fan.add(request, ignored, priority=(0.0,))
    with pytest.raises(Cancelled):
        fan.run()


def test_run_that_failed_waits_for_requests_under_way_and_drops_their_results(
    threads: ThreadPoolExecutor,
) -> None:
    fan = FanOut(submit=threads.submit, width=2)
    both, release = threading.Barrier(2), threading.Event()
    handled: list[object] = []

    def slow() -> str:
        both.wait(PATIENCE)
        release.wait(PATIENCE)
        return "late"

    def fail() -> None:
        both.wait(PATIENCE)
        raise Cancelled(operation="GetCursor")

    for request in (slow, fail):
        fan.add(request, handled.append, priority=(0.0,))
    running = threads.submit(fan.run)
    wait_for(lambda: fan.waiting == 0)
    assert not running.done()
    release.set()
    with pytest.raises(Cancelled):
        running.result(PATIENCE)
    assert handled == []
