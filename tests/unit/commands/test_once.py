"""One round over all targets: the output for people and for programs, and its failures."""

import io
import json
import signal
import subprocess
from collections.abc import Mapping

import pytest

from exporter.commands.flags import Output
from exporter.commands.once import poll_all, show
from exporter.simulator.demo_world import CLICKS, ORDERS, PLATFORM, SHOP
from tests.support.commands import Demo, assembled, command, environment, on_terminal
from tests.support.faults import ErrorAnswer, Hang
from tests.support.scrape import parsed
from tests.support.wait import wait_for

TABLE = """\
                                                   stalled
project / logstore / consumer group  shards            for      lag    age  consumers
─────────────────────────────────────────────────────────────────────────────────────
demo-platform / audit / expired      2 expired     23h 59m  23h 59m  1d 6h          2
  worst: shard 0, auditor-0
demo-shop / orders / stalled         1 stalled     39m 59s      40m    40m          4
  worst: shard 3, mailer-3           3 caught up
demo-shop / clicks / unconsumed      4 unconsumed        -        -      -          0
demo-shop / orders / slow            4 consuming        0s      36m     0s          4
demo-platform / audit / steady       2 caught up        0s       0s     0s          2
demo-shop / clicks / steady          3 caught up        0s       0s     0s          2
                                     1 finished
demo-shop / nightly-export / idle    2 caught up        0s       0s    12h          2
demo-shop / orders / rebalancing     4 caught up        0s       0s     0s          3
demo-shop / orders / steady          4 caught up        0s       0s     0s          4
"""


def once(
    demo: Demo,
    output: Output = "table",
    *,
    environ: Mapping[str, str] | None = None,
    errors: io.StringIO | None = None,
) -> tuple[bool, str]:
    """Return whether all polls succeeded, and the printed text. Errors go to ``errors``."""
    printed = io.StringIO()
    with assembled(demo, is_single_round=True) as parts:
        poll_all(parts, errors=io.StringIO())
        good = show(
            parts,
            output,
            stdout=printed,
            errors=errors or io.StringIO(),
            environ=environ or {},
        )
    return good, printed.getvalue()


def test_the_table_tells_every_condition_of_the_demonstration_apart(demo: Demo) -> None:
    assert once(demo) == (True, TABLE)


@pytest.mark.parametrize("columns", ["1", "40", "80", "100", "200"])
def test_table_contains_all_names_at_any_width(columns: str, demo: Demo) -> None:
    environ = environment({"COLUMNS": columns})
    done = subprocess.run(
        command("once", f"--config.file={demo.config}"),
        capture_output=True,
        text=True,
        env=environ,
        timeout=60,
        check=True,
    )
    assert "…" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= max(80, int(columns))
    words = done.stdout.split()
    for word in ("demo-shop", "nightly-export", "rebalancing", "mailer-3", "consumers", "12h"):
        assert word in words


def test_long_names_are_folded_not_cut(demo: Demo) -> None:
    name = "group-" + "x" * 120
    demo.simulator.world.create_group(SHOP, ORDERS, name)
    done = subprocess.run(
        command("once", f"--config.file={demo.config}"),
        capture_output=True,
        text=True,
        env=environment({"COLUMNS": "80"}),
        timeout=60,
        check=True,
    )
    assert done.stdout.count("x") == 120 + TABLE.count("x")


def test_json_is_the_document_of_the_api(demo: Demo) -> None:
    good, text = once(demo, "json")
    groups = {
        (group["logstore"], group["consumer_group"]): group for group in json.loads(text)["groups"]
    }
    assert good
    assert len(groups) == 9
    stalled = groups[ORDERS, "stalled"]
    assert (stalled["state"], stalled["worst_shard"]) == ("stalled", 3)


def test_prometheus_is_the_text_of_a_scrape(demo: Demo) -> None:
    good, text = once(demo, "prometheus")
    scrape = parsed(text)
    assert good
    assert scrape.value("sls_exporter_targets") == 4
    labels = {"logstore": ORDERS, "consumer_group": "stalled", "shard": "3"}
    assert scrape.value("sls_consumer_group_stalled_seconds", **labels) == 2399


def test_a_failed_group_shows_its_error_in_full_and_comes_first(demo: Demo) -> None:
    demo.simulator.faults.add(
        ErrorAnswer(status=400, code="ParameterInvalid", message="no such thing " * 10),
        operation="GetCheckPoint",
        logstore=ORDERS,
        consumer_group="steady",
    )
    good, text = once(demo)
    lines = text.splitlines()
    assert not good
    assert lines[3].startswith("demo-shop / orders / steady          failed  ")
    assert lines[-2].startswith(
        "failed: demo-shop / orders / steady: GetCheckPoint: 400 ParameterInvalid: no such thing "
    )
    assert len(lines[-2]) > 200
    assert lines[-1].startswith("Run 'sls-exporter doctor' to check ")
    assert sum("failed" in line for line in lines) == 2


