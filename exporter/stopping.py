"""How the process ends: signals that ask for it, threads that hold it up."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from exporter.logs import get_logger

_LINGER_SECONDS = 5.0


@contextmanager
def stop_signals(stop: threading.Event | None = None) -> Iterator[threading.Event]:
    """Let the first SIGTERM or SIGINT set an event, which is given; a second one ends at once."""
    stop = stop or threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            _exit_now(1)
        stop.set()

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave_no_thread(*, linger: float = _LINGER_SECONDS) -> None:
    """Wait briefly for threads that still poll; one that hangs must not hold up the exit.

    A thread that resolves a name cannot be interrupted, and Python waits for it.
    """
    deadline = time.monotonic() + linger
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                get_logger("exporter").warning("left behind", thread=thread.name)
                _exit_now(0)


def _exit_now(status: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
