"""Logs of the process, all in one format. docs/logging.md describes the format.

The logs contain the exporter's events, those of libraries, warnings and uncaught exceptions. A line
is one event with its facts as keys and values. The module ``log_line`` formats lines, and
``handlers`` writes them.
"""

import logging
import sys
from typing import TextIO

from exporter.logs import hooks
from exporter.logs.handlers import BurstHandler, LineHandler
from exporter.logs.log_line import LineFormatter
from exporter.logs.options import LogFormat, LogLevel

# Lines below these levels help only the developers of the library. At debug level, the libraries
# would log every request.
_LIBRARIES = {
    "apscheduler": logging.ERROR,
    "asyncio": logging.WARNING,
    "urllib3": logging.ERROR,
    "uvicorn": logging.WARNING,
}


def configure(*, level: LogLevel, log_format: LogFormat) -> None:
    """Send all logs of at least the given level to stderr.

    Bursts of similar lines are summarized, except at level ``debug``. Warnings and uncaught
    exceptions are also logged from now on.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    stream: TextIO | None = sys.stderr
    handler: logging.Handler = logging.NullHandler()
    if stream is not None:  # None if the process was started without stderr
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
    """A wrapper of a standard logger that takes the facts of an event as keyword arguments."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, event: str, /, **facts: object) -> None:
        """Log details for troubleshooting."""
        self._log(logging.DEBUG, event, None, facts)

    def info(self, event: str, /, **facts: object) -> None:
        """Log an expected change of state."""
        self._log(logging.INFO, event, None, facts)

    def warning(self, event: str, /, **facts: object) -> None:
        """Log a condition that an operator should look at."""
        self._log(logging.WARNING, event, None, facts)

    def error(
        self, event: str, /, *, exc_info: BaseException | None = None, **facts: object
    ) -> None:
        """Log a failure, with the traceback of the exception if it is given."""
        self._log(logging.ERROR, event, exc_info, facts)

    def _log(
        self, level: int, event: str, exc_info: BaseException | None, facts: dict[str, object]
    ) -> None:
        self._logger.log(level, event, exc_info=exc_info, extra={"facts": facts})


def get_logger(name: str) -> Logger:
    """Return the logger of a module."""
    return Logger(logging.getLogger(name))
