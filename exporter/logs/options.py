"""The levels and formats of logs. Command lines are read without the rest of this package."""

from typing import Literal, get_args

LogFormat = Literal["logfmt", "json", "console"]
LogLevel = Literal["debug", "info", "warn", "error"]
FORMATS: tuple[LogFormat, ...] = get_args(LogFormat)
LEVELS: tuple[LogLevel, ...] = get_args(LogLevel)
