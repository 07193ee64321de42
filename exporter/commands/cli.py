"""The command line: parsing of its flags and import of the chosen command."""

import io
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial

from exporter.commands.flags import parse


def prepare(argv: Sequence[str]) -> Callable[[], int]:
    """Parse a command line and import the modules that its command needs.

    The result runs the command and returns its exit status. For help, the version and wrong usage,
    the process exits here before any other import.
    """
    _write_anything()
    flags = parse(argv, os.environ)
    from exporter.commands.execution import command_of, execute  # noqa: PLC0415  see above

    return partial(execute, command_of(flags.command), flags)


def _write_anything() -> None:
    """Escape characters that the encoding of the terminal lacks, instead of failing on them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
