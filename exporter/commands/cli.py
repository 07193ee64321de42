"""The command line, from its flags to a command that is ready to run."""

import io
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial

from exporter.commands.flags import parse


def prepare(argv: Sequence[str]) -> Callable[[], int]:
    """Read a command line and import what its command needs.

    The result runs the command and returns its exit status. Help, the version and wrong usage end
    the process here, so nothing else is imported for them.
    """
    _write_anything()
    flags = parse(argv, os.environ)
    from exporter.commands.execution import command_of, execute  # noqa: PLC0415  see above

    return partial(execute, command_of(flags.command), flags)


def _write_anything() -> None:
    """Let a terminal without UTF-8 show what it can, rather than end on a character."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
