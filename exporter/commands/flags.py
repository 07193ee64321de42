"""The flags of every command, and the environment variables that can set them.

If a flag or variable is invalid, the process exits with status 2 and an error that names it.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, get_args

from exporter import __version__
from exporter.base.text import bounded
from exporter.commands import flag_values
from exporter.logs.options import FORMATS, LEVELS, LogFormat, LogLevel

if TYPE_CHECKING:  # help and the version must not need the modules of any command
    from exporter.polling.sharding import Sharding
    from exporter.web.listen import ListenAddress

PROG = "sls-exporter"
DEFAULT_PORT = 10027
Command = Literal["run", "check", "once", "demo", "schema"]
Output = Literal["table", "json", "prometheus"]
COMMANDS: tuple[Command, ...] = get_args(Command)

_ERROR_LIMIT = 1000


class Flags(argparse.Namespace):
    """The values of a command line. A command has only the flags that its help shows."""

    command: Command
    log_level: LogLevel
    log_format: LogFormat
    config_file: Path
    output: Output
    web_listen_address: "tuple[ListenAddress, ...] | None"
    """The addresses to listen on; None if the flag is not set and the command has no default."""
    web_telemetry_path: str
    web_max_requests: int
    web_config_file: Path | None
    web_enable_lifecycle: bool
    config_auto_reload: bool
    sharding_shard: int
    sharding_total_shards: int

    @property
    def sharding(self) -> "Sharding":
        """The shard of this exporter. Raises ValueError if its number is out of range."""
        from exporter.polling.sharding import Sharding  # noqa: PLC0415  see above

        return Sharding(shard=self.sharding_shard, total=self.sharding_total_shards)


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> Flags:
    """Parse a command line. The default command is ``run``.

    Exits with status 2 if the command line is invalid.
    """
    arguments = list(argv)
    if not arguments or arguments[0] not in {*COMMANDS, "-h", "--help", "--version"}:
        arguments.insert(0, "run")
    parser = _parser(environ)
    flags = parser.parse_args(arguments, namespace=Flags())
    if flags.command == "run":
        try:
            _ = flags.sharding
        except ValueError as error:
            parser.error(f"--sharding.shard: {error}")
    return flags


def variable(flag: str) -> str:
    """Return the environment variable of a flag."""
    return f"SLS_EXPORTER_{_dest(flag).upper()}"


def _parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    result = _Parser(
        prog=PROG,
        description="Prometheus exporter for the checkpoints of Alibaba Cloud SLS consumer groups.",
        epilog=(
            f"Without a command, {PROG} runs the daemon. Each flag can be set by an environment "
            "variable too: --log.level by SLS_EXPORTER_LOG_LEVEL."
        ),
        allow_abbrev=False,
    )
    result.add_argument("--version", action="version", version=f"{PROG} {__version__}")
    commands = result.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=_Parser
    )
    summaries: Mapping[Command, str] = {
        "run": "poll and serve metrics until stopped (the default)",
        "check": "validate the configuration and explain it, without the network",
        "once": "poll everything once and print it; status 1 if anything failed",
        "demo": "try it on a simulated SLS, without an account",
        "schema": "print the JSON Schema of the configuration",
    }
    for name, summary in summaries.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            allow_abbrev=False,
        )
        command.set_defaults(command=name)
        _add_flags(name, _Adder(command, environ))
        command.add_argument("--version", action="version", version=f"{PROG} {__version__}")
    return result


class _Parser(argparse.ArgumentParser):
    """An argument parser that truncates its error messages and replaces control characters."""

    def error(self, message: str) -> NoReturn:
        super().error(bounded(message, _ERROR_LIMIT))


class _Adder:
    """A callable that adds flags to a command, with defaults from the environment if they exist."""

    def __init__(self, command: argparse.ArgumentParser, environ: Mapping[str, str]) -> None:
        self._command = command
        self._environ = environ

    def __call__(
        self,
        flag: str,
        read: Callable[[str], object],
        *,
        default: str | None,
        **keywords: Any,  # noqa: ANN401  those of add_argument
    ) -> None:
        name = variable(flag)
        value = self._environ.get(name)
        self._command.add_argument(
            flag,
            dest=_dest(flag),
            type=_shown(read),
            default=_FromVariable(value, name) if value else default,
            **keywords,
        )


def _add_flags(command: Command, add: _Adder) -> None:
    if command in {"run", "check", "once"}:
        add(
            "--config.file",
            Path,
            default="config.yaml",
            metavar="FILE",
            help="configuration file (default: config.yaml)",
        )
    if command == "once":
        add("--output", **_choice(get_args(Output), "table", "how to print it"))
    if command == "run":
        add("--config.auto-reload", **_switch("reload whenever the configuration file changes"))
    if command in {"run", "demo"}:
        _add_web_flags(add, None if command == "demo" else f":{DEFAULT_PORT}")
    if command == "run":
        _add_sharding_flags(add)
    # The other commands print results for people. Log lines about success would only disturb.
    level: LogLevel = "info" if command in {"run", "demo"} else "warn"
    add("--log.level", **_choice(LEVELS, level, "minimum log level"))
    add("--log.format", **_choice(FORMATS, "logfmt", "how a line is written"))


def _add_web_flags(add: _Adder, listen: str | None) -> None:
    usual = listen or f"127.0.0.1:{DEFAULT_PORT}, or a free port where that is taken"
    add(
        "--web.listen-address",
        flag_values.addresses,
        default=listen,
        action=_Extend,
        metavar="[HOST]:PORT",
        help=f"address to listen on; repeatable, or separated by commas (default: {usual})",
    )
    add(
        "--web.telemetry-path",
        flag_values.telemetry_path,
        default="/metrics",
        metavar="PATH",
        help="path of the metrics (default: /metrics)",
    )
    add(
        "--web.max-requests",
        flag_values.count,
        default="40",
        metavar="N",
        help="maximum number of concurrent scrapes, others get 503 (default: 40, 0 for no limit)",
    )
    add(
        "--web.config.file",
        Path,
        default=None,
        metavar="FILE",
        help="TLS, basic authentication and headers, in the exporter-toolkit's format",
    )
    add("--web.enable-lifecycle", **_switch("allow POST /-/reload"))


def _add_sharding_flags(add: _Adder) -> None:
    add(
        "--sharding.shard",
        flag_values.ordinal,
        default="0",
        metavar="N",
        help="number of this exporter among all, from 0, or a pod's name that ends with it "
        "(default: 0)",
    )
    add(
        "--sharding.total-shards",
        flag_values.count,
        default="1",
        metavar="N",
        help="number of exporters that share the logstores (default: 1)",
    )


class _FromVariable(str):
    """A default from an environment variable, with the name of the variable for errors."""

    __slots__ = ("name",)
    name: str

    def __new__(cls, value: str, name: str) -> Self:
        made = super().__new__(cls, value)
        made.name = name
        return made


class _Extend(argparse.Action):
    """An action that collects the values of a repeated flag. The first one replaces the default."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002  argparse's signature
        namespace: argparse.Namespace,
        values: Any,  # noqa: ANN401  argparse's signature
        option_string: str | None = None,  # noqa: ARG002  argparse's signature
    ) -> None:
        known = getattr(namespace, self.dest)
        setattr(namespace, self.dest, (*(known if isinstance(known, tuple) else ()), *values))


def _choice(options: Sequence[str], default: str, text: str) -> dict[str, Any]:
    return {
        "read": flag_values.one_of(options),
        "default": default,
        "metavar": "{" + ",".join(options) + "}",
        "help": f"{text} (default: {default})",
    }


def _switch(text: str) -> dict[str, Any]:
    return {
        "read": flag_values.boolean,
        "default": "false",
        "nargs": "?",
        "const": True,
        "metavar": "true|false",
        "help": f"{text} (default: false)",
    }


def _shown(read: Callable[[str], object]) -> Callable[[str], object]:
    """Return a converter for argparse that keeps the message of a ValueError.

    If the value is from an environment variable, the message begins with the name of the variable.
    """

    def convert(text: str) -> object:
        try:
            return read(text)
        except ValueError as error:
            origin = f"{text.name}: " if isinstance(text, _FromVariable) else ""
            raise argparse.ArgumentTypeError(f"{origin}{error}") from error

    return convert


def _dest(flag: str) -> str:
    return flag.removeprefix("--").replace(".", "_").replace("-", "_")
