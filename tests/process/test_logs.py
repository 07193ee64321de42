"""Logs of a whole process: every source in one format, no secret, and no stream that stops it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from exporter.simulator.world import World
from tests.support.daemon import Daemon, daemon
from tests.support.faults import ErrorAnswer
from tests.support.faulty_simulator import FaultySimulator
from tests.support.keys import KEYS
from tests.support.log_lines import parse_logfmt, without_head
from tests.support.servers import free_port
from tests.support.wait import wait_for


def lines_of(script: str, *, level: str = "info", log_format: str = "json") -> list[str]:
    """Run a script in a process whose logs are configured, and return what it wrote to stderr."""
    start = (
        "import logging, sys, threading, warnings\n"
        "from exporter.logs.logger import configure, get_logger\n"
        f"configure(level={level!r}, log_format={log_format!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", start + script],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def events_of(script: str, *, level: str = "info") -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines_of(script, level=level)]


def config_file(folder: Path, endpoint: str, *, logstores: int = 1, signature: str = "v1") -> Path:
    entries = "".join(
        f"      - {{logstore: log-{number}, consumer_groups: [billing]}}\n"
        for number in range(logstores)
    )
    path = folder / "config.yaml"
    path.write_text(
        f"polling: {{interval: 1s, requests_per_second: 10000}}\nsignature: {signature}\n"
        f"projects:\n  - project: shop\n    endpoint: {endpoint}\n    region: r\n"
        f"    logstores:\n{entries}"
    )
    return path


def test_an_uncaught_exception_is_one_line() -> None:
    (event,) = events_of("raise RuntimeError('two\\nlines')")
    assert without_head(event)["level"] == "critical"
    assert event["msg"] == "uncaught exception"
    assert event["exception"].endswith("RuntimeError: two\nlines")


def test_an_uncaught_exception_still_ends_with_status_1() -> None:
    script = (
        "from exporter.logs.logger import configure;"
        " configure(level='info', log_format='json'); 1/0"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], stderr=subprocess.DEVNULL, timeout=30, check=False
    )
    assert done.returncode == 1


def test_an_exception_in_a_thread_is_a_line_with_its_name() -> None:
    (event,) = events_of("threading.Thread(target=lambda: 1 / 0, name='poll').start()")
    assert (event["level"], event["thread"]) == ("error", "poll")
    assert event["msg"] == "uncaught exception in a thread"
    assert event["exception"].endswith("ZeroDivisionError: division by zero")


def test_a_thread_that_ends_itself_writes_no_line() -> None:
    assert events_of("threading.Thread(target=sys.exit).start()") == []


def test_an_exception_that_python_has_to_ignore_is_a_line() -> None:
    (event,) = events_of("class D:\n  def __del__(self): raise KeyError('gone')\nD()")
    assert (event["level"], event["msg"]) == ("error", "exception ignored")
    assert event["exception"].endswith("KeyError: 'gone'")


def test_warning_of_python_is_one_log_line() -> None:
    (event,) = events_of("warnings.warn('careful\\nnow', ResourceWarning)")
    assert (event["level"], event["logger"]) == ("warning", "python")
    assert (event["msg"], event["category"]) == ("careful now", "ResourceWarning")
    assert event["place"].startswith("<string>:")


def test_an_interrupt_is_python_s_own_matter() -> None:
    lines = lines_of("raise KeyboardInterrupt")
    assert lines[-1] == "KeyboardInterrupt"


@pytest.mark.parametrize("log_format", ["logfmt", "json", "console"])
def test_libraries_write_in_the_same_format(log_format: str) -> None:
    script = """
for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi", "apscheduler.scheduler",
             "urllib3.connectionpool", "asyncio"):
    try:
        raise OSError("no\\nway")
    except OSError:
        logging.getLogger(name).exception("failed\\nto %s", "\\x1b[31mlisten",
                                          extra={"color_message": "\\x1b[1mfailed"})
"""
    lines = lines_of(script, log_format=log_format)
    assert "\x1b" not in "".join(lines)
    if log_format == "console":
        lines = [line for line in lines if not line.startswith("    | ")]
        assert [line.split()[1:3] for line in lines] == [["error", "failed"]] * 6
        return
    events = [json.loads(x) if log_format == "json" else parse_logfmt(x) for x in lines]
    assert [event["logger"] for event in events] == [
        "uvicorn",
        "uvicorn.error",
        "uvicorn.asgi",
        "apscheduler.scheduler",
        "urllib3.connectionpool",
        "asyncio",
    ]
    assert {event["msg"] for event in events} == {"failed to \ufffd[31mlisten"}
    assert {tuple(event) for event in events} == {("ts", "level", "logger", "msg", "exception")}


def test_internal_events_of_libraries_are_not_logged_even_at_debug() -> None:
    script = """
for name in ("uvicorn.error", "uvicorn.access", "apscheduler.scheduler", "urllib3", "asyncio",
             "urllib3.connectionpool"):
    logging.getLogger(name).info("GET /?x=1 HTTP/1.1")
    logging.getLogger(name).debug("GET /?x=1 HTTP/1.1")
get_logger("exporter").debug("ours")
"""
    assert [event["msg"] for event in events_of(script, level="debug")] == ["ours"]


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warn", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_only_events_of_the_level_or_above_are_logged(level: str, expected: list[str]) -> None:
    script = """
