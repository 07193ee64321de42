"""How lines are written: whole, whatever the stream does, and not thousands of a kind at once."""

import contextlib
import io
import logging
import threading
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple, TextIO

_MOST = 5
_PERIOD_SECONDS = 60.0
_MAX_KINDS = 1000
_MAX_TEMPLATE = 200


class LineHandler(logging.Handler):
    """Writes each record as one line, past the stream's buffer, and never raises.

    Of a stream that is closed, broken or full nothing is left behind: not an exception for who
    logs, and not an unwritten rest on which Python would fail at its exit.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream  # which would close what is below it if it were collected
        buffer = stream.buffer
        self._raw = buffer.raw if isinstance(buffer, io.BufferedWriter) else buffer
        self._torn = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; a line that could be written in part only is ended by the next one."""
        start = "\n" if self._torn else ""
        line = f"{start}{self.format(record)}\n"
        data = memoryview(line.encode(self._stream.encoding, "backslashreplace"))
        with contextlib.suppress(OSError, ValueError):  # ValueError: the stream is closed
            while data:
                written = self._raw.write(data)
                if written is None:  # the stream would block, and somebody has told it not to
                    return
                data = data[written:]
                self._torn = bool(data)


class _Kind(NamedTuple):
    """What makes lines alike."""

    logger: str
    level: int
    message: str = ""
    project: str = ""
    code: str = ""


Later = Callable[[float, Callable[[], None]], None]
"""Calls a function after so many seconds; RuntimeError if no thread can be had for it."""


class BurstHandler(logging.Handler):
    """Hands the first lines of a kind in a period on, and then one that tells how many more came.

    A kind is one message of one logger about one project with one error code. When an API that
    serves ten thousand groups is away, that is a few lines a project.
    """

    def __init__(
        self,
        target: logging.Handler,
        *,
        most: int = _MOST,
        period: float = _PERIOD_SECONDS,
        later: Later | None = None,
    ) -> None:
        super().__init__()
        self._target = target
        self._most = most
        self._period = period
        self._later = later or _in_a_thread
        self._counts: Counter[_Kind] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record on, or count it."""
        if not self._counts:
            try:
                self._later(self._period, self.end_period)
            except RuntimeError:  # nobody would tell what was left out, so nothing is
                self._target.handle(record)
                return
        kind = self._kind(record)
        self._counts[kind] += 1
        if self._counts[kind] <= self._most:
            self._target.handle(record)

    def end_period(self) -> None:
        """Tell what was left out, and begin anew."""
        self.acquire()
        try:
            counts, self._counts = self._counts, Counter()
            for kind, count in counts.items():
                if count > self._most:
                    self._target.handle(_summary(kind, count - self._most))
        finally:
            self.release()

    def close(self) -> None:
        """Tell what was left out, at the end of the process too."""
        self.end_period()
        super().close()

    def _kind(self, record: logging.LogRecord) -> _Kind:
        if len(self._counts) >= _MAX_KINDS:
            return _Kind(record.name, record.levelno)
        facts = getattr(record, "facts", {})
        return _Kind(
            record.name,
            record.levelno,
            record.msg[:_MAX_TEMPLATE] if isinstance(record.msg, str) else "",
            str(facts.get("project", "")),
            str(facts.get("code", "")),
        )


def _summary(kind: _Kind, left_out: int) -> logging.LogRecord:
    facts = {"left_out": left_out, "project": kind.project, "code": kind.code}
    return logging.makeLogRecord(
        {
            "name": kind.logger,
            "levelno": kind.level,
            "levelname": logging.getLevelName(kind.level),
            "msg": f"more of the same: {kind.message or 'other lines'}",
            "facts": {name: value for name, value in facts.items() if value},
        }
    )


def _in_a_thread(seconds: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, call)
    timer.name = "log-bursts"
    timer.daemon = True
    timer.start()
