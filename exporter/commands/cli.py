"""The commands and their exit status. Results go to stdout, logs and errors to stderr.

Exit status: 0 done or stopped by a signal, 1 a bad configuration or a failure, 2 wrong usage,
130 interrupted. What only one command needs is imported by that command, which is most of the time
that another one would take to start.
"""

import io
import os
import sys
from collections.abc import Callable, Sequence

from exporter.commands.flags import PROG, Command, Flags, parse
from exporter.commands.run import run_daemon
from exporter.commands.schema import print_schema
from exporter.config.problems import ConfigError
from exporter.logs.logger import configure
from exporter.model.credentials import CredentialsError
from exporter.web.listen import ListenError


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status; usage errors exit with 2 by themselves."""
    _write_anything()
    flags = parse(sys.argv[1:] if argv is None else argv, os.environ)
    configure(level=flags.log_level, log_format=flags.log_format)
    try:
        status = _command(flags.command)(flags)
        sys.stdout.flush()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
    except (CredentialsError, ListenError) as error:
        sys.stderr.write(f"{PROG}: {error}\n")
    except BrokenPipeError:
        # Whoever read the result has gone. Python would complain when it flushes at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    else:
        return status
    return 1


def _command(name: Command) -> Callable[[Flags], int]:
    match name:
        case "run":
            return run_daemon
        case "schema":
            return print_schema
        case "check":
            from exporter.commands.check import run_check  # noqa: PLC0415  see above

            return run_check
        case "once":
            from exporter.commands.once import run_once  # noqa: PLC0415  see above

            return run_once
        case "demo":
            from exporter.commands.demo import run_demo  # noqa: PLC0415  see above

            return run_demo


def _write_anything() -> None:
    """Let a terminal without UTF-8 show what it can, rather than end on a character."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