def test_failed_listing_is_reported_as_a_failure(demo: Demo) -> None:
    demo.simulator.deny("ListLogStores")
    good, text = once(demo)
    assert not good
    lines = text.splitlines()
    assert lines[3].split("  ")[0] == "demo-shop / listing of logstores"
    assert lines[3].split()[5] == "failed"
    (failed,) = [line for line in lines if line.startswith("failed: ")]
    assert failed.startswith(
        "failed: demo-shop / listing of logstores: ListLogStores: 401 Unauthorized: denied by sts"
    )
    assert "demo-platform / audit / expired" in text


def test_failure_of_a_logstore_is_reported_next_to_that_of_a_listing(demo: Demo) -> None:
    demo.simulator.deny("ListLogStores")
    refusal = ErrorAnswer(status=400, code="ParameterInvalid")
    demo.simulator.faults.add(refusal, operation="ListShards", project=PLATFORM)
    good, text = once(demo)
    assert not good
    assert [line.partition(": ")[2][:20] for line in text.splitlines() if "failed: " in line] == [
        "demo-shop / listing ",
        "demo-platform / audi",
    ]


def test_refused_listing_of_projects_is_reported_once(demo: Demo) -> None:
    text = demo.config.read_text(encoding="utf-8")
    demo.config.write_text(text.replace("demo-shop", '"demo-s.*"'), encoding="utf-8")
    demo.simulator.deny("ListProject")
    good, text = once(demo)
    assert not good
    (failed,) = [line for line in text.splitlines() if line.startswith("failed: ")]
    assert " / listing of projects: ListProject: 401 Unauthorized" in failed


@pytest.mark.parametrize("output", ["table", "json", "prometheus"])
def test_empty_result_is_an_error_and_not_a_result(output: Output, demo: Demo) -> None:
    text = demo.config.read_text(encoding="utf-8").replace('".*"]', '"no-.*"]')
    demo.config.write_text(text.replace("[expired, steady]", '["no-.*"]'), encoding="utf-8")
    errors = io.StringIO()
    good, printed = once(demo, output, errors=errors)
    assert not good
    assert errors.getvalue() == (
        "no consumer groups found; names and patterns must match whole names\n"
    )
    assert "no consumer groups found" not in printed
    assert (printed == "") == (output == "table")


def test_names_are_not_interpreted_as_markup(demo: Demo) -> None:
    demo.simulator.world.create_group(SHOP, CLICKS, "plain[bold red]")
    assert "demo-shop / clicks / plain[bold red]" in once(demo)[1]


def on_terminal_with(demo: Demo, *, targets: int) -> str:
    """Run the command for a number of targets with stderr on a terminal."""
    for number in range(targets - 4):
        demo.simulator.world.create_logstore(SHOP, f"logstore-{number}", shards=1, ttl_days=1)
        demo.simulator.world.create_group(SHOP, f"logstore-{number}", "group")
    return on_terminal(demo)


def test_once_shows_all_that_it_polled_however_long_that_took(demo: Demo) -> None:
    printed = io.StringIO()
    with assembled(demo, is_single_round=True) as parts:
        poll_all(parts, errors=io.StringIO())
        demo.clock.advance(86_400.0)
        assert show(parts, "prometheus", stdout=printed, errors=printed, environ={})
    found = parsed(printed.getvalue())
    assert {sample.value for sample in found.find("sls_consumer_group_up")} == {1}
    assert len(found.find("sls_consumer_group_checkpoint_age_seconds")) == 26


def test_progress_of_many_targets_is_shown_on_a_terminal(demo: Demo) -> None:
    assert "polling logstores" in on_terminal_with(demo, targets=20)


def test_few_targets_show_no_progress_bar(demo: Demo) -> None:
    assert on_terminal_with(demo, targets=19) == ""


def test_interrupt_ends_the_command_immediately_while_the_api_hangs(demo: Demo) -> None:
    demo.simulator.faults.add(Hang(), operation="GetCheckPoint")
    with subprocess.Popen(
        command("once", f"--config.file={demo.config}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        wait_for(
            lambda: any(
                request.operation == "GetCheckPoint" for request in demo.simulator.requests
            ),
            what="a request that hangs",
        )
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 130
