"""Signal handling, and an exit that does not wait for blocked threads."""

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import thread as executors
from contextlib import contextmanager
from types import FrameType
from typing import Literal, NoReturn

from exporter.logs.logger import get_logger

_LINGER_SECONDS = 5.0
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


def exit_despite_threads(*, linger: float = _LINGER_SECONDS) -> None:
    """Wait up to ``linger`` seconds for running threads, then exit even if one is blocked.

    A thread that resolves a host name cannot be interrupted, and Python waits for it at exit.
    """
    deadline = time.monotonic() + linger
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and _is_awaited(thread):
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                get_logger("exporter").warning("thread did not stop in time", thread=thread.name)
                _exit_now(0)


def _is_awaited(thread: threading.Thread) -> bool:
    """Return whether Python waits for a thread at its exit.

    It also waits for threads of executors that a daemon thread has started, and which are therefore
    daemon threads too. Only a private name of the standard library identifies them.
    """
    return not thread.daemon or thread in getattr(executors, "_threads_queues", ())


def _exit_now(status: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # a full disk
            stream.flush()
    os._exit(status)
