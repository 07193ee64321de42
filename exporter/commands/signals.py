"""Signal handling, and an exit that does not wait for blocked threads."""

import contextlib
import logging
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

_WAIT_SECONDS = 0.5
_REPEAT_SECONDS = 1.0


Request = Literal["stop", "reload"]


class Signals:
    """A queue of the requests that signals make.

    A signal handler can interrupt the main thread at any instruction. It must therefore not take a
    lock that the main thread might hold, such as that of an Event. SimpleQueue.put is reentrant.
    """

    def __init__(self, status: int = 0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._status = status
        self._monotonic = monotonic
        self._stopped_at: float | None = None
        self._is_starting = False

    @property
    def stopping(self) -> bool:
        """True after a request to stop."""
        return self._stopped_at is not None

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Let a request to stop end the process immediately until the end of the block.

        The start can wait indefinitely for a configuration from standard input or from a pipe.
        """
        self._is_starting = True
        if self.stopping:
            _exit_now(self._status)
        yield
        self._is_starting = False

    def next(self) -> Request:
        """Wait for the next request.

        A signal that arrives just before a wait does not interrupt it, so each wait is short.
        """
        while True:
            with contextlib.suppress(queue.Empty):
                return self._requests.get(timeout=_WAIT_SECONDS)

    def ask(self, request: Request) -> None:
        """Queue a request. A later request to stop ends the process immediately.

        It is ignored in the first second, because supervisors often send a signal to a process and
        to its group.
        """
        if request == "stop":
            if self._is_starting:
                _exit_now(self._status)
            now = self._monotonic()
            if self._stopped_at is None:
                self._stopped_at = now
            elif now - self._stopped_at >= _REPEAT_SECONDS:
                _exit_now(self._status)
        self._requests.put(request)


@contextmanager
def signals(on_stop: Callable[[], None] = lambda: None, *, status: int = 0) -> Iterator[Signals]:
    """Make SIGTERM and SIGINT request a stop, and SIGHUP request a reload.

    ``on_stop`` is called in the signal handler, so it must not set an Event for which the main
    thread waits. ``status`` is the exit status of a process that is stopped. After a stop, the
    signals stay ignored until the process has ended.
    """
    asked = Signals(status)

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
            signal.signal(number, signal.SIG_IGN if asked.stopping else handler)


def exit_despite_threads(status: int) -> NoReturn:
    """Exit with a status, without waiting for other threads.

    A thread that resolves a host name cannot be interrupted, and Python would wait for it.
    """
    if threading.active_count() == 1:
        sys.exit(status)
    logging.shutdown()
    _exit_now(status)


def _exit_now(status: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # a full disk
            stream.flush()
    os._exit(status)