log = get_logger("exporter")
log.debug("event"), log.info("event"), log.warning("event"), log.error("event")
"""
    assert [event["level"] for event in events_of(script, level=level)] == expected


@pytest.mark.parametrize(("level", "count"), [("info", 6), ("debug", 100)])
def test_a_burst_is_summed_up_at_the_exit_unless_all_lines_are_requested(
    level: str, count: int
) -> None:
    script = "for n in range(100): get_logger('exporter').warning('poll fails', logstore=n)"
    events = events_of(script, level=level)
    assert len(events) == count
    assert events[-1].get("left_out") == (95 if level == "info" else None)


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_an_unwritable_stream_changes_neither_the_work_nor_the_exit_status(
    redirection: str,
) -> None:
    script = (
        "from exporter.logs.logger import configure, get_logger; import warnings; "
        "configure(level='info', log_format='logfmt'); "
        "get_logger('exporter').error('x' * 100_000); warnings.warn('to no reader'); print('done')"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -c "$1" {redirection}', sys.executable, script],
        stdout=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done\n")


@contextmanager
def process_with_stderr(stream: int, config: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    listen = f"--web.listen-address=127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "exporter", f"--config.file={config}", listen],
        stderr=stream,
        env={"PATH": "/usr/bin:/bin", **KEYS},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def answers(port: int, path: str) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}{path}", timeout=10).ok
    except requests.ConnectionError:
        return False


def test_the_daemon_goes_on_when_its_log_is_on_a_full_disk(tmp_path: Path) -> None:
    config, port = config_file(tmp_path, f"http://127.0.0.1:{free_port()}"), free_port()
    full = os.open("/dev/full", os.O_WRONLY)
    with process_with_stderr(full, config, port) as process:
        os.close(full)
        wait_for(lambda: answers(port, "/-/ready"), what="polls that failed, and could not say so")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_the_daemon_continues_when_the_reader_of_its_log_disconnects(tmp_path: Path) -> None:
    config, port = config_file(tmp_path, f"http://127.0.0.1:{free_port()}"), free_port()
    reader, writer = os.pipe()
    with process_with_stderr(writer, config, port) as process:
        os.close(writer)
        os.close(reader)
        wait_for(lambda: answers(port, "/-/ready"), what="polls that failed, and could not say so")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_when_all_of_a_project_fails_there_are_a_few_lines_and_a_sum(tmp_path: Path) -> None:
    config = config_file(tmp_path, f"http://127.0.0.1:{free_port()}", logstores=60)
    arguments = (f"--config.file={config}", "--web.listen-address=127.0.0.1:0")
    with daemon(*arguments, environ=KEYS) as exporter:
        wait_for(lambda: exporter.get("/-/ready").status_code == 200, timeout=30)
        assert exporter.stop() == 0
    wait_for(lambda: "left_out" in exporter.log)
    events = [parse_logfmt(line) for line in exporter.log.splitlines()]
    assert [event["code"] for event in events if event["msg"] == "poll fails"] == ["connection"] * 5
    (total,) = [event for event in events if "left_out" in event]
    assert without_head(total) == {
        "level": "warning",
        "msg": "more of the same: poll fails",
        "left_out": "55",
        "project": "shop",
        "code": "connection",
    }


@pytest.mark.parametrize("signature", ["v1", "v4"])
def test_at_debug_neither_a_key_s_secret_nor_a_signature_is_logged(
    tmp_path: Path, signature: str
) -> None:
    secret = "very-secret-indeed"
    with FaultySimulator(World(wall=time.time)) as simulator:
        config = config_file(tmp_path, simulator.endpoint, signature=signature)
        keys = {**KEYS, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": secret}
        arguments = (f"--config.file={config}", "--web.listen-address=127.0.0.1:0")
        with daemon(*arguments, "--log.level=debug", environ=keys) as exporter:
            wait_for(lambda: "SignatureNotMatch" in exporter.log)
            assert exporter.stop() == 0
    for trace in (secret, "Authorization", "LOG ", "SLS4-HMAC", "Signature="):
        assert trace not in exporter.log


def poll_failure(exporter: Daemon) -> dict[str, str]:
    wait_for(lambda: "poll fails" in exporter.log)
    assert exporter.stop() == 0
    events = [parse_logfmt(line) for line in exporter.log.splitlines()]
    (event,) = [event for event in events if event["msg"] == "poll fails"]
    return event


def test_an_error_of_sls_is_logged_with_its_request_id(tmp_path: Path) -> None:
    with FaultySimulator(World(wall=time.time)) as simulator:
        config = config_file(tmp_path, simulator.endpoint)
        arguments = (f"--config.file={config}", "--web.listen-address=127.0.0.1:0")
        with daemon(*arguments, environ=KEYS) as exporter:
            event = poll_failure(exporter)
    assert event["code"] == "ProjectNotExist"
    assert re.search(r" \(request id [0-9A-Za-z]+\)$", event["error"])


def test_a_response_of_sls_cannot_forge_a_line(tmp_path: Path) -> None:
    with FaultySimulator(World(wall=time.time)) as simulator:
        forged = "no\nts=2026-01-01T00:00:00.000Z level=info msg=forged \x1b[2J\u202e"
        simulator.faults.add(ErrorAnswer(status=403, code="ProjectForbidden", message=forged))
        config = config_file(tmp_path, simulator.endpoint)
        arguments = (f"--config.file={config}", "--web.listen-address=127.0.0.1:0")
        with daemon(*arguments, environ=KEYS) as exporter:
            event = poll_failure(exporter)
    assert event["error"] == (
        "GetCheckPoint: 403 ProjectForbidden: "
        "no\ufffdts=2026-01-01T00:00:00.000Z level=info msg=forged \ufffd[2J\ufffd"
    )
