"""What signals ask of the process, and how it ends although threads may hold it up."""

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal, NoReturn

from exporter.logs.logger import get_logger

_LINGER_SECONDS = 5.0
_WAIT_SECONDS = 0.5


Request = Literal["stop", "reload"]


class Signals:
    """What signals ask for, one after the other.

    A handler runs between any two steps of the main thread, so it must not take a lock that this
    thread may hold, as that of an Event it waits for. A SimpleQueue is made for that.
    """

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self.stopping = False

    def next(self) -> Request:
        """Wait for the next request.

        A signal that comes just before a wait begins does not interrupt it, so no wait is long.
        """
        while True:
            with contextlib.suppress(queue.Empty):
                return self._requests.get(timeout=_WAIT_SECONDS)

    def ask(self, request: Request) -> None:
        """Take a request; a stop that is asked for twice ends the process at once."""
        if request == "stop":
            if self.stopping:
                _exit_now(1)
            self.stopping = True
        self._requests.put(request)


@contextmanager
def signals(on_stop: Callable[[], None] = lambda: None) -> Iterator[Signals]:
    """Let SIGTERM and SIGINT ask for a stop, and SIGHUP for a reload.

    ``on_stop`` is called in the handler; the main thread must not wait for what it sets.
    """
    asked = Signals()

    def end(_number: int, _frame: FrameType | None) -> None:
        asked.ask("stop")
        on_stop()

    def reload(_number: int, _frame: FrameType | None) -> None:
        asked.ask("reload")

    handlers = {signal.SIGTERM: end, signal.SIGINT: end, signal.SIGHUP: reload}
    before = {number: signal.signal(number, handle) for number, handle in handlers.items()}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_despite_threads(*, linger: float = _LINGER_SECONDS) -> None:
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
