"""Logs of the process, all through one handler: our own, and those of the libraries.

A line is one event with its facts as key and value. Foreign text in it is bounded and stripped of
control characters, so nothing from outside can break a line or forge one.
"""

import logging
import sys
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from exporter.text import bounded

LogFormat = Literal["logfmt", "json", "console"]
LogLevel = Literal["debug", "info", "warn", "error"]
FORMATS: tuple[LogFormat, ...] = ("logfmt", "json", "console")
LEVELS: tuple[LogLevel, ...] = ("debug", "info", "warn", "error")

Logger = structlog.stdlib.BoundLogger

_MAX_VALUE = 2000
_LIBRARIES = {"apscheduler": logging.ERROR, "urllib3": logging.ERROR, "uvicorn": logging.WARNING}


def configure(*, level: LogLevel, log_format: LogFormat, stream: TextIO | None = None) -> None:
    """Send all logs of the process to a stream, stderr by default, from a level on."""
    stream = stream or sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _bound_values,
                *_renderers(log_format, stream),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name, least in _LIBRARIES.items():
        logging.getLogger(name).setLevel(max(number, least))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> Logger:
    """Return the logger of a module."""
    logger: Logger = structlog.stdlib.get_logger(name)
    return logger


def _renderers(log_format: LogFormat, stream: TextIO) -> list[Processor]:
    if log_format == "console":
        return [structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="ts")]
    rename = structlog.processors.EventRenamer("msg")
    if log_format == "json":
        return [rename, structlog.processors.JSONRenderer(ensure_ascii=False)]
    keys = ["ts", "level", "logger", "msg"]
    return [rename, structlog.processors.LogfmtRenderer(key_order=keys, drop_missing=True)]


def _bound_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: _bound_value(key, value) for key, value in event.items()}


def _bound_value(key: str, value: object) -> object:
    if isinstance(value, bool | int | float) or value is None:
        return value
    text = str(value)
    if key == "exception":
        # A traceback is our own text, on several lines; it becomes one.
        text = text.replace("\n", " | ")
    return bounded(text, _MAX_VALUE)
