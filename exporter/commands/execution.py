"""The commands and their exit status. Results go to stdout, logs and errors to stderr.

The exit status is one of these:

- 0: the command has completed, or a signal has stopped it.
- 1: the configuration is invalid, or the command has failed.
- 2: the usage is wrong.
- 3: doctor has found that the service differs from an assumption of the exporter.
- 130: the command was interrupted.

Only the chosen command is imported, because imports take most of the startup time.
"""

import sys
from collections.abc import Callable

from exporter.commands.flags import PROG, Command, Flags
from exporter.commands.streams import give_up_output
from exporter.config.problems import ConfigError
from exporter.logs.logger import configure
from exporter.model.credentials import CredentialsError
from exporter.web.listen import ListenError

_MORE_THREADS = "raise the limit of processes and threads (ulimit -u, or pids.max of the cgroup)"

Run = Callable[[Flags], int]
"""A function that runs a command and returns its exit status."""


def command_of(name: Command) -> Run:
    """Import a command and return its function."""
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
        case "doctor":
            from exporter.commands.doctor.command import run_doctor  # noqa: PLC0415  see above

            return run_doctor
        case "demo":
            from exporter.commands.demo import run_demo  # noqa: PLC0415  see above

            return run_demo
        case "schema":
            from exporter.commands.schema import print_schema  # noqa: PLC0415  see above

            return print_schema


def execute(run: Run, flags: Flags) -> int:
    """Run a command and return its exit status. Expected errors are written to stderr."""
    configure(level=flags.log_level, log_format=flags.log_format)
    try:
        status = run(flags)
        sys.stdout.flush()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
    except (CredentialsError, ListenError) as error:
        sys.stderr.write(f"{PROG}: {error}\n")
    except RuntimeError as error:
        if "start new thread" not in str(error):  # Python has no own type for this error
            raise
        sys.stderr.write(f"{PROG}: {error}; {_MORE_THREADS}\n")
    except OSError as error:
        if error.filename is not None:  # not an error of the output
            raise
        return give_up_output(error)
    else:
        return status
    return 1
