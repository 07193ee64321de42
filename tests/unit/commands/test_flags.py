"""Flags and their environment variables: defaults, precedence, and invalid usage."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from exporter.commands.flags import COMMANDS, Flags, parse
from exporter.web.listen import ListenAddress

ANYWHERE = ListenAddress(host="", port=10027)

SECRET = "kJ8sDf92LkQwErTyUiOpAsDfGhJkLz"
"""A text in the format of the secret of an access key."""


def refused(
    capsys: pytest.CaptureFixture[str], *arguments: str, environ: Mapping[str, str] | None = None
) -> str:
    """Return the error message for an invalid command line."""
    with pytest.raises(SystemExit) as caught:
        parse(arguments, environ or {})
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    line, hint = err.splitlines()
    assert re.fullmatch(r"Run 'sls-exporter( [a-z]+)? --help' for help\.", hint)
    assert line.startswith(hint.removeprefix("Run '").partition(" --help")[0] + ": ")
    return line


def test_without_arguments_the_daemon_runs_with_its_defaults() -> None:
    flags = parse([], {})
    assert flags == Flags(
        command="run",
        config_file=Path("config.yaml"),
        web_listen_address=(ANYWHERE,),
        web_telemetry_path="/metrics",
        web_max_requests=40,
        log_level="info",
        log_format="logfmt",
        **{name: getattr(flags, name) for name in vars(flags) if name not in KNOWN},
    )


KNOWN = {
    "command",
    "config_file",
    "web_listen_address",
    "web_telemetry_path",
    "web_max_requests",
    "log_level",
    "log_format",
}


def test_once_selects_everything_by_default() -> None:
    flags = parse(["once"], {})
    assert (flags.project, flags.logstore, flags.consumer_group) == (None, None, None)
    assert (flags.watch, flags.list) == (None, False)


def test_once_reads_patterns_and_durations() -> None:
    flags = parse(["once", "--project=a.*", "--watch=1m30s"], {"SLS_EXPORTER_LOGSTORE": "b"})
    assert flags.project is not None
    assert flags.logstore is not None
    assert (flags.project.text, flags.logstore.text, flags.watch) == ("a.*", "b", 90.0)


def test_doctor_reads_patterns_and_prints_names_by_default() -> None:
    flags = parse(["doctor", "--logstore=a.*"], {})
    assert flags.logstore is not None
    assert (flags.logstore.text, flags.project, flags.output) == ("a.*", None, "table")
    assert flags.redact is False
    assert parse(["doctor", "--redact"], {}).redact is True


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--project=("], "argument --project: not a regular expression of RE2: missing )"),
        (["--consumer-group="], "argument --consumer-group: a name must not be empty"),
        (["--watch=30"], "argument --watch: a duration needs a unit: write 30s"),
        (["--watch=0s"], "argument --watch: must be longer than 0s"),
        (["--list", "--watch=1s"], "argument --list: not allowed with argument --watch"),
        (["--list", "--output=prometheus"], "argument --list: names can be printed as table"),
    ],
)
def test_invalid_selection_of_once_is_rejected(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, "once", *arguments).startswith(f"sls-exporter once: {reason}")


def test_a_flag_without_a_command_is_one_of_the_daemon() -> None:
    flags = parse(["--config.file=a.yaml"], {})
    assert (flags.command, flags.config_file) == ("run", Path("a.yaml"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_be_named(command: str) -> None:
    assert parse([command], {}).command == command


def test_every_flag_may_come_from_a_variable() -> None:
    flags = parse(
        [],
        {
            "SLS_EXPORTER_CONFIG_FILE": "/etc/a.yaml",
            "SLS_EXPORTER_WEB_LISTEN_ADDRESS": "127.0.0.1:1, [::1]:2",
            "SLS_EXPORTER_WEB_TELEMETRY_PATH": "/m",
            "SLS_EXPORTER_WEB_MAX_REQUESTS": "0",
            "SLS_EXPORTER_LOG_LEVEL": "debug",
            "SLS_EXPORTER_LOG_FORMAT": "json",
        },
    )
    assert flags.config_file == Path("/etc/a.yaml")
    assert flags.web_listen_address == (
        ListenAddress(host="127.0.0.1", port=1),
        ListenAddress(host="::1", port=2),
    )
    assert (flags.web_telemetry_path, flags.web_max_requests) == ("/m", 0)
    assert (flags.log_level, flags.log_format) == ("debug", "json")
    assert parse(["once"], {"SLS_EXPORTER_OUTPUT": "json"}).output == "json"


def test_a_flag_wins_over_its_variable() -> None:
    environ = {"SLS_EXPORTER_LOG_LEVEL": "debug", "SLS_EXPORTER_WEB_LISTEN_ADDRESS": ":1"}
    flags = parse(["--log.level=error", "--web.listen-address=:2"], environ)
    assert flags.log_level == "error"
    assert flags.web_listen_address == (ListenAddress(host="", port=2),)


def test_a_variable_that_is_empty_counts_as_absent() -> None:
    flags = parse([], {"SLS_EXPORTER_LOG_LEVEL": "", "SLS_EXPORTER_WEB_LISTEN_ADDRESS": ""})
    assert (flags.log_level, flags.web_listen_address) == ("info", (ANYWHERE,))


def test_variables_that_kubernetes_sets_for_a_service_of_the_same_name_are_ignored() -> None:
    environ = {
        "SLS_EXPORTER_PORT": "tcp://10.0.0.1:10027",
        "SLS_EXPORTER_SERVICE_HOST": "10.0.0.1",
        "SLS_EXPORTER_PORT_10027_TCP_PORT": "10027",
    }
    assert parse([], environ) == parse([], {})


def test_repeated_listen_addresses_are_all_used() -> None:
    flags = parse(["--web.listen-address=:1", "--web.listen-address", "127.0.0.1:2"], {})
    assert flags.web_listen_address == (
        ListenAddress(host="", port=1),
        ListenAddress(host="127.0.0.1", port=2),
    )


def test_the_demo_has_no_fixed_address() -> None:
    assert parse(["demo"], {}).web_listen_address is None


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (
            "--web.listen-address=10027",
            (
                "argument --web.listen-address: expected [HOST]:PORT such as :10027, "
                "127.0.0.1:10027 or [::1]:10027, not '10027'"
            ),
        ),
        (
            "--web.telemetry-path=metrics",
            "argument --web.telemetry-path: expected a plain path such as /metrics, not 'metrics'",
        ),
        (
            "--web.max-requests=-1",
            "argument --web.max-requests: expected a whole number, not '-1'",
        ),
        (
            "--sharding.total-shards=0",
            "argument --sharding.total-shards: expected a whole number from 1, not '0'",
        ),
        (
            "--web.max-requests=9999999999",
            "argument --web.max-requests: expected a whole number, not '9999999999'",
        ),
        (
            "--log.level=loud",
            "argument --log.level: expected debug, info, warn, error, not 'loud'",
        ),
        ("--log.format=xml", "argument --log.format: expected logfmt, json, console, not 'xml'"),
        ("--web.listen=:1", "unrecognized arguments: --web.listen=:1"),
        ("surplus", "unrecognized arguments: surplus"),
    ],
)
def test_invalid_usage_is_explained(
    argument: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, "run", argument) == f"sls-exporter run: {message}"


@pytest.mark.parametrize("command", COMMANDS)
def test_usage_error_names_the_command_in_question(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = f"sls-exporter {command}: unrecognized arguments: --no.such-flag"
    assert refused(capsys, command, "--no.such-flag") == expected


def test_usage_error_without_command_is_one_of_run(capsys: pytest.CaptureFixture[str]) -> None:
    expected = "sls-exporter run: unrecognized arguments: check"
    assert refused(capsys, "--log.level=info", "check") == expected
    expected = "sls-exporter run: argument --sharding.shard: "
    assert refused(capsys, "--sharding.shard=3", "--sharding.total-shards=2").startswith(expected)


@pytest.mark.parametrize("argument", ["chek", "config.yaml", ""])
def test_unknown_command_is_explained(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    expected = f"sls-exporter: argument COMMAND: invalid choice: {argument!r}"
    assert refused(capsys, argument).startswith(expected)


def test_help_lists_every_flag_of_run(capsys: pytest.CaptureFixture[str]) -> None:
    flags = []
    for arguments in (["--help"], ["run", "--help"]):
        with pytest.raises(SystemExit):
            parse(arguments, {})
        flags.append(set(re.findall(r"^  (--\S+)", capsys.readouterr().out, re.MULTILINE)))
    assert flags[0] == flags[1] > {"--config.file", "--web.listen-address", "--log.level"}


@pytest.mark.parametrize("command", ["run", "check", "demo"])
def test_empty_web_config_file_means_none(command: str) -> None:
    assert parse([command, "--web.config.file="], {}).web_config_file is None
    assert parse([command, "--web.config.file=a"], {}).web_config_file == Path("a")


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", f"--access-key-secret={SECRET}"],
        ["once", "--access-key-secret", SECRET],
        [SECRET],
        ["check", f"--log.level={SECRET}"],
        ["run", f"--web.listen-address=:{SECRET}"],
        ["once", f"--watch={SECRET}"],
    ],
    ids=lambda arguments: "_".join(arguments).replace(SECRET, ""),
)
def test_secret_of_access_key_on_command_line_is_not_shown(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, *arguments)
    assert SECRET not in said
    assert "…" in said or "text that looks like a secret" in said


@pytest.mark.parametrize("flag", ["--config.file", "--web.config.file"])
@pytest.mark.parametrize("text", ["a: secret\nb: 1", ' {"a": "secret"}', "secret" * 1000])
@pytest.mark.parametrize("as_variable", [False, True])
def test_text_of_file_in_place_of_its_path_is_not_shown(
    flag: str,
    text: str,
    capsys: pytest.CaptureFixture[str],
    *,
    as_variable: bool,
) -> None:
    variable = "SLS_EXPORTER_" + flag.strip("-").replace(".", "_").upper()
    arguments = [] if as_variable else [f"{flag}={text}"]
    said = refused(capsys, "run", *arguments, environ={variable: text} if as_variable else {})
    source = f"{variable}: " if as_variable else ""
    expected = f"argument {flag}: {source}expected the path of a file, not its text"
    assert said == f"sls-exporter run: {expected}"


def test_empty_config_file_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    expected = "sls-exporter run: argument --config.file: expected the path of a file"
    assert refused(capsys, "run", "--config.file=") == expected


def test_configuration_in_variable_is_used_unless_file_is_given() -> None:
    environ = {"SLS_EXPORTER_CONFIG": "projects: []"}
    for command in ("run", "check", "once", "doctor"):
        assert parse([command], environ).config_text == "projects: []"
        assert parse([command, "--config.file=config.yaml"], environ).config_text is None
        named = {**environ, "SLS_EXPORTER_CONFIG_FILE": "config.yaml"}
        assert parse([command], named).config_text is None
        assert parse([command], {"SLS_EXPORTER_CONFIG": ""}).config_text is None


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [(["--config.file=-"], {}), ([], {"SLS_EXPORTER_CONFIG": "projects: []"})],
)
def test_auto_reload_needs_a_file(
    arguments: list[str], environ: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "run", "--config.auto-reload", *arguments, environ=environ)
    assert said.endswith("argument --config.auto-reload: the configuration is not in a file")


def test_error_messages_are_short_and_contain_no_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert refused(capsys, "run", "--\x1b[31m\ud800").endswith(": --�[31m�")
    assert len(refused(capsys, "run", "x" * 100_000)) < 1100


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("SLS_EXPORTER_LOG_LEVEL", "expected debug, info, warn, error, not '?'"),
        ("SLS_EXPORTER_WEB_MAX_REQUESTS", "expected a whole number, not '?'"),
        (
            "SLS_EXPORTER_WEB_LISTEN_ADDRESS",
            "expected [HOST]:PORT such as :10027, 127.0.0.1:10027 or [::1]:10027, not '?'",
        ),
        ("SLS_EXPORTER_WEB_TELEMETRY_PATH", "expected a plain path such as /metrics, not '?'"),
    ],
)
def test_an_invalid_variable_is_a_usage_error_that_names_it(
    variable: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, environ={variable: "?"})
    assert said.endswith(f": {variable}: {message}")


def test_a_variable_of_another_command_does_not_matter() -> None:
    assert parse(["schema"], {"SLS_EXPORTER_WEB_MAX_REQUESTS": "?"}).command == "schema"


def test_echoed_arguments_are_bounded_and_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "--log.level=" + "\n\x1b" * 1000)
    assert len(said) < 400
    assert "\x1b" not in said


@pytest.mark.parametrize("path", ["/metrics", "/", "/a-b/~c_d.e/"])
def test_plain_telemetry_path_is_accepted(path: str) -> None:
    assert parse(("run", f"--web.telemetry-path={path}"), {}).web_telemetry_path == path


@pytest.mark.parametrize("path", ["/api/v1/groups", "/-/healthy", "/-/ready", "/-/reload"])
def test_telemetry_path_that_replaces_another_route_is_refused(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, "run", f"--web.telemetry-path={path}") == (
        f"sls-exporter run: argument --web.telemetry-path: the exporter needs {path} itself;"
        " choose another path"
    )


@pytest.mark.parametrize("path", ["", "metrics", "/a b", "/{x}", "/a?b", "/ä", "/a\n"])
def test_telemetry_path_that_the_routes_cannot_have_is_refused(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "expected a plain path" in refused(capsys, "run", f"--web.telemetry-path={path}")
