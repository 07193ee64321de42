"""Signals at unusual moments: before the start, twice, and during the end."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import command, environment
from tests.support.daemon import Daemon, daemon
from tests.support.shop import UNREACHABLE
from tests.support.wait import wait_for

# The signal arrives before the first module of the commands is imported.
EARLY = """\
import os, signal, sys

number = int(sys.argv.pop(1))

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "exporter.commands":
            os.kill(os.getpid(), number)

sys.meta_path.insert(0, Finder())
from exporter.__main__ import main
main()
"""
HANGING = """\
import threading
from exporter.commands.signals import signals

with signals(status=7) as asked:
    print("ready", flush=True)
    asked.next()
    print("stopping", flush=True)
    threading.Event().wait()
"""


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """Let processes get SIGINT, which a shell ignores for commands in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(UNREACHABLE)
    return path


def status_after(running: Daemon, *numbers: signal.Signals) -> int:
    """Send signals again and again until the process ends, and return its status."""
    while True:
        for number in numbers:
            running.process.send_signal(number)
        try:
            return running.process.wait(0.005)
        except subprocess.TimeoutExpired:
            assert "Traceback" not in running.log


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "others",
    [(signal.SIGHUP,), (signal.SIGTERM,), (signal.SIGINT,), (signal.SIGHUP, signal.SIGTERM)],
    ids=lambda numbers: "+".join(number.name for number in numbers),
)
def test_signals_after_a_stop_do_not_change_its_status(
    config: Path, first: signal.Signals, others: tuple[signal.Signals, ...]
) -> None:
    with daemon(f"--config.file={config}", "--web.listen-address=127.0.0.1:0") as running:
        wait_for(lambda: "msg=started" in running.log)
        running.process.send_signal(first)
        assert status_after(running, *others) == 0
    assert "msg=stopping" in running.log


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGHUP, 0), (signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, -signal.SIGTERM)],
)
def test_signal_before_the_start_causes_no_traceback(number: signal.Signals, status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EARLY, str(int(number)), "--version"],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, "")


def test_ignored_interrupt_stays_ignored() -> None:
    ignoring = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-c", EARLY]
    done = subprocess.run(
        [*ignoring, str(int(signal.SIGINT)), "--version"],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@contextlib.contextmanager
def silent_writer(pipe: Path) -> Iterator[None]:
    """Wait until a process reads from a pipe, and keep it waiting for data."""
    opened: list[int] = []

    def is_read() -> bool:
        with contextlib.suppress(OSError):
            opened.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return bool(opened)

    wait_for(is_read, timeout=60)
    try:
        yield
    finally:
        os.close(opened[0])


def output_after(process: subprocess.Popen[str], number: signal.Signals) -> tuple[str, str]:
    """Send a signal until the process ends, and return its output.

    One signal is not enough: if it arrives just before the read, it does not interrupt that.
    """

    def is_ended() -> bool:
        process.send_signal(number)
        return process.poll() is not None

    wait_for(is_ended, timeout=60)
    return process.communicate(timeout=60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("name", ["run", "check", "once", "doctor"])
def test_signal_ends_command_that_waits_for_its_configuration(
    tmp_path: Path, name: str, number: signal.Signals
) -> None:
    pipe = tmp_path / "config.yaml"
    os.mkfifo(pipe)
    with (
        subprocess.Popen(
            command(name, f"--config.file={pipe}"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        ) as process,
        silent_writer(pipe),
    ):
        output = output_after(process, number)
    assert (process.returncode, *output) == (0 if name == "run" else -number, "", "")


def test_stop_ends_the_process_while_a_reload_over_http_hangs(config: Path) -> None:
    with daemon(
        f"--config.file={config}", "--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle"
    ) as running:
        wait_for(lambda: "msg=started" in running.log, timeout=60)
        address = running.url.removeprefix("http://")
        config.unlink()
        os.mkfifo(config)
        with contextlib.closing(http.client.HTTPConnection(address, timeout=60)) as client:
            client.request("POST", "/-/reload")
            with silent_writer(config):
                assert running.stop(within=60) == 0


def test_second_signal_after_a_second_ends_the_process_with_the_same_status() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HANGING], stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "stopping\n"
        assert status_after(Daemon(process), signal.SIGTERM) == 7
