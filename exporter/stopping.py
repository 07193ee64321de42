"""What signals ask of the process, and how it ends although threads may hold it up."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn

from exporter.logs import get_logger

_LINGER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Signals:
    """What signals ask for."""

    stop: threading.Event = field(default_factory=threading.Event)
    reload: threading.Event = field(default_factory=threading.Event)


@contextmanager
def signals(stop: threading.Event | None = None) -> Iterator[Signals]:
    """Let the first SIGTERM or SIGINT ask for a stop, a second one end at once.

    SIGHUP asks for a reload. ``stop`` is set in place of an event of its own.
    """
    asked = Signals(stop=stop or threading.Event())

    def end(_number: int, _frame: FrameType | None) -> None:
        if asked.stop.is_set():
            _exit_now(1)
        asked.stop.set()

    def reload(_number: int, _frame: FrameType | None) -> None:
        asked.reload.set()

    handlers = {signal.SIGTERM: end, signal.SIGINT: end, signal.SIGHUP: reload}
    before = {number: signal.signal(number, handle) for number, handle in handlers.items()}
    try:
        yield asked
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
