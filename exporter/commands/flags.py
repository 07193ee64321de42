"""The flags of every command, and the environment variables that can set them.

If a flag or variable is invalid, the process exits with status 2 and an error that names it.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from exporter import __version__
from exporter.commands import flag_values
from exporter.commands.parser import Extend, FlagAdder, Parser
from exporter.logs.options import FORMATS, LEVELS, LogFormat, LogLevel

if TYPE_CHECKING:  # help and the version must not need the modules of any command
    from exporter.config.patterns import Pattern
    from exporter.polling.sharding import Sharding
    from exporter.web.listen import ListenAddress

PROG = "sls-exporter"
DEFAULT_PORT = 10027
Command = Literal["run", "check", "once", "doctor", "demo", "schema"]
Output = Literal["table", "json", "prometheus"]
COMMANDS: tuple[Command, ...] = get_args(Command)
CONFIG_VARIABLE = "SLS_EXPORTER_CONFIG"
STDIN = Path("-")

_DEFAULT_FILE = Path("config.yaml")
_WITH_CONFIGURATION = frozenset[Command]({"run", "check", "once", "doctor"})
_SUMMARIES: Mapping[Command, str] = {
    "run": "poll and serve metrics until stopped (the default)",
    "check": "validate the configuration and explain it, without the network",
    "once": "poll everything once and print it; status 1 if anything failed",
    "doctor": "check the live service step by step and explain the results",
    "demo": "try it on a simulated SLS, without an account",
    "schema": "print the JSON Schema of the configuration",
}


class Flags(argparse.Namespace):
    """The values of a command line. A command has only the flags that its help shows."""

    command: Command
    log_level: LogLevel
    log_format: LogFormat
    config_file: Path
    config_text: str | None
    """The text of the configuration, from an environment variable; None if it is in a file."""
    output: Output
    project: "Pattern | None"
    """The pattern of the projects to poll; None for all. The same holds for the next two."""
    logstore: "Pattern | None"
    consumer_group: "Pattern | None"
    list: bool
    """Whether names are printed instead of the results of polls."""
    redact: bool
    """Whether names in a report are replaced."""
    watch: float | None
    """The time to poll for in seconds; None for a single round."""
    web_listen_address: "tuple[ListenAddress, ...] | None"
    """The addresses to listen on; None if the flag is not set and the command has no default."""
    web_telemetry_path: str
    web_max_requests: int
    web_systemd_socket: bool
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
    if not arguments or _is_flag_of_run(arguments[0]):
        arguments.insert(0, "run")
    parser, commands = _parsers(environ)
    flags, unknown = parser.parse_known_args(arguments, namespace=Flags())
    command = commands[flags.command]
    if unknown:
        command.error(f"unrecognized arguments: {' '.join(unknown)}")
    if flags.command in _WITH_CONFIGURATION and flags.config_file is not _DEFAULT_FILE:
        flags.config_text = None
    if flags.command == "run":
        _check_run(flags, command)
    if flags.command == "once":
        _check_once(flags, command)
    return flags


def _is_flag_of_run(argument: str) -> bool:
    return argument.startswith("-") and argument not in {"-h", "--help", "--version"}


def _check_run(flags: Flags, command: Parser) -> None:
    try:
        _ = flags.sharding
    except ValueError as error:
        command.error(f"argument --sharding.shard: {error}")
    if flags.config_auto_reload and (flags.config_text is not None or flags.config_file == STDIN):
        command.error("argument --config.auto-reload: the configuration is not in a file")


def _check_once(flags: Flags, command: Parser) -> None:
    if flags.list and flags.watch is not None:
        command.error("argument --list: not allowed with argument --watch")
    if flags.list and flags.output == "prometheus":
        command.error("argument --list: names can be printed as table or json only")


def _parsers(environ: Mapping[str, str]) -> tuple[Parser, Mapping[Command, Parser]]:
    """Return the parser of the command line, and those of the commands."""
    result = Parser(
        prog=PROG,
        usage="%(prog)s [COMMAND] [FLAG ...]",
        description="Prometheus exporter for the checkpoints of Alibaba Cloud SLS consumer groups.",
        epilog=(
            f"Without a command, {PROG} runs the daemon. Each flag can be set by an environment "
            "variable too: --log.level by SLS_EXPORTER_LOG_LEVEL."
        ),
        allow_abbrev=False,
    )
    _add_version(result)
    adder = result.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser, prog=PROG
    )
    flags_of_run = result.add_argument_group("flags of run")
    _add_flags("run", FlagAdder(flags_of_run, environ, only_help=True))
    commands: dict[Command, Parser] = {}
    for name, summary in _SUMMARIES.items():
        commands[name] = command = adder.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            allow_abbrev=False,
        )
        command.set_defaults(command=name, config_text=environ.get(CONFIG_VARIABLE) or None)
        _add_flags(name, FlagAdder(command, environ))
        _add_version(command)
    return result, commands


def _add_version(parser: Parser) -> None:
    parser.add_argument("--version", action="version", version=f"{PROG} {__version__}")


def _add_flags(command: Command, add: FlagAdder) -> None:
    if command in _WITH_CONFIGURATION:
        add(
            "--config.file",
            flag_values.file,
            default=_DEFAULT_FILE,
            metavar="FILE",
            help="configuration file, or - for standard input (default: config.yaml)",
        )
    if command == "once":
        _add_flags_of_once(add)
    if command == "doctor":
        _add_flags_of_doctor(add)
    if command == "run":
        add("--config.auto-reload", **_switch("reload whenever the configuration file changes"))
    if command == "check":
        _add_web_config_file(add)
    if command in {"run", "demo"}:
        _add_web_flags(add, None if command == "demo" else f":{DEFAULT_PORT}")
    if command == "run":
        text = "listen on the sockets of a systemd socket unit instead of --web.listen-address"
        add("--web.systemd-socket", **_switch(text))
        _add_sharding_flags(add)
    # The other commands print results for people. Log lines about success would only disturb, and
    # the report of doctor contains all failures.
    levels: Mapping[Command, LogLevel] = {"run": "info", "demo": "info", "doctor": "error"}
    level = levels.get(command, "warn")
    add("--log.level", **_choice(LEVELS, level, "minimum log level"))
    add("--log.format", **_choice(FORMATS, "logfmt", "how a line is written"))


def _add_flags_of_once(add: FlagAdder) -> None:
    add("--output", **_choice(get_args(Output), "table", "how to print it"))
    _add_scope_flags(add, "poll")
    add("--list", **_switch("print the names of the consumer groups without polling them"))
    add(
        "--watch",
        flag_values.seconds,
        default=None,
        metavar="DURATION",
        help="poll for this long, such as 30s, and print rates (default: poll once)",
    )


def _add_flags_of_doctor(add: FlagAdder) -> None:
    add("--output", **_choice(("table", "json"), "table", "how to print it"))
    _add_scope_flags(add, "examine")
    add("--redact", **_switch("replace names in the report, so that it can be published"))


def _add_scope_flags(add: FlagAdder, verb: str) -> None:
    for flag, names in (
        ("--project", "projects"),
        ("--logstore", "logstores"),
        ("--consumer-group", "consumer groups"),
    ):
        add(
            flag,
            flag_values.pattern,
            default=None,
            metavar="PATTERN",
            help=f"{verb} only {names} of the configuration whose whole name matches"
            " (default: all)",
        )


def _add_web_flags(add: FlagAdder, listen: str | None) -> None:
    usual = listen or f"127.0.0.1:{DEFAULT_PORT}, or a free port where that is taken"
    add(
        "--web.listen-address",
        flag_values.addresses,
        default=listen,
        action=Extend,
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
    _add_web_config_file(add)
    add("--web.enable-lifecycle", **_switch("allow POST /-/reload"))


def _add_web_config_file(add: FlagAdder) -> None:
    add(
        "--web.config.file",
        flag_values.optional_file,
        default=None,
        metavar="FILE",
        help="TLS, basic authentication and headers, in the exporter-toolkit's format",
    )


def _add_sharding_flags(add: FlagAdder) -> None:
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
        flag_values.positive,
        default="1",
        metavar="N",
        help="number of exporters that share the logstores (default: 1)",
    )


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
