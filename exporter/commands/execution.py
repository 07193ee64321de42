"""The commands and their exit status. Results go to stdout, logs and errors to stderr.

Exit status: 0 done or stopped by a signal, 1 an invalid configuration or a failure, 2 wrong usage,
130 interrupted. Each command is imported when it is chosen, because imports are most of a start.
"""

import os
import sys
from collections.abc import Callable

from exporter.commands.flags import PROG, Command, Flags
from exporter.config.problems import ConfigError
from exporter.logs.logger import configure
from exporter.model.credentials import CredentialsError
from exporter.web.listen import ListenError

Run = Callable[[Flags], int]
"""Runs a command and returns its exit status."""


def command_of(name: Command) -> Run:
    """Import a command."""
    match name:
        case "run":
            from exporter.commands.run import run_daemon  # noqa: PLC0415  see above

            return run_daemon
        case "check":
            from exporter.commands.check import run_check  # noqa: PLC0415  see above

            return run_check
        case "once":
            from exporter.commands.once import run_once  # noqa: PLC0415  see above

            return run_once
        case "demo":
            from exporter.commands.demo import run_demo  # noqa: PLC0415  see above

            return run_demo
        case "schema":
            from exporter.commands.schema import print_schema  # noqa: PLC0415  see above

            return print_schema


def execute(run: Run, flags: Flags) -> int:
    """Run a command and return its exit status; errors that it reports are written to stderr."""
    configure(level=flags.log_level, log_format=flags.log_format)
    try:
        status = run(flags)
        sys.stdout.flush()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
    except (CredentialsError, ListenError) as error:
        sys.stderr.write(f"{PROG}: {error}\n")
    except BrokenPipeError:
        # The reader closed the pipe. Redirect stdout so that Python's final flush does not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    else:
        return status
    return 1
