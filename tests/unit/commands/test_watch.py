"""One group with its shards, the rates of a watch, and lists of names."""

import io
import json
import subprocess
from functools import partial

import pytest

from exporter.commands.flags import Output
from exporter.commands.once import discover, poll_all, poll_targets, show, show_names
from exporter.commands.watch import watch
from exporter.config.patterns import Pattern
from exporter.polling.scope import EVERYTHING, Scope
from exporter.simulator.demo_world import ORDERS, SHOP
from tests.support.commands import Demo, assembled, command, environment, on_terminal

STALLED = Scope(logstore=Pattern.parse(ORDERS), consumer_group=Pattern.parse("stalled"))
TABLE = """\
                                                  stalled
project / logstore / consumer group  shards           for  lag  age  consumers  read  written
─────────────────────────────────────────────────────────────────────────────────────────────
demo-shop / orders / stalled         1 stalled    40m 59s  41m  41m          4   3/s      4/s
  worst: shard 3, mailer-3           3 caught up

                                            stalled
shard  state      likely cause    owner         for  lag  unread  age  read  written
────────────────────────────────────────────────────────────────────────────────────
    3  stalled    owner is stuck  mailer-3  40m 59s  41m   2,460  41m   0/s      1/s
    0  caught up  -               mailer-0       0s   0s       0   0s   1/s      1/s
    1  caught up  -               mailer-1       0s   0s       0   0s   1/s      1/s
    2  caught up  -               mailer-2       0s   0s       0   0s   1/s      1/s

"""

NAMES = """\
demo-shop / clicks / steady
demo-shop / orders / slow
demo-shop / orders / stalled
demo-shop / orders / steady
"""


def shown(demo: Demo, output: Output = "table", *, seconds: float | None = None) -> str:
    """Return the output about the stalled group, after a watch if ``seconds`` are given."""
    printed = io.StringIO()
    with assembled(demo, scope=STALLED, is_single_round=True) as parts:
        poll_all(parts, errors=io.StringIO())
        watched = None
        if seconds is not None:
            watched = watch(
                parts,
                seconds,
                poll=partial(poll_targets, parts, lambda _: None),
                wait=demo.clock.advance,
                errors=io.StringIO(),
            )
        assert show(parts, output, stdout=printed, errors=printed, environ={}, watched=watched)
    return printed.getvalue()


def names(demo: Demo, scope: Scope, output: Output = "table") -> tuple[bool, str, str]:
    """Return whether names were found without failures, the printed names and the errors."""
    printed, errors = io.StringIO(), io.StringIO()
    with assembled(demo, scope=scope, is_single_round=True) as parts:
        discover(parts)
        good = show_names(parts, output, stdout=printed, errors=errors)
    return good, printed.getvalue(), errors.getvalue()


def test_single_group_shows_its_shards_with_causes_and_remedies(demo: Demo) -> None:
    lines = shown(demo).splitlines()
    (stalled,) = [line for line in lines if "owner is stuck" in line and "mailer-3" in line]
    assert stalled.split()[:6] == ["3", "stalled", "owner", "is", "stuck", "mailer-3"]
    (cause,) = [line for line in lines if line.startswith("likely cause: ")]
    assert cause.startswith(
        "likely cause: owner is stuck (shard 3). Save the evidence that the runbook lists, then"
        " restart this consumer. "
    )
    assert lines[-1] == "loses data in 6d 23h at this speed"


def test_watch_shows_rates_of_the_group_and_its_shards(demo: Demo) -> None:
    assert shown(demo, seconds=60.0).startswith(TABLE)


def test_json_after_a_watch_has_the_rates(demo: Demo) -> None:
    (group,) = json.loads(shown(demo, "json", seconds=60.0))["groups"]
    assert group["read_log_groups_per_second"] == 3.0
    assert group["written_log_groups_per_second"] == 4.0
    (alone,) = json.loads(shown(demo, "json"))["groups"]
    assert alone["read_log_groups_per_second"] is None


def test_watch_polls_about_every_ten_seconds(demo: Demo) -> None:
    shown(demo, seconds=35.0)
    polls = [each for each in demo.simulator.requests if each.operation == "GetCheckPoint"]
    assert len(polls) == 1 + 4


def test_stop_ends_the_watch(demo: Demo) -> None:
    waits: list[float] = []
    with assembled(demo, scope=STALLED, is_single_round=True) as parts:
        poll_all(parts, errors=io.StringIO())

        def wait(seconds: float) -> None:
            waits.append(seconds)
            parts.cancelled.set()

        watch(parts, 3600.0, poll=lambda: None, wait=wait, errors=io.StringIO())
    assert len(waits) == 1


def test_progress_of_a_watch_is_shown_on_a_terminal(demo: Demo) -> None:
    assert "watching" in on_terminal(demo, "--watch=1s", "--consumer-group=stalled")


def test_list_shows_names_without_polls(demo: Demo) -> None:
    scope = Scope(project=Pattern.parse(SHOP), consumer_group=Pattern.parse("s.*"))
    assert names(demo, scope) == (True, NAMES, "")
    asked = {each.operation for each in demo.simulator.requests}
    assert asked == {"ListLogStores", "ListConsumerGroup"}


def test_list_as_json_has_the_names(demo: Demo) -> None:
    good, text, errors = names(demo, STALLED, "json")
    (found,) = json.loads(text)
    assert (good, errors) == (True, "")
    assert found == {
        "sls_endpoint": demo.simulator.endpoint,
        "project": "demo-shop",
        "logstore": "orders",
        "consumer_group": "stalled",
    }


@pytest.mark.parametrize(("output", "printed"), [("table", ""), ("json", "[]\n")])
def test_list_without_a_match_is_an_error_and_not_a_name(
    output: Output, printed: str, demo: Demo
) -> None:
    assert names(demo, Scope(project=Pattern.parse("x")), output) == (
        False,
        printed,
        "no consumer groups found; names and patterns must match whole names\n",
    )


@pytest.mark.parametrize("output", ["table", "json"])
def test_list_reports_failed_listings_apart_from_the_names(output: Output, demo: Demo) -> None:
    demo.simulator.deny("ListLogStores")
    good, text, errors = names(demo, EVERYTHING, output)
    assert not good
    if output == "json":
        assert [group["consumer_group"] for group in json.loads(text)] == ["expired", "steady"]
    else:
        assert text == "demo-platform / audit / expired\ndemo-platform / audit / steady\n"
    assert errors.startswith("failed: demo-shop / listing of logstores: ListLogStores: 401")


def test_list_does_not_blame_the_names_if_listings_fail(demo: Demo) -> None:
    demo.simulator.deny("ListLogStores")
    good, text, errors = names(demo, Scope(project=Pattern.parse(SHOP)))
    assert (good, text) == (False, "")
    assert errors.startswith("failed: demo-shop / listing of logstores: ListLogStores: 401")


def test_patterns_of_the_command_line_select_groups(demo: Demo) -> None:
    done = subprocess.run(
        command(
            "once",
            f"--config.file={demo.config}",
            "--project=demo-.*",
            "--logstore=orders",
            "--consumer-group=sta.*",
            "--output=json",
        ),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=True,
    )
    assert [group["consumer_group"] for group in json.loads(done.stdout)["groups"]] == ["stalled"]
