"""Formatting of log records as lines: in logfmt, as JSON, or human-readable on a console.

Every text in a record can be untrusted input. The formatter therefore truncates all texts and
replaces control characters. External input cannot break or forge a line, or control a terminal.
"""

import json
import logging
import math
import re
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime

from exporter.base.text import bounded
from exporter.logs.options import LogFormat

Value = str | int | float | bool | None

_MAX_MESSAGE = 2000
_MAX_VALUE = 2000
_MAX_NAME = 100
_MAX_TRACEBACK = 8000
_MAX_TRACEBACK_LINE = 500
_MARGIN = "\n    | "
_LEVEL_WIDTH = 8
_MESSAGE_WIDTH = 30
_RESET = "\033[0m"
_BOLD = "\033[1m"
_DIM = "\033[2m"
_COLORS = {"warning": "\033[33m", "error": "\033[31m", "critical": "\033[1;31m"}
_SPACES = str.maketrans("\t\n\r", "   ")
_NOT_OF_A_KEY = re.compile(r"[^A-Za-z0-9_.-]")
_BARE = re.compile(r"[^\s\"=\\]+")


class LineFormatter(logging.Formatter):
    """A formatter for records and their ``facts`` attribute that never raises.

    ``ts``, ``level``, ``logger`` and ``msg`` come first, a traceback as ``exception`` last. Only
    the console format writes a traceback on separate lines, each behind a margin.
    """

    def __init__(self, log_format: LogFormat, *, colors: bool = False) -> None:
        super().__init__()
        self._format = log_format
        self._colors = colors

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without the final line break."""
        try:
            return self._render(_fields(record))
        except Exception as error:  # noqa: BLE001  a logging error must not affect the caller
            # A value of the record cannot be converted to text. Log only the type of the error,
            # because its text can fail in the same way.
            head = _head(record, "a log line could not be written")
            return self._render({**head, "error": bounded(type(error).__name__)})

    def _render(self, fields: Mapping[str, Value]) -> str:
        if self._format == "json":
            return json.dumps(fields, ensure_ascii=False)
        return _logfmt(fields) if self._format == "logfmt" else self._console(fields)

    def _console(self, fields: Mapping[str, Value]) -> str:
        rest = {**fields}
        ts, level, logger, message = (
            str(rest.pop(key)) for key in ("ts", "level", "logger", "msg")
        )
        exception = rest.pop("exception", None)
        line = (
            f"{self._paint(ts, _DIM)} {self._paint(level.ljust(_LEVEL_WIDTH), _COLORS.get(level))} "
            f"{self._paint(message.ljust(_MESSAGE_WIDTH), _BOLD)} "
            f"{self._paint(logger, _DIM)} {_logfmt(rest)}".rstrip()
        )
        return line if exception is None else line + _MARGIN + str(exception).replace("\n", _MARGIN)

    def _paint(self, text: str, style: str | None) -> str:
        return f"{style}{text}{_RESET}" if style and self._colors else text


def _fields(record: logging.LogRecord) -> dict[str, Value]:
    head = _head(record, record.getMessage())
    facts: Mapping[object, object] = getattr(record, "facts", {})
    body = {_NOT_OF_A_KEY.sub("_", str(key)[:_MAX_NAME]) or "_": facts[key] for key in facts}
    fields = {key: _value(value) for key, value in body.items() if key not in head}
    if record.exc_info and record.exc_info[1] is not None:
        fields.pop("exception", None)
        fields["exception"] = _traceback(record.exc_info[1])
    return head | fields


def _head(record: logging.LogRecord, message: str) -> dict[str, Value]:
    created = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return {
        "ts": created.removesuffix("+00:00") + "Z",
        "level": record.levelname.lower(),
        "logger": _text(record.name, _MAX_NAME),
        "msg": _text(message, _MAX_MESSAGE),
    }


def _value(value: object) -> Value:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and math.isfinite(value):
        return value
    return _text(str(value), _MAX_VALUE)


def _text(text: str, limit: int) -> str:
    return bounded(text[: limit + 1].translate(_SPACES), limit)


def _traceback(error: BaseException) -> str:
    """Return the last lines of a traceback, which contain the location and the error.

    Each line is sanitized, because parts of it can be untrusted input.
    """
    lines = "".join(traceback.format_exception(error)).splitlines()
    kept: list[str] = []
    left = _MAX_TRACEBACK
    for line in reversed(lines):
        kept.append(bounded(line, _MAX_TRACEBACK_LINE))
        left -= len(kept[-1])
        if left < 0:
            kept.append("…")
            break
    return "\n".join(reversed(kept))


def _logfmt(fields: Mapping[str, Value]) -> str:
    return " ".join(f"{key}={_bare_or_quoted(value)}" for key, value in fields.items())


def _bare_or_quoted(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)
