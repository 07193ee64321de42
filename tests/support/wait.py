"""Waiting on a condition with a deadline, instead of a fixed sleep."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.25


def wait_for(condition: Callable[[], T], *, timeout: float = 10.0, what: str = "") -> T:
    """Return the condition's first true value; fail at the deadline, naming ``what``.

    A condition that takes long, such as a scrape, is evaluated less often. It uses at most a third
    of a processor and hardly slows down what it waits for.
    """
    deadline = time.monotonic() + timeout
    while True:
        begun = time.monotonic()
        if value := condition():
            return value
        ended = time.monotonic()
        if ended > deadline:
            raise AssertionError(f"not within {timeout} s: {what or condition}")
        time.sleep(min(max(_PAUSE_SECONDS, 2 * (ended - begun)), _LONGEST_PAUSE_SECONDS))
