"""Every benchmark works in its short form. Its measurements are not evaluated here."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.cases import Case, Settings, config, parse_case
from benchmarks.daemon import Scrape
from benchmarks.moving import WRITE_INTERVALS, Account, Place, Shape
from benchmarks.observe import Watch, intervals, refused_share
from benchmarks.standin import Behavior, Service
from exporter.simulator.calls import identify
from exporter.simulator.cursors import decode_cursor, encode_cursor
from exporter.simulator.errors import ServiceError
from exporter.simulator.operations import perform
from exporter.simulator.wire import Request
from exporter.simulator.world import World
from tests.support.held_clock import HeldClock
from tools.paths import ROOT

# A line that only a benchmark that has run to its end prints.
SHOWS = {
    "busy": r"detection delay, s .*\n.*\nexact way: requests +23\n",
    "config_load": r"one logstore: 200 groups, .* ratio [\d.]+",
    "connections": r"ours +800 requests to 50 hosts by 8 threads: 400 connections, 1\.00 for",
    "growth": r'"shards": 100, ',
    "interference": r"poll +before median [\d.]+ ms, .* median delay -?[\d.]+ ms",
    "parts": r"a scrape of 2000 shards without HTTP: [\d.]+ ms\n  filling in ages +\d+%",
    "poll": r"vendor's SDK +[\d.]+ ms of CPU per group, .* with a scrape +[\d.]+ x the exporter",
    "records": r"named_tuple +class +[\d.]+ us, +[\d.]+ x struct; instance",
    "schedule": r"ours +\d+ runs, \d+ lost, mean period [\d.]+ of the interval",
    "scrape": r"prometheus_client +[\d.]+ ms .* time +[\d.]+ x  memory +[\d.]+ x",
    "start": r"demo +\d+ ms, [\d.]+ x bare, resident \d+ MB\n(.*\n)+  check +\d+ ms, [\d.]+ x",
    "status_page": r"JSON, all groups +[\d.]+ ms +[\d.]+ x a scrape",
    "tricks": r"the start: [\d.]+ ms\n  all tricks +1\.00 x",
}
PARTS = {
    "api",
    "busy_report",
    "busy_table",
    "cases",
    "daemon",
    "engines",
    "exact",
    "exposers",
    "growth_report",
    "made_up",
    "moving",
    "observe",
    "processes",
    "sdk",
    "standin",
}
CREATED = 1_800_000_000
HOUR = 3600


def run(name: str, *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *arguments],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", sorted(SHOWS))
def test_the_short_form_runs_to_its_end(name: str) -> None:
    assert re.search(SHOWS[name], run(name, "--quick"))


def test_no_benchmark_is_left_out() -> None:
    modules = {path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py")}
    assert modules == SHOWS.keys() | PARTS


def test_the_growth_report_writes_table_and_plot(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("before\n<!-- growth: begin -->\nold\n<!-- growth: end -->\nafter\n")
    (tmp_path / "images").mkdir()
    lines = "".join(
        f'{{"shards": {shards}, "scrape_seconds": {shards / 100}, "poll_cpu_seconds": {shards},'
        f' "resident_megabytes": 50}}\n'
        for shards in (10, 1000)
    )
    run("growth_report", "--docs", str(tmp_path), stdin=lines)
    assert document.read_text() == (
        "before\n"
        "<!-- growth: begin -->\n"
        "| shards | scrape time | CPU of all polls | memory |\n"
        "|---:|---:|---:|---:|\n"
        "| 10 | 1 | 1 | 1 |\n"
        "| 1000 | 100 | 100 | 1 |\n"
        "<!-- growth: end -->\n"
        "after\n"
    )
    plot = (tmp_path / "images" / "performance-growth.svg").read_text()
    assert plot.count("<polyline") == 3
    assert plot.endswith("</svg>\n")


def test_busy_report_writes_table_and_plot(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("before\n<!-- busy: begin -->\nold\n<!-- busy: end -->\nafter\n")
    (tmp_path / "images").mkdir()
    file = tmp_path / "busy.json"
    figures = {
        "case": {"shards": 64, "groups": 20},
        "settings": {},
        "http_after": 0.5,
        "first_age_after": 0.8,
        "ages_after": 1.2,
        "states_after": None,
        "states": 640,
        "requests": [100, 110],
        "operations": {"GetCursor": 64, "GetCheckPoint": 20, "ListShards": 1},
        "requests_per_second": 1.75,
        "refused_share": 0.0,
        "polls": 4,
        "polls_skipped": 0,
        "poll_seconds": 3.5,
        "cpu_seconds": 0.1,
        "core_share": 0.01,
        "peak_megabytes": 60,
        "standin_core_share": 0.02,
        "detected_after": 12.3,
        "false_stalls": 0,
        "exact": {
            "seconds": 20,
            "cpu_seconds": 5,
            "requests": 2000,
            "evaluated": 900,
            "wanted": 1280,
        },
    }
    file.write_text(json.dumps([figures]))
    run("busy_report", str(file), "--docs", str(tmp_path))
    text = document.read_text()
    assert text.startswith(
        "before\n<!-- busy: begin -->\n| shards x groups | 64x20 |\n|---|---:|\n"
    )
    assert text.endswith("\n<!-- busy: end -->\nafter\n")
    assert "| … to all ages | 1.2 |\n| … to all states | 640 of 1280 |\n" in text
    assert "| requests per logstore and interval, mean / p99 | 105 / 110 |\n" in text
    assert "| exact way: requests | 2000 of 2645 |\n" in text
    plot = (tmp_path / "images" / "performance-busy.svg").read_text()
    assert plot.count('height="14"') == 2
    assert plot.endswith("</svg>\n")


@pytest.mark.parametrize(
    ("text", "case"),
    [
        ("16x6", Case(shards=16, groups=6)),
        ("64x10@250ms", Case(shards=64, groups=10, latency=0.25)),
        ("64x10@5ms/20", Case(shards=64, groups=10, latency=0.005, quota=20.0)),
    ],
)
def test_busy_case_is_parsed_and_named_alike(text: str, case: Case) -> None:
    assert parse_case(text) == case
    assert case.name == text


def test_busy_configuration_has_only_defaults_by_default() -> None:
    found = config(Case(shards=1, groups=1), Settings(), "http://127.0.0.1:1")
    assert found.keys() == {"credentials", "projects"}


def test_busy_configuration_sets_only_values_other_than_the_defaults() -> None:
    settings = Settings(interval=0.5, stall_after=150.0)
    found = config(Case(shards=1, groups=1), settings, "http://127.0.0.1:1")
    assert (found["polling"], found["stall_after"]) == ({"interval": "500ms"}, "150000ms")


def test_busy_watch_separates_the_dead_consumer_from_live_ones() -> None:
    labels = 'consumer="c",consumer_group="group-0",logstore="logstore-0",project="project-0"'
    stalled, states = "sls_consumer_group_stalled_seconds", "sls_consumer_group_shards"
    text = (
        f"# HELP {stalled} x\n# TYPE {stalled} gauge\n"
        f'{stalled}{{{labels},shard="1"}} 301.5\n'
        f'{stalled}{{{labels},shard="11"}} 300.1\n'
        f'{stalled}{{{labels},shard="12"}} 300.0\n'
        f"# HELP {states} x\n# TYPE {states} gauge\n"
        f'{states}{{{labels},state="stalled"}} 2\n'
        f'{states}{{{labels},state="consuming"}} 1\n'
        f'{states}{{{labels},state="unknown"}} 1\n'
        "# HELP sls_exporter_polls_total x\n# TYPE sls_exporter_polls_total counter\n"
        "sls_exporter_polls_total 7\n"
    )
    scrape = Scrape(at=9.0, seconds=0.1, cpu_before=1.0, cpu_after=1.5, text=text.encode())
    dead = Place("project-0", "logstore-0", "group-0", 1)
    watch = Watch(Case(shards=4, groups=1), Settings(), dead)
    watch.add(scrape)
    watch.add(scrape)
    last = watch.samples[-1]
    assert (watch.has_detected, watch.is_complete) == (True, False)
    assert (last.dead_stalled, last.false_stalls, last.states) == (301.5, 1, 3)
    assert (last.polls, last.cpu_seconds, last.total_cpu_seconds) == (7, 0.5, 1.0)


def test_busy_intervals_begin_just_before_the_second_poll() -> None:
    poll = {"GetCheckPoint": 2, "GetCursor": 5}
    requests = [(at, poll) for at in (100.0, 140.0, 200.0, 260.0)] + [(250.0, {"GetLogStore": 1})]
    totals, means = intervals(Case(shards=5, groups=2), Settings(), sorted(requests), until=300.0)
    assert totals == (7, 8)
    assert means == {"GetCheckPoint": 2, "GetCursor": 5, "GetLogStore": 0.5}


def test_busy_share_of_refused_requests_omits_the_first_minute() -> None:
    requests = [(0.0, {"GetCursor": 9, "refused": 9}), (60.0, {"GetCursor": 4, "refused": 1})]
    assert refused_share(requests) == 0.25


def perform_on_world(world: World, path: str, query: Mapping[str, str]) -> object:
    request = Request(method="GET", path=path, query=query, headers={}, body=b"", received_at=0.0)
    try:
        return perform(world, identify(request, "project-0"), request)
    except ServiceError as error:
        return error.status, error.code


def respond(account: Account, path: str, query: Mapping[str, str], now: float) -> object:
    try:
        return json.loads(account.respond("project-0", path, query, now))
    except ServiceError as error:
        return error.status, error.code


def simulated(account: Account, now: float) -> World:
    """Return a world of one logstore with the data and the checkpoints of an account."""
    shape = account.shape
    held = HeldClock(shape.created)
    world = World(wall=held.wall)
    logstore = "project-0", "logstore-0"
    world.create_project("project-0")
    world.create_logstore(*logstore, shards=shape.shards, ttl_days=shape.ttl_days)
    for shard in range(shape.shards):
        world.set_producer(*logstore, shard, WRITE_INTERVALS[shard])
    groups = [f"group-{group}" for group in range(shape.groups)]
    for group in groups:
        world.create_group(*logstore, group)
    places = [Place(*logstore, group, shard) for group in groups for shard in range(shape.shards)]
    for at, position, place in sorted((*account.commit(place, now), place) for place in places):
        held.set(at)
        cursor = shape.created * 10**9 + place.shard + position
        world.update_checkpoint(*place, cursor, consumer=f"consumer-{place.shard}")
    held.set(now)
    return world


AGES = [90.0, HOUR + 0.25, 30 * HOUR + 0.8]


@pytest.mark.parametrize("age", AGES)
def test_moving_account_lists_what_the_simulator_lists(age: float) -> None:
    account = Account(Shape(shards=4, groups=2, created=CREATED, ttl_days=1))
    world = simulated(account, CREATED + age)
    below = "/logstores/logstore-0"
    for path in (
        *("/logstores", "/nothing", "/logstores/logstore-9", f"{below}/shards/x"),
        *(below, f"{below}/shards", f"{below}/consumergroups"),
        *(f"{below}/consumergroups/group-{group}" for group in (0, 1, 7)),
    ):
        expected = perform_on_world(world, path, {})
        assert respond(account, path, {}, CREATED + age) == expected, path


@pytest.mark.parametrize("shard", range(5))
@pytest.mark.parametrize("age", AGES)
def test_moving_account_finds_the_cursors_that_the_simulator_finds(age: float, shard: int) -> None:
    account = Account(Shape(shards=4, groups=2, created=CREATED, ttl_days=1))
    now = CREATED + age
    world = simulated(account, now)
    path = f"/logstores/logstore-0/shards/{shard}"
    # The boundaries: the first log group ever, the oldest that is retained, and the newest.
    boundaries = (CREATED, int(now) - 24 * HOUR, int(now))
    instants = [str(boundary + step) for boundary in boundaries for step in range(-3, 4)]
    cursors = [1]
    for position in ("begin", "end", *instants):
        query = {"type": "cursor", "from": position}
        found = respond(account, path, query, now)
        assert found == perform_on_world(world, path, query), position
        if isinstance(found, dict):
            cursors.append(decode_cursor(found["cursor"]) or 0)
    around = [encode_cursor(cursor + step) for cursor in cursors for step in (-1, 0, 1)]
    for text in (*around, "", "nonsense"):
        query = {"type": "cursor_time", "cursor": text}
        expected = perform_on_world(world, path, query)
        assert respond(account, path, query, now) == expected, text


def test_moving_account_rejects_an_invalid_position() -> None:
    account = Account(Shape(shards=1, groups=1, created=CREATED))
    path, query = "/logstores/logstore-0/shards/0", {"type": "cursor", "from": "-1"}
    assert respond(account, path, query, CREATED + 90.0) == (400, "ParameterInvalid")


def test_moving_account_moves_every_checkpoint_at_every_commit() -> None:
    account = Account(Shape(shards=4, groups=3, created=CREATED))
    for group in range(3):
        for shard in range(4):
            place = Place("project-0", "logstore-0", f"group-{group}", shard)
            found = [account.commit(place, CREATED + HOUR + 60 * step) for step in range(20)]
            positions = [commit.position for commit in found]
            assert positions == sorted(set(positions))
            for step, commit in enumerate(found):
                assert 0 <= CREATED + HOUR + 60 * step - commit.at < 60


def test_moving_account_stops_one_consumer_at_its_next_commit() -> None:
    account = Account(Shape(shards=8, groups=2, created=CREATED))
    now = CREATED + HOUR
    place, at = account.kill_one(now)
    assert now < at < now + 60
    last = account.commit(place, at)
    assert last.at == pytest.approx(at, abs=1e-6)
    assert account.commit(place, at + 1000) == last
    other = Place("project-0", "logstore-0", "group-1", place.shard)
    assert account.commit(other, at + 1000).at > at + 900


def test_standin_refuses_requests_over_the_quota_and_counts_them() -> None:
    held = HeldClock(CREATED + HOUR)
    account = Account(Shape(shards=1, groups=1, projects=2, created=CREATED))
    service = Service(account, Behavior(quota=2.0, latency=0.5), wall=held.wall)

    def status(project: str) -> int:
        head = f"GET /logstores/logstore-0/shards HTTP/1.1\r\nHost: {project}.127.0.0.1:80"
        response, delay = service.respond(head.encode())
        assert delay == 0.5
        return int(response.split(b" ")[1])

    assert [status("project-0") for _ in range(3)] == [200, 200, 403]
    assert status("project-1") == 200
    held.advance(0.5)
    assert [status("project-0") for _ in range(2)] == [200, 403]
    head, _, body = service.respond(b"GET /-/counters HTTP/1.1")[0].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert json.loads(body) == [
        [CREATED + HOUR, {"ListShards": 4, "refused": 1}],
        [CREATED + HOUR + 0.5, {"ListShards": 2, "refused": 1}],
    ]
