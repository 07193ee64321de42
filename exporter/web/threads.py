"""Calls from the event loop into worker threads of a kind, so that no kind delays another."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


async def run_in(
    threads: ThreadPoolExecutor, call: Callable[[*Arguments], T], *arguments: *Arguments
) -> T:
    """Call a function in one of some threads, when one is free, and return its result."""
    return await asyncio.get_running_loop().run_in_executor(threads, call, *arguments)
