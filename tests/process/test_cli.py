"""The commands as real processes: their output, its stream, and their exit status."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from exporter import __version__
from tests.support.commands import demo_world, environment, run
from tests.support.daemon import daemon
from tests.support.scrape import Scrape
from tests.support.wait import wait_for

COMMANDS = ("run", "check", "once", "doctor", "demo", "schema")
CONFIG = """\
credentials: {access_key_id: id, access_key_secret: hunter2}
projects:
  - project: p
    endpoint: http://127.0.0.1:1
    logstores: [{logstore: l, consumer_groups: [g]}]
"""


def states(scrape: Scrape) -> set[tuple[str, str]]:
    """Return the states of the shards of each consumer group."""
    return {
        (sample.labels["consumer_group"], sample.labels["state"])
        for sample in scrape.find("sls_consumer_group_shards")
        if sample.value > 0
    }


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


@pytest.mark.parametrize("arguments", [["--version"], ["run", "--version"], ["once", "--version"]])
def test_the_version_is_printed_on_stdout(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.status, done.stdout, done.stderr) == (0, f"sls-exporter {__version__}\n", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    done = run(name, "--help")
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: sls-exporter {name} [-h]")


def test_the_installed_script_is_the_same_program() -> None:
    script = Path(sys.executable).with_name("sls-exporter")
    done = subprocess.run(
        [script, "--version"], capture_output=True, text=True, check=True, env=environment()
    )
    assert done.stdout == f"sls-exporter {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        (["--no.such-flag"], {}),
        (["run", "--web.telemetry-path=metrics"], {}),
        (["run"], {"SLS_EXPORTER_LOG_LEVEL": "loud"}),
        (["once", "--output=xml"], {}),
        (["doctor", "--output=prometheus"], {}),
    ],
)
def test_wrong_usage_ends_with_status_2_in_one_line_and_a_hint(
    arguments: list[str], environ: dict[str, str]
) -> None:
    done = run(*arguments, environ=environ)
    assert (done.status, done.stdout) == (2, "")
    line, hint = done.stderr.splitlines()
    assert line.startswith("sls-exporter ")
    assert hint.startswith("Run 'sls-exporter ")


@pytest.mark.parametrize("name", ["run", "check", "once", "doctor"])
def test_an_invalid_configuration_ends_with_status_1_and_all_errors(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("polling: {interval: 60}\nstall_afer: 5m\n", encoding="utf-8")
    done = run(name, f"--config.file={path}")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"{path}:1:1: projects: this key is required",
        f"{path}:1:21: polling.interval: a duration needs a unit: write 60s, or 60m for minutes",
        f"{path}:2:1: stall_afer: unknown key; did you mean stall_after?",
    ]


def test_a_missing_configuration_is_reported_in_one_line(tmp_path: Path) -> None:
    done = run("--config.file", tmp_path / "none.yaml")
    assert (done.status, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "none.yaml" in done.stderr
    assert "No such file" in done.stderr


@pytest.mark.parametrize("name", ["run", "once"])
def test_missing_credentials_are_one_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.partition("\n")[2], encoding="utf-8")
    done = run(name, f"--config.file={path}")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.startswith("sls-exporter: no credentials: ")
    assert "ALIBABA_CLOUD_ACCESS_KEY_ID" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_taken_port_is_one_line(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run(f"--config.file={config}", f"--web.listen-address={address}")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr == (
        f"sls-exporter: cannot listen on {address}: address already in use; stop the other"
        " program, or set --web.listen-address\n"
    )


def test_flags_may_come_from_the_environment(config: Path) -> None:
    environ = {
        "SLS_EXPORTER_CONFIG_FILE": str(config),
        "SLS_EXPORTER_WEB_LISTEN_ADDRESS": "127.0.0.1:0",
        "SLS_EXPORTER_WEB_TELEMETRY_PATH": "/m",
        "SLS_EXPORTER_LOG_LEVEL": "info",
    }
    with daemon(environ=environ) as running:
        assert "sls_exporter_build_info" in running.get("/m").text
        assert running.get("/metrics").status_code == 404
        assert running.stop() == 0


def test_the_daemon_listens_on_each_address_given(config: Path) -> None:
    flag = "--web.listen-address=127.0.0.1:0"
    with daemon(f"--config.file={config}", flag, flag) as running:
        wait_for(lambda: "listening=" in running.log, what="the start")
        ports = re.findall(r"127\.0\.0\.1:([1-9][0-9]*)", running.log)
        assert len(set(ports)) == 2
        for port in ports:
            connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
            connection.request("GET", "/-/healthy")
            assert connection.getresponse().status == 200
            connection.close()


def test_the_demo_prints_its_address_and_shows_every_condition() -> None:
    with daemon("demo", "--web.listen-address=127.0.0.1:0") as running:
        wait_for(lambda: len(running.stdout) == 3, what="the addresses")
        assert running.stdout == [
            f"Status page: {running.url}/\n",
            f"Metrics:     {running.url}/metrics\n",
            "Stop with Ctrl-C.\n",
        ]
        wait_for(
            lambda: (
                {
                    ("expired", "expired"),
                    ("stalled", "stalled"),
                    ("unconsumed", "unconsumed"),
                    ("idle", "caught_up"),
                    ("steady", "finished"),
                }
                <= states(running.scrape())
            ),
            timeout=30,
            what="every condition",
        )
        assert running.stop(signal.SIGINT) == 0


def test_check_explains_a_valid_configuration(config: Path) -> None:
    done = run("check", f"--config.file={config}")
    assert (done.status, done.stderr) == (0, "")
    assert "http://127.0.0.1:1" in done.stdout
    assert "hunter2" not in done.stdout


def test_the_schema_is_json_on_stdout() -> None:
    done = run("schema")
    assert (done.status, done.stderr) == (0, "")
    assert json.loads(done.stdout)["title"] == "Configuration of sls-exporter"


def test_characters_that_a_terminal_cannot_show_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.replace("[g]", '["gé.*"]'), encoding="utf-8")
    done = run("check", f"--config.file={path}", environ={"PYTHONIOENCODING": "ascii"})
    assert done.status == 0
    assert "g\\xe9.*" in done.stdout


# Python waits for all of these at its exit. The last one is a daemon thread.
@pytest.mark.parametrize(
    "hang",
    [
        "Thread(target=Event().wait).start()",
        "pool.submit(Event().wait)",
        "starter = Thread(target=pool.submit, args=[Event().wait], daemon=True)",
    ],
)
@pytest.mark.parametrize(
    ("command", "status", "error"),
    [
        ("['schema']", 0, ""),
        ("['check', '--config.file=/']", 1, "/: cannot be read: "),
        ("['schema']; cli.prepare = lambda _: lambda: 1 / 0", 1, "ZeroDivisionError"),
    ],
)
def test_thread_that_hangs_does_not_delay_the_exit(
    hang: str, command: str, status: int, error: str
) -> None:
    program = (
        "import sys\n"
        "from threading import Event, Thread\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from exporter.__main__ import main\n"
        "from exporter.commands import cli\n"
        "pool = ThreadPoolExecutor(1)\n"
        "starter = Thread()\n"
        f"{hang}\n"
        "starter.start()\n"
        "starter.join()\n"
        f"sys.argv[1:] = {command}\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    assert done.returncode == status
    assert error in done.stderr
    assert done.stdout.endswith("}\n") is (status == 0)


LIMITED = """\
import sys
from threading import Thread

