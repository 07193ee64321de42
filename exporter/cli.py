"""The command line: flags, subcommands, exit status. Results go to stdout, logs to stderr.

Exit status: 0 done or stopped by a signal, 1 a bad configuration or a failure, 2 wrong usage.
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from exporter import __version__
from exporter.app import App, Engine, Options
from exporter.check import explain
from exporter.clock import SYSTEM_CLOCK
from exporter.config import Config, ConfigError, json_schema, load
from exporter.demo import demo_config
from exporter.keychain import CredentialsError
from exporter.logs import FORMATS, LEVELS, configure, get_logger
from exporter.once import OUTPUTS, poll_all, show
from exporter.web.listen import ListenAddress, ListenError

PROG = "sls-exporter"
DEFAULT_PORT = 10027
_COMMANDS = ("run", "check", "once", "demo", "schema")
_LINGER_SECONDS = 5.0
_TEND_SECONDS = 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status; usage errors exit with 2 by themselves."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] not in {*_COMMANDS, "-h", "--help", "--version"}:
        arguments.insert(0, "run")
    options = parser(os.environ).parse_args(arguments)
    configure(level=options.log_level, log_format=options.log_format)
    try:
        return int(options.command(options))
    except (ConfigError, CredentialsError, ListenError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    """Build the parser; each flag's default may come from a variable ``SLS_EXPORTER_…``."""
    result = argparse.ArgumentParser(
        prog=PROG,
        description="Prometheus exporter for the checkpoints of Alibaba Cloud SLS consumer groups.",
        epilog=(
            f"Without a command, {PROG} runs the daemon. Each flag can be set by an environment "
            "variable too: --log.level by SLS_EXPORTER_LOG_LEVEL."
        ),
    )
    result.add_argument("--version", action="version", version=f"{PROG} {__version__}")
    commands = result.add_subparsers(title="commands", metavar="COMMAND", required=True)
    run = commands.add_parser("run", help="poll and serve metrics until stopped (default)")
    _config_flag(run, environ)
    _web_flags(run, environ, f":{DEFAULT_PORT}")
    run.set_defaults(command=_run)
    check = commands.add_parser("check", help="validate the configuration and explain it")
    _config_flag(check, environ)
    check.set_defaults(command=_check)
    once = commands.add_parser("once", help="poll everything once and print it")
    _config_flag(once, environ)
    once.add_argument("--output", choices=OUTPUTS, default="table", help="how to print it")
    once.set_defaults(command=_once)
    demo = commands.add_parser("demo", help="try it on a simulated SLS, without an account")
    _web_flags(demo, environ, None)
    demo.set_defaults(command=_demo)
    schema = commands.add_parser("schema", help="print the JSON Schema of the configuration")
    schema.set_defaults(command=_schema)
    for command in (run, check, once, demo, schema):
        _log_flags(command, environ, "info" if command in {run, demo} else "error")
        command.add_argument("--version", action="version", version=f"{PROG} {__version__}")
    return result


def _config_flag(command: argparse.ArgumentParser, environ: Mapping[str, str]) -> None:
    _flag(
        command,
        "--config.file",
        environ,
        type=Path,
        default="config.yaml",
        metavar="FILE",
        help="configuration file (default: %(default)s)",
    )


def _web_flags(
    command: argparse.ArgumentParser, environ: Mapping[str, str], listen: str | None
) -> None:
    variable = _variable("--web.listen-address")
    given = environ.get(variable, "").split(",") if environ.get(variable) else None
    command.add_argument(
        "--web.listen-address",
        dest="listen",
        action="append",
        type=_converter(ListenAddress.parse),
        metavar="[HOST]:PORT",
        help="address to listen on, repeatable; in the variable separated by commas (default: "
        + (listen or f"127.0.0.1:{DEFAULT_PORT}, or a free port where that is taken")
        + ")",
    )
    command.set_defaults(default_listen=given or ([listen] if listen else None))
    _flag(
        command,
        "--web.telemetry-path",
        environ,
        type=str,
        default="/metrics",
        metavar="PATH",
        help="path of the metrics (default: %(default)s)",
    )
    _flag(
        command,
        "--web.max-requests",
        environ,
        type=_converter(_count),
        default="40",
        metavar="N",
        help="scrapes answered at once, more get 503; 0 for no limit (default: %(default)s)",
    )


