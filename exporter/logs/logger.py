"""Logs of the process, all in one format; docs/logging.md has it.

Our own events, those of the libraries, warnings, and errors that nobody caught. A line is one event
with its facts as key and value. What it may hold is the matter of ``lines``, how it is written that
of ``handlers``.
"""

import logging
import sys
from typing import TextIO

from exporter.logs import hooks
from exporter.logs.handlers import BurstHandler, LineHandler
from exporter.logs.log_line import LineFormatter
from exporter.logs.options import LogFormat, LogLevel

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


class Logger:
    """A logger of the standard library that takes the facts of an event by name."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, event: str, /, **facts: object) -> None:
        """Log what helps to find a fault."""
        self._log(logging.DEBUG, event, None, facts)

    def info(self, event: str, /, **facts: object) -> None:
        """Log that something has changed as it should."""
        self._log(logging.INFO, event, None, facts)

    def warning(self, event: str, /, **facts: object) -> None:
        """Log what somebody should look at."""
        self._log(logging.WARNING, event, None, facts)

    def error(
        self, event: str, /, *, exc_info: BaseException | None = None, **facts: object
    ) -> None:
        """Log that something has failed, with the traceback of an exception if one is given."""
        self._log(logging.ERROR, event, exc_info, facts)

    def _log(
        self, level: int, event: str, exc_info: BaseException | None, facts: dict[str, object]
    ) -> None:
        self._logger.log(level, event, exc_info=exc_info, extra={"facts": facts})


def get_logger(name: str) -> Logger:
    """Return the logger of a module."""
    return Logger(logging.getLogger(name))
