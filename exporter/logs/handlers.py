"""Log handlers that write whole lines and limit bursts of similar lines."""

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
    """A handler that writes each record as one line, bypasses the stream's buffer and never raises.

    A closed, broken or full stream has no side effects. The caller gets no exception, and no
    unwritten data is left in the buffer, on which Python's flush at exit would fail.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream  # kept, because garbage collection would close the raw stream
        buffer = stream.buffer
        self._raw = buffer.raw if isinstance(buffer, io.BufferedWriter) else buffer
        self._torn = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record. If the previous line is incomplete, end it with a line break first."""
        start = "\n" if self._torn else ""
        line = f"{start}{self.format(record)}\n"
        data = memoryview(line.encode(self._stream.encoding, "backslashreplace"))
        with contextlib.suppress(OSError, ValueError):  # ValueError: the stream is closed
            while data:
                written = self._raw.write(data)
                if written is None:  # the stream is non-blocking and full
                    return
                data = data[written:]
                self._torn = bool(data)


class _Kind(NamedTuple):
    """The properties that similar lines share."""

    logger: str
    level: int
    message: str = ""
    project: str = ""
    code: str = ""


Later = Callable[[float, Callable[[], None]], None]
"""A function that calls another one after a delay in seconds.

It raises RuntimeError if it cannot start a thread.
"""


class BurstHandler(logging.Handler):
    """A handler that passes on the first lines of a kind and counts the others.

    At the end of each period, a summary line per kind gives the number of lines that were left
    out. A kind is one message of one logger about one project with one error code. If an API that
    serves ten thousand groups is unavailable, the log gets only a few lines per project.
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
        """Pass a record on, or only count it if its kind has reached the maximum."""
        if not self._counts:
            try:
                self._later(self._period, self.end_period)
            except RuntimeError:  # without a timer there is no summary, so leave nothing out
                self._target.handle(record)
                return
        kind = self._kind(record)
        self._counts[kind] += 1
        if self._counts[kind] <= self._most:
            self._target.handle(record)

    def end_period(self) -> None:
        """Log how many lines of each kind were left out, and reset the counts."""
        self.acquire()
        try:
            counts, self._counts = self._counts, Counter()
            for kind, count in counts.items():
                if count > self._most:
                    self._target.handle(_summary(kind, count - self._most))
        finally:
            self.release()

    def close(self) -> None:
        """Log how many lines were left out since the last summary, and close the handler."""
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
