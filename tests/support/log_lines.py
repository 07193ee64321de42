"""A separate logger that writes real lines, and readers of these lines."""

import io
import json
import logging
import re
from typing import Any

from exporter.logs.handlers import LineHandler
from exporter.logs.log_line import LineFormatter
from exporter.logs.logger import Logger
from exporter.logs.options import LogFormat

_PAIR = re.compile(r'([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|[^\s"=\\]+)(?: |$)')


class Log:
    """A logger outside of the logging of the process, and the lines that it wrote."""

    def __init__(self, log_format: LogFormat = "json") -> None:
        self.written = io.BytesIO()
        self.handler = line_handler(self.written, log_format)
        self.standard = logging.Logger("test")  # noqa: LOG001  outside of the process's logging
        self.standard.addHandler(self.handler)
        self.logger = Logger(self.standard)

    @property
    def text(self) -> str:
        """All text that was written."""
        return self.written.getvalue().decode()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The fields of each line of JSON, without those that every line has."""
        return [without_head(json.loads(line)) for line in self.text.splitlines()]


def line_handler(stream: io.IOBase, log_format: LogFormat) -> LineHandler:
    """Return a handler that writes to a binary stream."""
    handler = LineHandler(io.TextIOWrapper(stream, encoding="utf-8"))  # type: ignore[type-var]  # any binary stream will do
    handler.setFormatter(LineFormatter(log_format))
    return handler


def without_head(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out the fields with the time and location of a line."""
    return {key: value for key, value in fields.items() if key not in {"ts", "logger"}}


def parse_logfmt(line: str) -> dict[str, str]:
    """Read a line of logfmt, whose values may be quoted as in JSON."""
    fields: dict[str, str] = {}
    position = 0
    while position < len(line):
        match = _PAIR.match(line, position)
        assert match is not None, f"no pair at {line[position:]!r}"
        key, value = match.groups()
        assert key not in fields, f"{key} twice"
        fields[key] = json.loads(value) if value.startswith('"') else value
        position = match.end()
    return fields
