"""The command as a real process: its output, its exit status, and no secret in either."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.simulator.demo_world import CLICKS, SHOP
from tests.support.commands import Demo, command, demo_world, environment, on_terminal, run
from tests.support.faults import ErrorAnswer, Hang
from tests.support.wait import wait_for

SLOW = 60.0  # seconds within which a process starts on a busy machine


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with demo_world(tmp_path) as served:
        yield served


def test_table_lists_steps_and_assumptions_and_ends_with_status_0(demo: Demo) -> None:
    done = run("doctor", f"--config.file={demo.config}", f"--project={SHOP}", "--logstore=clicks")
    assert (done.status, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{SHOP} at http://127.0.0.1:")
    assert [line.split()[0] for line in lines if " ok " in line][:5] == [
        *("keys", "route", "dns", "connect", "tls"),
    ]
    assert any(line.startswith("update-time-unit") and " held " in line for line in lines)
    assert lines[-1].endswith("not seen")


def test_table_fits_a_narrow_terminal(demo: Demo) -> None:
    arguments = ("doctor", f"--config.file={demo.config}", "--logstore=clicks")
    done = run(*arguments, environ={"COLUMNS": "80"})
    titles = [line for line in done.stdout.splitlines() if " at http" in line]
    others = [line for line in done.stdout.splitlines() if line not in titles]
    assert max(map(len, others)) <= 80
    assert "…" not in done.stdout


def test_failed_step_ends_with_status_1(demo: Demo) -> None:
    demo.simulator.deny("ListConsumerGroup")
    arguments = ("doctor", f"--config.file={demo.config}", "--logstore=clicks")
    done = run(*arguments, "--output=json", "--redact")
    assert (done.status, done.stderr) == (1, "")
    document = json.loads(done.stdout)
    assert document["status"] == 1
    assert document.keys() == {"version", "python", "machine", "status", "items"}
    denied = [
        finding
        for item in document["items"]
        for finding in item["findings"]
        if finding["step"] == "ListConsumerGroup"
    ]
    assert {finding["result"] for finding in denied} == {"failed"}
    assert SHOP not in done.stdout
    assert CLICKS not in done.stdout
    assert demo.simulator.endpoint not in done.stdout


def test_assumption_that_does_not_hold_ends_with_status_3(demo: Demo) -> None:
    fault = ErrorAnswer(status=400, code="ParameterInvalid")
    demo.simulator.faults.add(fault, operation="GetCursor", shard=2**31 - 1)
    done = run("doctor", f"--config.file={demo.config}", "--logstore=clicks")
    assert done.status == 3
    assert "Please send this report" in done.stdout


def test_terminal_shows_the_progress(demo: Demo) -> None:
    shown = on_terminal(demo, "--logstore=clicks", name="doctor")
    assert "examining entries" in shown


def test_missing_keys_are_a_finding(demo: Demo) -> None:
    text = demo.config.read_text()
    demo.config.write_text("projects:" + text.partition("projects:")[2])
    done = run("doctor", f"--config.file={demo.config}")
    assert done.status == 1
    assert "no access key is available" in done.stdout


def test_secrets_are_never_shown(demo: Demo) -> None:
    text = demo.config.read_text()
    (line,) = [each for each in text.splitlines() if "access_key_secret" in each]
    secret = line.split()[-1]
    fault = ErrorAnswer(status=401, code="SignatureNotMatch", message=f"not with {secret}")
    demo.simulator.faults.add(fault)
    done = run("doctor", f"--config.file={demo.config}", "--log.level=debug", "--output=json")
    assert done.status == 1
    assert "SignatureNotMatch" in done.stdout
    assert secret not in done.stdout + done.stderr


def test_interrupt_ends_with_status_130(demo: Demo) -> None:
    demo.simulator.faults.add(Hang(), operation="ListShards")
    with subprocess.Popen(
        command("doctor", f"--config.file={demo.config}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    ) as process:
        wait_for(
            lambda: any(each.operation == "ListShards" for each in demo.simulator.requests),
            timeout=SLOW,
        )
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=SLOW)
    assert (process.returncode, output, errors) == (130, "", "")
