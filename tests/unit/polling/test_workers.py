"""Pools of threads: their users, and the end of their threads."""

import threading
from collections.abc import Iterator

import pytest

from exporter.polling.workers import Pool, Workers
from tests.support.wait import wait_for

SHOP, BANK = Pool(name="shop", workers=2), Pool(name="bank", workers=1)


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers()
    yield workers
    workers.close()


def test_pool_runs_as_many_callables_at_the_same_time_as_it_has_workers(workers: Workers) -> None:
    meeting = threading.Barrier(2)
    futures = [workers.submit(SHOP, lambda: meeting.wait(10)) for _ in range(2)]
    assert sorted(future.result(10) for future in futures) == [0, 1]


def test_pool_with_busy_threads_queues_what_comes_next(workers: Workers) -> None:
    release = threading.Event()
    first = workers.submit(BANK, lambda: release.wait(10))
    second = workers.submit(BANK, threading.get_ident)
    assert not second.done()
    release.set()
    assert first.result(10)
    assert second.result(10)


def test_pool_that_hangs_takes_no_threads_from_another(workers: Workers) -> None:
    release = threading.Event()
    hung = workers.submit(BANK, lambda: release.wait(10))
    assert workers.submit(SHOP, lambda: "done").result(10) == "done"
    assert not hung.done()
    release.set()


def test_equal_pools_share_their_threads(workers: Workers) -> None:
    assert workers.executor(Pool(name="shop", workers=2)) is workers.executor(SHOP)
    assert workers.executor(Pool(name="shop", workers=3)) is not workers.executor(SHOP)


def test_error_of_a_callable_is_raised_by_its_future(workers: Workers) -> None:
    def fail() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        workers.submit(SHOP, fail).result(10)
    assert workers.submit(SHOP, lambda: "done").result(10) == "done"


def test_threads_of_other_pools_end_and_those_of_kept_ones_stay(workers: Workers) -> None:
    kept = workers.submit(SHOP, threading.current_thread).result(10)
    ended = workers.submit(BANK, threading.current_thread).result(10)
    workers.keep_only({SHOP})
    wait_for(lambda: not ended.is_alive(), what="the end of a closed pool")
    assert kept.is_alive()
    assert workers.submit(SHOP, lambda: "done").result(10) == "done"


def test_closed_pool_finishes_what_is_under_way(workers: Workers) -> None:
    release = threading.Event()
    running = workers.submit(BANK, lambda: release.wait(10))
    workers.keep_only(())
    release.set()
    assert running.result(10)


def test_pool_that_comes_back_has_new_threads(workers: Workers) -> None:
    before = workers.executor(BANK)
    workers.keep_only(())
    assert workers.executor(BANK) is not before
    assert workers.submit(BANK, lambda: "done").result(10) == "done"


def test_closed_workers_take_nothing_more_and_start_no_thread() -> None:
    workers = Workers()
    ended = workers.submit(SHOP, threading.current_thread).result(10)
    workers.close()
    for pool in (SHOP, BANK):
        with pytest.raises(RuntimeError):
            workers.submit(pool, lambda: None)
    wait_for(lambda: not ended.is_alive(), what="the end of all threads")
