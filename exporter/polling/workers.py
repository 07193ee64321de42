"""Pools of threads. The polls of a project and their requests share one."""

import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from msgspec import Struct

T = TypeVar("T")


class Pool(Struct, frozen=True, kw_only=True):
    """A pool by its name; ``workers`` is the number of its threads."""

    name: str
    workers: int


class Workers:
    """The threads of all pools, which are started when they are needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._executors: dict[Pool, ThreadPoolExecutor] = {}
        self._is_closed = False

    def executor(self, pool: Pool) -> ThreadPoolExecutor:
        """Return the threads of a pool; RuntimeError if all pools were closed."""
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the pools of threads are closed")
            executor = self._executors.get(pool)
            if executor is None:
                executor = self._executors[pool] = ThreadPoolExecutor(pool.workers)
            return executor

    def submit(self, pool: Pool, run: Callable[[], T]) -> Future[T]:
        """Run a callable as soon as a thread is free; RuntimeError if the pool was closed."""
        return self.executor(pool).submit(run)

    def keep_only(self, pools: Collection[Pool]) -> None:
        """Close all other pools. Their threads end after their active runs, which may hang."""
        with self._lock:
            closed = [self._executors.pop(pool) for pool in self._executors.keys() - set(pools)]
        for executor in closed:
            executor.shutdown(wait=False)

    def close(self) -> None:
        """Close all pools for good."""
        with self._lock:
            self._is_closed = True
        self.keep_only(())
