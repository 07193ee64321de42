"""Standard streams that are closed, full or broken."""

import subprocess
from pathlib import Path

import pytest

from tests.support.commands import command, environment
from tests.support.shop import UNREACHABLE
from tests.support.wait import wait_for

FULL = "sls-exporter: cannot write the output: no space left on device\n"
PRINTING = [["--help"], ["--version"], ["run", "--help"], ["schema"], ["check"], ["once"]]


@pytest.fixture(autouse=True)
def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.yaml").write_text(UNREACHABLE)
    monkeypatch.chdir(tmp_path)


def shell(arguments: list[str], redirections: str, *, buffered: bool = True) -> list[str]:
    """Return a command of a shell that runs the exporter with redirections."""
    unbuffered = "" if buffered else "PYTHONUNBUFFERED=1 "
    return ["/bin/sh", "-c", f'{unbuffered}exec "$@" {redirections}', "sh", *command(*arguments)]


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_output_on_full_device_is_one_line_and_status_1(
    arguments: list[str], *, buffered: bool
) -> None:
    done = subprocess.run(
        shell(arguments, ">/dev/full", buffered=buffered),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines(keepends=True) if "level=" not in line]
    assert (done.returncode, lines) == (1, [FULL])


@pytest.mark.parametrize("redirections", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("arguments", PRINTING[:-1], ids=" ".join)
def test_closed_streams_do_not_matter(arguments: list[str], redirections: str) -> None:
    done = subprocess.run(
        shell(arguments, redirections),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("redirections", [">&-", "<&- >&- 2>run.log"])
def test_daemon_without_output_stops_with_status_0(tmp_path: Path, redirections: str) -> None:
    log = tmp_path / "run.log"
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            shell(["run", "--web.listen-address=127.0.0.1:0"], redirections),
            stderr=stderr,
            env=environment(),
        ) as process,
    ):
        wait_for(lambda: "msg=started" in log.read_text())
        process.terminate()
        assert process.wait(15) == 0
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("arguments", PRINTING[:-2], ids=" ".join)
def test_closed_pipe_causes_no_traceback(arguments: list[str]) -> None:
    with subprocess.Popen(
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment({"PYTHONUNBUFFERED": "1"}),
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(10) == 1


def test_demo_on_full_device_stops_in_order() -> None:
    done = subprocess.run(
        shell(["demo", "--web.listen-address=127.0.0.1:0"], ">/dev/full"),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    *log, last = done.stderr.splitlines(keepends=True)
    assert (done.returncode, last) == (1, FULL)
    assert "msg=stopping" in log[-1]