def _log_flags(command: argparse.ArgumentParser, environ: Mapping[str, str], level: str) -> None:
    _flag(
        command,
        "--log.level",
        environ,
        choices=LEVELS,
        default=level,
        help="least level that is logged (default: %(default)s)",
    )
    _flag(
        command,
        "--log.format",
        environ,
        choices=FORMATS,
        default="logfmt",
        help="how a line is written (default: %(default)s)",
    )


def _flag(
    command: argparse.ArgumentParser,
    name: str,
    environ: Mapping[str, str],
    *,
    default: str,
    **keywords: Any,  # noqa: ANN401  add_argument's own
) -> None:
    """Add a flag whose default may come from the environment; a wrong one is a usage error."""
    variable = _variable(name)
    value = environ.get(variable) or default
    choices = keywords.get("choices")
    if choices is not None and value not in choices:
        command.error(f"{variable} must be one of {', '.join(choices)}")
    dest = name.removeprefix("--").replace(".", "_").replace("-", "_")
    command.add_argument(name, dest=dest, default=value, **keywords)


def _variable(flag: str) -> str:
    name = flag.removeprefix("--").replace(".", "_").replace("-", "_").upper()
    return f"SLS_EXPORTER_{name}"


def _converter(parse: Callable[[str], object]) -> Callable[[str], object]:
    """Make argparse show a ValueError's own message."""

    def convert(text: str) -> object:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004  a sane number
        raise ValueError(f"expected a whole number, not {text[:32]!r}")
    return int(text)


def _run(options: argparse.Namespace) -> int:
    return _serve(load(options.config_file, environ=os.environ), options, _listen(options))


def _demo(options: argparse.Namespace) -> int:
    listen = _listen(options)
    with demo_config(SYSTEM_CLOCK) as config:
        return _serve(config, options, listen, announce=_announce)


def _serve(
    config: Config,
    options: argparse.Namespace,
    listen: Sequence[ListenAddress],
    *,
    announce: Callable[[App, str], None] = lambda _app, _path: None,
) -> int:
    path = options.web_telemetry_path
    app = App(
        config,
        Options(listen=listen, telemetry_path=path, max_requests=options.web_max_requests),
        environ=os.environ,
        clock=SYSTEM_CLOCK,
    )
    with _stop_signals() as stop:
        app.start()
        announce(app, path)
        while not stop.wait(_TEND_SECONDS):
            app.tend()
        app.stop()
        _leave_no_thread()
    return 0


def _announce(app: App, telemetry_path: str) -> None:
    url = app.addresses[0].url("http")
    sys.stdout.write(
        f"Status page: {url}/\nMetrics:     {url}{telemetry_path}\nStop with Ctrl-C.\n"
    )
    sys.stdout.flush()


def _check(options: argparse.Namespace) -> int:
    config = load(options.config_file, environ=os.environ)
    sys.stdout.write("".join(f"{line}\n" for line in explain(config, os.environ)))
    return 0


def _once(options: argparse.Namespace) -> int:
    config = load(options.config_file, environ=os.environ)
    engine = Engine(config, environ=os.environ, clock=SYSTEM_CLOCK)
    try:
        poll_all(engine, errors=sys.stderr)
        return 0 if show(engine, options.output, stdout=sys.stdout) else 1
    finally:
        engine.close()


def _schema(_options: argparse.Namespace) -> int:
    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
    return 0


def _listen(options: argparse.Namespace) -> Sequence[ListenAddress]:
    if options.listen:
        return tuple(options.listen)
    if options.default_listen:
        try:
            return tuple(ListenAddress.parse(text.strip()) for text in options.default_listen)
        except ValueError as error:
            raise ListenError(f"{_variable('--web.listen-address')}: {error}") from error
    return (_free_address(),)


def _free_address() -> ListenAddress:
    """Prefer the usual port on loopback, but let a demo run beside another."""
    usual = ListenAddress(host="127.0.0.1", port=DEFAULT_PORT)
    try:
        usual.bind().close()
    except ListenError:
        return ListenAddress(host="127.0.0.1", port=0)
    return usual


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Give an event that the first SIGTERM or SIGINT sets; a second one ends at once."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            _exit_now(1)
        stop.set()

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_no_thread() -> None:
    """Wait briefly for threads that still poll; one that hangs must not hold up the exit.

    A thread that resolves a name cannot be interrupted, and Python waits for it.
    """
    deadline = time.monotonic() + _LINGER_SECONDS
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                get_logger("exporter").warning("left behind", thread=thread.name)
                _exit_now(0)


def _exit_now(status: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
