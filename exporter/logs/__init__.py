"""Logs of the process, all in one format; docs/logging.md has it.

Our own events, those of the libraries, warnings, and errors that nobody caught. A line is one event
with its facts as key and value. What it may hold is the matter of ``lines``, how it is written that
of ``handlers``.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO, cast, get_args

import structlog

from exporter.logs import hooks
from exporter.logs.handlers import BurstHandler, LineHandler
from exporter.logs.lines import LineFormatter, LogFormat

LogLevel = Literal["debug", "info", "warn", "error"]
FORMATS: tuple[LogFormat, ...] = get_args(LogFormat)
LEVELS: tuple[LogLevel, ...] = get_args(LogLevel)

Logger = structlog.stdlib.BoundLogger

__all__ = [
    "FORMATS",
    "LEVELS",
    "LogFormat",
    "LogLevel",
    "Logger",
    "bind",
    "configure",
    "get_logger",
]

# What is below these levels is of use to who works on the library, and at debug it would tell of
# every request.
_LIBRARIES = {
    "apscheduler": logging.ERROR,
    "asyncio": logging.WARNING,
    "urllib3": logging.ERROR,
    "uvicorn": logging.WARNING,
}


def configure(*, level: LogLevel, log_format: LogFormat, stream: TextIO | None = None) -> None:
    """Send all logs of the process to a stream, stderr by default, from a level on.

    A burst of like lines is summed up, except at ``debug``. Warnings and exceptions that nobody
    caught come the same way from now on.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    stream = stream or sys.stderr
    handler: logging.Handler = logging.NullHandler()
    if stream is not None:  # as it is where the process was started without one
        handler = LineHandler(stream)
        handler.setFormatter(LineFormatter(log_format, colors=stream.isatty()))
        if number > logging.DEBUG:
            handler = BurstHandler(handler)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name, least in _LIBRARIES.items():
        logging.getLogger(name).setLevel(max(number, least))
    hooks.install()


def get_logger(name: str) -> Logger:
    """Return the logger of a module."""
    return bind(logging.getLogger(name))


def bind(logger: logging.Logger) -> Logger:
    """Give a logger of the standard library the interface that takes facts by name."""
    bound = structlog.wrap_logger(
        logger, processors=[_to_record], wrapper_class=structlog.stdlib.BoundLogger
    )
    return cast("Logger", bound)


def _to_record(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> tuple[tuple[str], dict[str, Any]]:
    """Turn an event into the arguments of the standard library's logger."""
    message, exc_info = event.pop("event"), event.pop("exc_info", None)
    return (message,), {"exc_info": exc_info, "extra": {"facts": event}}
