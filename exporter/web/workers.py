"""Pools of worker threads for calls from the event loop, so that no kind of call delays another."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class Workers:
    """Thread pools that end together. A thread starts when it is first needed."""

    def __init__(self) -> None:
        self._executors: list[ThreadPoolExecutor] = []

    def pool(self, name: str, most: int) -> "WorkerPool":
        """Add a pool with at most ``most`` threads."""
        executor = ThreadPoolExecutor(most, name)
        self._executors.append(executor)
        return WorkerPool(executor)

    def end(self) -> None:
        """End each thread after its current call, and drop the calls that wait."""
        for executor in self._executors:
            executor.shutdown(wait=False, cancel_futures=True)


class WorkerPool:
    """A pool of threads for calls of one kind."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self._executor = executor

    async def run(self, call: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        """Call a function as soon as a thread is free, and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, call, *arguments)
