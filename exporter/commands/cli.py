"""The command line: parsing of its flags and import of the chosen command."""

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial

from exporter.commands.flags import parse
from exporter.commands.streams import flush_output, give_up_output, prepare_streams


def prepare(argv: Sequence[str]) -> Callable[[], int]:
    """Parse a command line and import the modules that its command needs.

    The result runs the command and returns its exit status. For help, the version and wrong usage,
    the process exits here before any other import.
    """
    prepare_streams()
    try:
        flags = parse(argv, os.environ)
    except SystemExit:
        flush_output()
        raise
    except OSError as error:
        sys.exit(give_up_output(error))
    from exporter.commands.execution import command_of, execute  # noqa: PLC0415  see above

    return partial(execute, command_of(flags.command), flags)
