"""Configurations from standard input and from an environment variable."""

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.commands import command, environment, run
from tests.support.daemon import daemon
from tests.support.wait import wait_for
from tests.support.web_tls import new_place

CONFIG = """\
credentials: {access_key_id: id, access_key_secret: "${SECRET}"}
projects:
  - project: shop
    endpoint: http://127.0.0.1:1
    logstores: [{logstore: orders, consumer_groups: [billing]}]
"""
SECRET = {"SECRET": "secret-of-the-key"}


@pytest.mark.parametrize(
    ("arguments", "environ", "stdin"),
    [
        (["--config.file=-"], SECRET, CONFIG),
        (["--config.file", "-"], {**SECRET, "SLS_EXPORTER_CONFIG": "junk"}, CONFIG),
        ([], {**SECRET, "SLS_EXPORTER_CONFIG_FILE": "-"}, CONFIG),
        ([], {**SECRET, "SLS_EXPORTER_CONFIG": CONFIG}, ""),
    ],
)
def test_configuration_is_read_from_input_or_variable(
    arguments: list[str], environ: Mapping[str, str], stdin: str
) -> None:
    done = run("check", *arguments, environ=environ, stdin=stdin)
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.startswith("project shop at http://127.0.0.1:1\n")


@pytest.mark.parametrize(
    ("environ", "stdin", "error"),
    [
        ({}, "", "stdin:1:1: (document): the document is empty"),
        ({}, "polling: {interval: 5}", "stdin:1:21: polling.interval: "),
        ({"SLS_EXPORTER_CONFIG": "a: 1"}, "", "SLS_EXPORTER_CONFIG:1:1: a: unknown key"),
    ],
)
def test_error_in_other_source_has_its_name_and_position(
    environ: Mapping[str, str], stdin: str, error: str
) -> None:
    done = run("check", *([] if environ else ["--config.file=-"]), environ=environ, stdin=stdin)
    assert done.status == 1
    assert error in done.stderr


@pytest.mark.parametrize("environ", [{}, {"SLS_EXPORTER_CONFIG": CONFIG}])
def test_reload_uses_the_same_text_again(tmp_path: Path, environ: Mapping[str, str]) -> None:
    log = tmp_path / "log"
    source = [] if environ else ["--config.file=-"]
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            command("run", "--web.listen-address=127.0.0.1:0", *source),
            stdin=subprocess.PIPE,
            stderr=stderr,
            env=environment({**SECRET, **environ}),
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        process.stdin.write("" if environ else CONFIG)
        process.stdin.close()
        wait_for(lambda: "msg=started" in log.read_text())
        for count in (1, 2):
            process.send_signal(signal.SIGHUP)
            wait_for(lambda: log.read_text().count('msg="configuration reloaded"') == count)  # noqa: B023  awaited here
        process.terminate()
        assert process.wait(15) == 0
    assert "level=error" not in log.read_text()


def test_reload_fails_while_the_file_is_a_pipe_without_a_writer(tmp_path: Path) -> None:
    path, new = tmp_path / "config.yaml", tmp_path / "new"
    path.write_text(CONFIG)
    new.write_text(CONFIG)
    with daemon(
        f"--config.file={path}", "--web.listen-address=127.0.0.1:0", environ=SECRET
    ) as running:
        wait_for(lambda: "msg=started" in running.log, timeout=60)
        path.unlink()
        os.mkfifo(path)
        running.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "configuration reload failed" in running.log, timeout=60)
        new.replace(path)
        running.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "configuration reloaded" in running.log, timeout=60)
        assert running.stop(within=60) == 0
    assert f"{path}: cannot be read: a pipe that no process has opened to write" in running.log


def test_check_validates_web_configuration_too(tmp_path: Path) -> None:
    place = new_place(tmp_path)
    web = place.write(
        "tls_server_config: {cert_file: server.crt, key_file: server.key,"
        " curve_preferences: [X25519, CurveP256]}"
    )
    environ = {**SECRET, "SLS_EXPORTER_CONFIG": CONFIG}
    done = run("check", f"--web.config.file={web}", environ=environ)
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-2:] == [
        "web configuration: TLS on, 0 users",
        "  warning: curve_preferences with several curves allows every curve of this OpenSSL",
    ]
    assert "web configuration" not in run("check", "--web.config.file=", environ=environ).stdout


def test_check_reports_errors_of_both_configurations(tmp_path: Path) -> None:
    web = tmp_path / "web.yml"
    web.write_text("rate_limit: {burst: x}\n")
    done = run("check", f"--web.config.file={web}", environ={"SLS_EXPORTER_CONFIG": "a: 1"})
    assert (done.status, done.stdout) == (1, "")
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == [
        "SLS_EXPORTER_CONFIG:1:1",
        "SLS_EXPORTER_CONFIG:1:1",
        f"{web}:1:21",
    ]
