"""Each log line is one event, regardless of its content and of errors of the stream."""

import io
import json
import logging
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.logs.handlers import BurstHandler, LineHandler
from exporter.logs.log_line import LineFormatter
from exporter.logs.options import FORMATS, LogFormat
from tests.support.log_lines import Log, line_handler, parse_logfmt

HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Zs"]),
        st.sampled_from('\n\r\t\0\x1b\x85\u2028\u202e"\\= '),
    )
)
VALUES = st.one_of(HOSTILE, st.none(), st.booleans(), st.integers(), st.floats(), st.binary())
# Characters that a terminal or a log reader could interpret as more than text.
LOADED = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def one_line(text: str) -> str:
    assert text.endswith("\n")
    lines = text.splitlines()
    assert len(lines) == 1, lines
    assert not LOADED.search(lines[0])
    return lines[0]


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except type(error) as caught:
        return caught


@pytest.mark.parametrize("log_format", FORMATS)
@given(message=HOSTILE, facts=st.dictionaries(HOSTILE, VALUES, max_size=4))
def test_an_event_with_any_content_is_one_line(
    log_format: LogFormat, message: str, facts: dict[str, Any]
) -> None:
    log = Log(log_format)
    facts = {key: value for key, value in facts.items() if key not in {"event", "exc_info"}}
    log.logger.warning(message, **facts)
    one_line(log.text)


@pytest.mark.parametrize("log_format", FORMATS)
@given(message=HOSTILE, argument=HOSTILE)
def test_a_line_of_a_library_is_one_line_too(
    log_format: LogFormat, message: str, argument: str
) -> None:
    log = Log(log_format)
    log.standard.warning("%s: " + message.replace("%", ""), argument)
    one_line(log.text)


@given(message=HOSTILE, value=HOSTILE)
def test_json_and_logfmt_contain_the_same_events(message: str, value: str) -> None:
    as_json, as_logfmt = Log("json"), Log("logfmt")
    for log in (as_json, as_logfmt):
        log.logger.info(message, value=value)
    fields = json.loads(one_line(as_json.text))
    parsed = parse_logfmt(one_line(as_logfmt.text))
    assert list(fields) == list(parsed) == ["ts", "level", "logger", "msg", "value"]
    assert {**fields, "ts": ""} == {**parsed, "ts": ""}


@given(facts=st.dictionaries(HOSTILE, VALUES, max_size=4))
def test_a_line_of_json_is_json_and_begins_with_the_same_keys(facts: dict[str, Any]) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    log = Log("json")
    facts = {key: value for key, value in facts.items() if key not in {"event", "exc_info"}}
    log.logger.error("event", **facts)
    fields = json.loads(log.text, parse_constant=refuse)
    assert list(fields)[:4] == ["ts", "level", "logger", "msg"]
    assert (fields["level"], fields["logger"], fields["msg"]) == ("error", "test", "event")


def test_each_format_writes_an_event_like_this() -> None:
    lines = {}
    for log_format in FORMATS:
        formatter = LineFormatter(log_format)
        record = logging.makeLogRecord(
            {
                "name": "exporter.polls",
                "levelname": "WARNING",
                "msg": "poll fails",
                "created": 1_700_000_000.1239,
                "facts": {"project": "shop", "error": 'say "no"', "good": False, "since": 1.5},
            }
        )
        lines[log_format] = formatter.format(record)
    assert lines == {
        "logfmt": "ts=2023-11-14T22:13:20.123Z level=warning logger=exporter.polls "
        'msg="poll fails" project=shop error="say \\"no\\"" good=false since=1.5',
        "json": '{"ts": "2023-11-14T22:13:20.123Z", "level": "warning", '
        '"logger": "exporter.polls", "msg": "poll fails", "project": "shop", '
        '"error": "say \\"no\\"", "good": false, "since": 1.5}',
        "console": "2023-11-14T22:13:20.123Z warning  poll fails                     "
        'exporter.polls project=shop error="say \\"no\\"" good=false since=1.5',
    }


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_a_traceback_is_one_value_on_one_line(log_format: LogFormat) -> None:
    log = Log(log_format)
    log.logger.error("internal error", exc_info=raised(ValueError("no\nts=forged level=info")))
    line = one_line(log.text)
    fields = json.loads(line) if log_format == "json" else parse_logfmt(line)
    trace = fields["exception"].split("\n")
    assert trace[0] == "Traceback (most recent call last):"
    assert trace[-2:] == ["ValueError: no", "ts=forged level=info"]