left, start = int(sys.argv.pop(1)), Thread.start

def limited(thread):
    global left
    if not left:
        raise RuntimeError("can't start new thread")
    left -= 1
    start(thread)

Thread.start = limited
from exporter.__main__ import main
main()
"""


@pytest.mark.parametrize(
    ("command", "threads"),
    [("once", 0), *(("run", count) for count in range(4)), *(("demo", n) for n in range(1, 5))],
)
def test_start_without_enough_threads_ends_with_one_line(
    tmp_path: Path, command: str, threads: int
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    arguments = [] if command == "once" else ["--web.listen-address=127.0.0.1:0"]
    arguments += [] if command == "demo" else [f"--config.file={path}"]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(threads), command, *arguments],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("sls-exporter: ")
    assert "can't start new thread" in line


def test_once_shows_the_demonstration_and_ends_with_status_0(tmp_path: Path) -> None:
    with demo_world(tmp_path) as demo:
        done = run("once", f"--config.file={demo.config}")
    assert (done.status, done.stderr) == (0, "")
    assert "demo-shop / orders / stalled" in done.stdout


def test_once_with_a_failed_target_ends_with_status_1(tmp_path: Path) -> None:
    with demo_world(tmp_path) as demo:
        demo.simulator.deny("GetCheckPoint")
        done = run("once", f"--config.file={demo.config}", "--output=json")
    assert done.status == 1
    assert all(not group["up"] for group in json.loads(done.stdout)["groups"])
    assert "Unauthorized" in done.stderr
