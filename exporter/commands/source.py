"""The source of the configuration: a file, standard input or an environment variable."""

import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

from exporter.commands.flags import CONFIG_VARIABLE, STDIN, Flags
from exporter.config.reader import MAX_FILE_BYTES, cannot_read, load, parse
from exporter.config.schema import Config

_STDIN_NAME = "stdin"


def loader(flags: Flags, environ: Mapping[str, str]) -> Callable[[], Config]:
    """Return a function that loads the configuration, and raises ConfigError if it is invalid.

    A text from standard input or a variable stays the same, but each call reads the files that it
    names.
    """
    if flags.config_text is not None:
        text = flags.config_text
        return lambda: _parse(text, CONFIG_VARIABLE, environ)
    if flags.config_file == STDIN:
        read = cache(_read_stdin)
        return lambda: _parse(read(), _STDIN_NAME, environ)
    return partial(load, flags.config_file, environ=environ)


def _parse(text: str | bytes, name: str, environ: Mapping[str, str]) -> Config:
    return parse(text, name=name, environ=environ, base_dir=Path())


def _read_stdin() -> bytes:
    try:
        return sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise cannot_read(_STDIN_NAME, error) from None