def test_at_the_console_a_traceback_has_lines_behind_a_margin() -> None:
    log = Log("console")
    log.logger.error("internal error", exc_info=raised(ValueError("no\nforged\r\x1b[2Jworse")))
    first, *rest = log.text.splitlines()
    assert first.endswith("error    internal error                 test")
    assert all(line.startswith("    | ") for line in rest)
    assert rest[-3:] == ["    | ValueError: no", "    | forged", "    | \ufffd[2Jworse"]


@pytest.mark.parametrize(("level", "color"), [("INFO", ""), ("WARNING", "33"), ("ERROR", "31")])
def test_terminal_shows_a_level_in_its_color(level: str, color: str) -> None:
    record = logging.makeLogRecord({"name": "test", "levelname": level, "msg": "\x1b[35mevent"})
    line = LineFormatter("console", colors=True).format(record)
    start = f"\x1b[{color}m" if color else " "
    assert f"{start}{level.lower():8}" in line
    assert "\x1b[35m" not in line
    assert line.count("\x1b[0m") == (4 if color else 3)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", line)
    assert plain == LineFormatter("console").format(record)


def test_a_long_traceback_keeps_its_end() -> None:
    log = Log()
    log.logger.error("internal error", exc_info=raised(ValueError("\n".join("x" * 90_000) + "z")))
    exception = log.events[0]["exception"]
    assert exception.startswith("…\n")
    assert exception.endswith("\nxz")
    assert 8_000 < len(exception) < 20_000


def test_message_and_values_are_cut_to_2000_characters() -> None:
    log = Log()
    log.logger.info("m" * 10_000, value="v" * 10_000)
    event = log.events[0]
    assert (len(event["msg"]), len(event["value"])) == (2000, 2000)


def test_a_line_that_cannot_be_formatted_is_reported_without_raising() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("a secret")

    log = Log()
    log.logger.info("event", value=Broken())
    log.standard.info("%d", "not a number")
    log.logger.info("next")
    assert log.events == [
        {"level": "info", "msg": "a log line could not be written", "error": "RuntimeError"},
        {"level": "info", "msg": "a log line could not be written", "error": "TypeError"},
        {"level": "info", "msg": "next"},
    ]


def test_names_of_facts_are_made_fit_for_every_format_and_cannot_replace_the_first_ones() -> None:
    log = Log("logfmt")
    log.logger.info("event", **{"a key=": 1, "ts": "never", "msg": "other"})
    fields = parse_logfmt(log.text.rstrip("\n"))
    assert list(fields) == ["ts", "level", "logger", "msg", "a_key_"]
    assert fields["msg"] == "event"


