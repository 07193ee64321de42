"""Signal handling, and an exit that does not wait for blocked threads."""

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
    """A queue of the requests that signals make.

    A signal handler can interrupt the main thread at any instruction. It must therefore not take a
    lock that the main thread might hold, such as that of an Event. SimpleQueue.put is reentrant.
    """

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self.stopping = False

    def next(self) -> Request:
        """Wait for the next request.

        A signal that arrives just before a wait does not interrupt it, so each wait is short.
        """
        while True:
            with contextlib.suppress(queue.Empty):
                return self._requests.get(timeout=_WAIT_SECONDS)

    def ask(self, request: Request) -> None:
        """Queue a request. The second request to stop ends the process immediately."""
        if request == "stop":
            if self.stopping:
                _exit_now(1)
            self.stopping = True
        self._requests.put(request)


@contextmanager
def signals(on_stop: Callable[[], None] = lambda: None) -> Iterator[Signals]:
    """Make SIGTERM and SIGINT request a stop, and SIGHUP request a reload.

    ``on_stop`` is called in the signal handler, so it must not set an Event for which the main
    thread waits.
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
    """Wait up to ``linger`` seconds for running threads, then exit even if one is blocked.

    A thread that resolves a host name cannot be interrupted, and Python waits for it at exit.
    """
    deadline = time.monotonic() + linger
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                get_logger("exporter").warning("thread did not stop in time", thread=thread.name)
                _exit_now(0)


def _exit_now(status: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
