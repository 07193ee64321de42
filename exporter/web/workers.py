"""Pools of worker threads for calls from the event loop, so that no kind of call delays another."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class Workers:
    """Pools of threads, which end together. A thread starts when it is first needed."""

    def __init__(self) -> None:
        self._executors: list[ThreadPoolExecutor] = []

    def pool(self, name: str, most: int) -> "WorkerPool":
        """Add a pool with so many threads at most."""
        executor = ThreadPoolExecutor(most, name)
        self._executors.append(executor)
        return WorkerPool(executor)

    def end(self) -> None:
        """Let the threads end, each after the call it is in; calls that wait are dropped."""
        for executor in self._executors:
            executor.shutdown(wait=False, cancel_futures=True)


class WorkerPool:
    """Threads for calls of one kind."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self._executor = executor

    async def run(self, call: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        """Call a function in a thread, when one is free, and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, call, *arguments)