def test_lines_of_many_threads_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb", buffering=0) as stream:
        handler = line_handler(stream, "json")
        logger = logging.Logger("test")  # noqa: LOG001  outside of the process's logging
        logger.addHandler(handler)

        def write(name: str) -> None:
            for _ in range(50):
                logger.info("%s", name * 1000)

        threads = [threading.Thread(target=write, args=(str(number),)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    messages = [json.loads(line)["msg"] for line in path.read_text().splitlines()]
    assert sorted(messages) == sorted(str(number) * 1000 for number in range(8) for _ in range(50))


def test_reader_that_disconnected_causes_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        handler = LineHandler(stream)
        handler.handle(logging.makeLogRecord({"msg": "to no reader"}))
    assert capsys.readouterr() == ("", "")


def test_closed_stream_causes_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stream = (tmp_path / "log").open("w", encoding="utf-8")
    handler = LineHandler(stream)
    stream.close()
    handler.handle(logging.makeLogRecord({"msg": "to no reader"}))
    assert (tmp_path / "log").read_text() == ""
    assert capsys.readouterr() == ("", "")


def test_full_disk_causes_no_error_and_leaves_no_buffered_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as stream:
        handler = LineHandler(stream)
        handler.handle(logging.makeLogRecord({"msg": "to no reader"}))
        stream.flush()  # raises OSError if a rest is buffered
    assert capsys.readouterr() == ("", "")


class FullNow(io.RawIOBase):
    """A disk that has some free space, becomes full, and has free space again."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401  any buffer
        if not self.room:
            raise OSError(28, "No space left on device")
        taken = bytes(data)[: self.room]
        self.room -= len(taken)
        self.content += taken
        return len(taken)


def test_a_line_that_was_cut_by_a_full_disk_does_not_corrupt_the_next_one() -> None:
    disk = FullNow(room=4)
    handler = LineHandler(io.TextIOWrapper(disk, encoding="utf-8"))  # type: ignore[type-var]  # a raw stream will do
    for message in ("first line", "second line"):
        handler.handle(logging.makeLogRecord({"msg": message}))
    disk.room = 1000
    handler.handle(logging.makeLogRecord({"msg": "third line"}))
    assert disk.content == b"firs\nthird line\n"


def test_output_that_would_block_is_dropped_and_the_next_line_starts_cleanly() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with os.fdopen(reader, "rb") as received, os.fdopen(writer, "w", encoding="utf-8") as stream:
        handler = LineHandler(stream)
        handler.handle(logging.makeLogRecord({"msg": "x" * 10_000_000}))
        taken = os.read(received.fileno(), 10_000_000)
        assert set(taken) == {ord("x")}
        handler.handle(logging.makeLogRecord({"msg": "next"}))
        assert os.read(received.fileno(), 100) == b"\nnext\n"


def test_characters_that_the_stream_cannot_encode_are_escaped() -> None:
    written = io.BytesIO()
    handler = LineHandler(io.TextIOWrapper(written, encoding="ascii"))
    handler.handle(logging.makeLogRecord({"msg": "caf\xe9"}))
    assert written.getvalue() == b"caf\\xe9\n"


class Later:
    """A timer that keeps delayed calls until the test runs them."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, Any]] = []

    def __call__(self, seconds: float, call: Any) -> None:  # noqa: ANN401  any function
        self.calls.append((seconds, call))

    def come(self) -> None:
        calls, self.calls = self.calls, []
        for _, call in calls:
            call()


class Bursts(Log):
    """A logger whose bursts are summed up."""

    def __init__(self, later: Any) -> None:  # noqa: ANN401  any function
        super().__init__()
        self.bursts = BurstHandler(self.handler, most=2, period=60.0, later=later)
        self.standard.handlers[:] = [self.bursts]


def test_a_burst_writes_its_first_lines_and_the_number_of_the_others() -> None:
    later = Later()
    log = Bursts(later)
    for number in range(1000):
        log.logger.warning("poll fails", project="shop", logstore=f"l-{number}", code="timeout")
    assert [event["logstore"] for event in log.events] == ["l-0", "l-1"]
    assert [seconds for seconds, _ in later.calls] == [60.0]
    later.come()
    assert log.events[2:] == [
        {
            "level": "warning",
            "msg": "more of the same: poll fails",
            "left_out": 998,
            "project": "shop",
            "code": "timeout",
        }
    ]
    log.logger.warning("poll fails", project="shop", logstore="l-1", code="timeout")
    assert log.events[3]["logstore"] == "l-1", "a new period has begun"


def test_lines_that_differ_in_message_project_or_code_are_not_a_burst() -> None:
    later = Later()
    log = Bursts(later)
    for project in ("a", "b", "c"):
        for code in ("timeout", "connection"):
            log.logger.warning("poll fails", project=project, code=code)
            log.logger.info("poll recovered", project=project, code=code)
    later.come()
    assert len(log.events) == 12


def test_a_burst_of_a_library_is_summed_up_as_well() -> None:
    later = Later()
    log = Bursts(later)
    for number in range(10):
        log.standard.error("job %s failed", number)
    later.come()
    assert [event["msg"] for event in log.events] == [
        "job 0 failed",
        "job 1 failed",
        "more of the same: job %s failed",
    ]
    assert log.events[2]["left_out"] == 8


def test_the_number_of_omitted_lines_is_logged_at_the_end_of_the_process() -> None:
    log = Bursts(Later())
    for _ in range(5):
        log.logger.warning("poll fails")
    log.bursts.close()
    assert log.events[-1]["left_out"] == 3


def test_endless_kinds_of_lines_are_taken_together() -> None:
    later = Later()
    log = Bursts(later)
    for number in range(1500):
        log.standard.warning("message " + str(number))
    assert len(log.events) == 1002
    later.come()
    assert log.events[-1] == {
        "level": "warning",
        "msg": "more of the same: other lines",
        "left_out": 498,
    }


def test_no_lines_are_omitted_if_no_thread_can_report_them_later() -> None:
    def fail(_seconds: float, _call: object) -> None:
        raise RuntimeError("can't start new thread")

    log = Bursts(fail)
    for _ in range(10):
        log.logger.warning("poll fails")
    assert len(log.events) == 10


def test_burst_is_summed_up_at_the_end_of_its_period() -> None:
    log = Log()
    bursts = BurstHandler(log.handler, most=1, period=0.05)
    log.standard.handlers[:] = [bursts]
    for _ in range(3):
        log.logger.warning("poll fails")
    deadline = time.monotonic() + 10
    while len(log.events) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert log.events[1]["left_out"] == 2
