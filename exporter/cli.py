"""The commands and their exit status. Results go to stdout, logs and errors to stderr.

Exit status: 0 done or stopped by a signal, 1 a bad configuration or a failure, 2 wrong usage,
130 interrupted. What only one command needs is imported by that command, which is most of the time
that another one would take to start.
"""

import io
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from exporter.app import App, Options
from exporter.base.clock import SYSTEM_CLOCK
from exporter.config.faults import ConfigError
from exporter.config.reader import load
from exporter.config.schema import json_schema
from exporter.flags import DEFAULT_PORT, PROG, Command, Flags, parse
from exporter.logs.logger import configure
from exporter.model.credentials import CredentialsError
from exporter.reload import Load
from exporter.stopping import Signals, leave_no_thread, signals
from exporter.web.listen import ListenAddress, ListenError
from exporter.web.nodes import WebConfigError

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status; usage errors exit with 2 by themselves."""
    _write_anything()
    flags = parse(sys.argv[1:] if argv is None else argv, os.environ)
    configure(level=flags.log_level, log_format=flags.log_format)
    try:
        status = _COMMANDS[flags.command](flags)
        sys.stdout.flush()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
    except (CredentialsError, ListenError, WebConfigError) as error:
        sys.stderr.write(f"{PROG}: {error}\n")
    except BrokenPipeError:
        # Whoever read the result has gone. Python would complain when it flushes at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    else:
        return status
    return 1


def _run(flags: Flags) -> int:
    # Signals first: process 1 of a container ignores those that it does not handle.
    with signals() as asked:
        options = Options(
            listen=flags.web_listen_address or (),
            telemetry_path=flags.web_telemetry_path,
            max_requests=flags.web_max_requests,
            web_config_file=flags.web_config_file,
            enable_lifecycle=flags.web_enable_lifecycle,
            watched_file=flags.config_file if flags.config_auto_reload else None,
            sharding=flags.sharding,
        )
        _serve(lambda: load(flags.config_file, environ=os.environ), options, asked)
    return 0


def _demo(flags: Flags) -> int:
    from exporter.demo import demo_config  # noqa: PLC0415  see above

    def announce(app: App) -> None:
        url = app.url
        sys.stdout.write(
            f"Status page: {url}/\n"
            f"Metrics:     {url}{flags.web_telemetry_path}\n"
            "Stop with Ctrl-C.\n"
        )
        sys.stdout.flush()

    with signals() as asked, demo_config(SYSTEM_CLOCK) as config:
        options = Options(
            listen=flags.web_listen_address or (_free_address(),),
            telemetry_path=flags.web_telemetry_path,
            max_requests=flags.web_max_requests,
            web_config_file=flags.web_config_file,
            enable_lifecycle=flags.web_enable_lifecycle,
        )
        _serve(lambda: config, options, asked, announce=announce)
    return 0


def _serve(
    load_config: Load,
    options: Options,
    asked: Signals,
    *,
    announce: Callable[[App], None] = lambda _app: None,
) -> None:
    app = App(load_config, options, environ=os.environ, clock=SYSTEM_CLOCK)
    app.start()
    announce(app)
    while asked.next() == "reload":
        app.ask_for_reload()
    app.stop()
    leave_no_thread()


def _check(flags: Flags) -> int:
    from exporter.check import explain  # noqa: PLC0415  see above

    config = load(flags.config_file, environ=os.environ)
    sys.stdout.writelines(f"{line}\n" for line in explain(config, os.environ))
    return 0


def _once(flags: Flags) -> int:
    from exporter.engine import Engine  # noqa: PLC0415  see above
    from exporter.once import poll_all, show  # noqa: PLC0415  see above

    config = load(flags.config_file, environ=os.environ)
    engine = Engine(config, environ=os.environ, clock=SYSTEM_CLOCK)
    try:
        with signals(engine.cancelled.set):
            poll_all(engine, errors=sys.stderr)
        if engine.cancelled.is_set():
            return _INTERRUPTED
        return 0 if show(engine, flags.output, stdout=sys.stdout, environ=os.environ) else 1
    finally:
        engine.close()


def _schema(_flags: Flags) -> int:
    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
    return 0


_COMMANDS: Mapping[Command, Callable[[Flags], int]] = {
    "run": _run,
    "check": _check,
    "once": _once,
    "demo": _demo,
    "schema": _schema,
}


def _free_address() -> ListenAddress:
    """Prefer the usual port on loopback, but let a demo run beside another."""
    usual = ListenAddress(host="127.0.0.1", port=DEFAULT_PORT)
    try:
        usual.bind().close()
    except ListenError:
        return ListenAddress(host="127.0.0.1", port=0)
    return usual


def _write_anything() -> None:
    """Let a terminal without UTF-8 show what it can, rather than end on a character."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
