"""The levels and formats of logs.

They are separate, so that the command line can be parsed without the rest of this package.
"""

from typing import Literal, get_args

LogFormat = Literal["logfmt", "json", "console"]
LogLevel = Literal["debug", "info", "warn", "error"]
FORMATS: tuple[LogFormat, ...] = get_args(LogFormat)
LEVELS: tuple[LogLevel, ...] = get_args(LogLevel)
