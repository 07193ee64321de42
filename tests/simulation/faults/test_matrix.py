"""The fault matrix: failures between exporter and service, and requests that hang, stay isolated.

A few faults are injected by default. SLS_EXPORTER_FAULTS=all injects all of them, which takes
about nine minutes.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.app.assembly import Parts, assemble
from exporter.base.clock import SYSTEM_CLOCK
from exporter.config.reader import parse
from exporter.polling.fanout import Unresponsive
from exporter.simulator.world import World
from exporter.sls.errors import (
    AccessDenied,
    Cancelled,
    NoCredentials,
    SlsError,
    TimedOut,
    Unreachable,
)
from exporter.sls.timeouts import AdaptiveTimeout
from tests.simulation.faults.catalogue import CASES, Case
from tests.simulation.faults.stage import PHASES, slug, staged
from tests.simulation.faults.table import DOCUMENT, names_and_codes
from tests.support import faults
from tests.support.descriptors import open_descriptors
from tests.support.faulty_simulator import FaultySimulator
from tests.support.keys import CREDENTIALS
from tests.support.running import running
from tests.support.scrape import Scrape, scrape
from tests.support.wait import wait_for
from tools.marks import between

REPRESENTATIVE = {
    "address drops packets",
    "length too small",
    "gzip bomb of 256 MB",
    "listing of logstores refused",
    "listing of groups fails",
}
PLAYED = [
    case
    for case in CASES
    if os.environ.get("SLS_EXPORTER_FAULTS") == "all" or case.name in REPRESENTATIVE
]
UP = "sls_consumer_group_up"
LAST_SUCCESS = "sls_consumer_group_last_success_timestamp_seconds"
ERRORS = "sls_exporter_poll_errors_total"
UNREAD = "sls_consumer_group_unread_log_groups"


# The matrix


@pytest.mark.parametrize("case", PLAYED, ids=slug)
def test_a_fault_does_not_affect_other_targets_in_any_phase_and_leaves_no_trace(
    tmp_path: Path, case: Case
) -> None:
    with staged(case, tmp_path) as play:
        for phase in PHASES.values():
            phase(play)


def test_the_table_in_the_document_names_every_fault_with_its_codes() -> None:
    assert names_and_codes(between(DOCUMENT.read_text(), "matrix")) == names_and_codes(
        "\n".join(f"| {case.name} | {', '.join(sorted(case.codes))} |" for case in CASES)
    ), "run python -m tools.generate docs/reliability.md"


# Projects that hang


def world_of(projects: dict[str, int], *, groups: int = 1, shards: int = 1) -> World:
    """Return a world of projects with so many logstores, every group 3 log groups behind."""
    world = World(wall=time.time)
    for project, logstores in projects.items():
        world.create_project(project)
        for number in range(logstores):
            name = f"log-{number}"
            world.create_logstore(project, name, shards=shards)
            for group in range(groups):
                world.create_group(project, name, f"group-{group:02}")
            for shard in range(shards):
                world.write(project, name, shard, 7)
                cursor = world.end_cursor(project, name, shard) - 3
                for group in range(groups):
                    world.update_checkpoint(
                        project, name, f"group-{group:02}", shard, cursor, consumer="host"
                    )
    return world


def config_of(world: World, endpoint: str, *, polling: str) -> str:
    text = f"{CREDENTIALS}polling: {{requests_per_second: 10000, {polling}}}\nprojects:\n"
    for row in world.projects():
        text += f"  - project: {row.name}\n    endpoint: {endpoint}\n    logstores:\n"
        for name in world.logstores(row.name):
            groups = ", ".join(group.name for group in world.groups(row.name, name))
            text += f"      - {{logstore: {name}, consumer_groups: [{groups}]}}\n"
    return text


def test_projects_that_hang_keep_no_other_project_waiting(tmp_path: Path) -> None:
    world = world_of({**{f"hole-{n}": 12 for n in range(6)}, "good": 3}, groups=3)
    with FaultySimulator(world) as simulator:
        config = tmp_path / "config.yaml"
        polling = "interval: 1s, timeout: 2s, workers: 2, stale_after: 1m"
        config.write_text(config_of(world, simulator.endpoint, polling=polling))
        for number in range(6):
            simulator.faults.add(faults.Hang(), project=f"hole-{number}")
        with running(config) as exporter:
            wait_for(lambda: len(exporter.scrape().find(UP, project="good")) == 9)
            oldest = 0.0
            until = time.monotonic() + 6
            while time.monotonic() < until:
                asked = time.time()
                found = exporter.scrape()
                assert {sample.value for sample in found.find(UP, project="good")} == {1}
                successes = [sample.value for sample in found.find(LAST_SUCCESS, project="good")]
                oldest = max(oldest, asked - min(successes))
            # An interval, and what a busy machine adds; each of the others takes 6 s for a poll.
            assert oldest < 6.0
            assert exporter.get("/-/healthy").status_code == 200
            wait_for(lambda: ups(exporter.scrape()) == {"good"}, what="the others to be down")
            simulator.faults.clear()
            wait_for(
                lambda: len(ups(exporter.scrape())) == 7 and len(exporter.scrape().find(UP)) == 225,
                timeout=15,
                what="all to be up",
            )
            found = exporter.scrape()
    assert {sample.labels["code"] for sample in found.find(ERRORS)} == {"timeout"}


def ups(found: Scrape) -> set[str]:
    """Return the projects of which every group is up."""
    down = {sample.labels["project"] for sample in found.find(UP) if sample.value == 0}
    return {sample.labels["project"] for sample in found.find(UP)} - down


@contextmanager
def engine_over(world: World, *, timeout: str = "1s") -> Iterator[tuple[Parts, FaultySimulator]]:
    with FaultySimulator(world) as simulator:
        polling = f"interval: 1m, timeout: {timeout}"
        text = config_of(world, simulator.endpoint, polling=polling)
        engine = assemble(
            parse(text, name="test", environ={}, base_dir=Path()),
            environ={},
            clock=SYSTEM_CLOCK,
            start_rate=10_000.0,
        )
        try:
            yield engine, simulator
        finally:
            engine.close()


def poll(engine: Parts) -> Scrape:
    for target in engine.manager.targets:
        engine.manager.poll(target.key)
    return scrape(engine)


def up_groups(found: Scrape) -> int:
    return sum(int(sample.value) for sample in found.find(UP))


@pytest.mark.parametrize("hanging", [1, 2])
def test_a_few_groups_that_hang_stop_no_other_group(hanging: int) -> None:
    with engine_over(world_of({"shop": 1}, groups=10)) as (engine, simulator):
        assert up_groups(poll(engine)) == 10
        for number in range(hanging):
            simulator.faults.add(faults.Hang(), consumer_group=f"group-{number:02}")
        for _ in range(2):
            found = poll(engine)
            assert up_groups(found) == 10 - hanging
            assert len(found.find(UNREAD)) == 10
        simulator.faults.clear()
        assert up_groups(poll(engine)) == 10


def test_many_groups_that_hang_cost_three_timeouts_per_poll_and_only_themselves() -> None:
    with engine_over(world_of({"shop": 1}, groups=20)) as (engine, simulator):
        for number in range(15):
            simulator.faults.add(faults.Hang(), consumer_group=f"group-{number:02}")
        assert up_groups(poll(engine)) == 5
        for _ in range(3):
            started = time.monotonic()
            found = poll(engine)
            assert up_groups(found) == 5
            assert time.monotonic() - started < 6.0  # each of them would take a second
        errors = scrape(engine).find(ERRORS)
        assert [sample.labels["code"] for sample in errors] == ["timeout"] * 15
        simulator.faults.clear()
        wait_for(lambda: up_groups(poll(engine)) == 20, timeout=60, what="all to be up")


def test_shards_that_hang_leave_the_other_shards_judged() -> None:
    with engine_over(world_of({"shop": 1}, shards=12)) as (engine, simulator):
        for shard in range(6):
            simulator.faults.add(faults.Hang(), operation="GetCursor", shard=shard)
        poll(engine)
        found = poll(engine)
        assert up_groups(found) == 1
        judged = {int(sample.labels["shard"]) for sample in found.find(UNREAD)}
        assert judged == {6, 7, 8, 9, 10, 11}


def test_listings_that_hang_cost_a_project_three_timeouts() -> None:
    world = world_of({"hole": 20, "good": 2})
    with FaultySimulator(world) as simulator:
        text = config_of(world, simulator.endpoint, polling="interval: 1m, timeout: 1s")
        text = text.replace("[group-00]", '[".*"]')
        config = parse(text, name="test", environ={}, base_dir=Path())
        engine = assemble(config, environ={}, clock=SYSTEM_CLOCK, start_rate=10_000.0)
        try:
            simulator.faults.add(faults.Hang(), project="hole")
            started = time.monotonic()
            engine.manager.discover()
            assert time.monotonic() - started < 6.0  # each of them would take a second
            assert {target.key.project for target in engine.manager.targets} == {"good"}
            simulator.faults.clear()
            engine.manager.discover()
            assert len(engine.manager.targets) == 22
        finally:
            engine.close()


def test_repeated_listings_leave_no_connection_behind() -> None:
    world = world_of({f"project-{number}": 1 for number in range(4)})
    with FaultySimulator(world) as simulator:
        text = config_of(world, simulator.endpoint, polling="interval: 1m")
        text = text.replace("[group-00]", '[".*"]')
        engine = assemble(
            parse(text, name="test", environ={}, base_dir=Path()),
            environ={},
            clock=SYSTEM_CLOCK,
            start_rate=10_000.0,
        )
        try:
            engine.manager.discover()
            before = open_descriptors()
            for _ in range(10):
                engine.manager.discover()
            wait_for(lambda: open_descriptors() <= before)
        finally:
            engine.close()


# The rules by themselves


def test_requests_that_got_no_response_come_last_and_the_oldest_of_them_first() -> None:
    asked = Unresponsive[str]()

    def hang() -> str:
        raise TimedOut("late", operation="GetCheckPoint")

    def round_of(*hanging: str) -> list[str]:
        order = asked.begin_round(["a", "b", "c", "d", "e"])
        for thing in order:
            try:
                asked.ask(thing, hang if thing in hanging else lambda: "fine")
            except TimedOut as error:
                if "skipped because" in error.message:
                    order = [*order[: order.index(thing)], "|", *order[order.index(thing) :]]
                    break
        return order

    assert round_of("a", "b", "c", "d") == ["a", "b", "c", "d", "e"], "nothing was known before"
    assert round_of("a", "b", "c", "d") == ["e", "a", "b", "c", "|", "d"]
    assert round_of("a", "b", "c", "d") == ["e", "d", "a", "b", "|", "c"]
    assert round_of() == ["e", "c", "d", "a", "b"]
    assert round_of() == ["a", "b", "c", "d", "e"]


def test_a_refusal_counts_as_a_response() -> None:
    asked = Unresponsive[int]()

    def refuse() -> str:
        raise AccessDenied("no", operation="GetCheckPoint", code="Unauthorized")

    for thing in asked.begin_round(range(10)):
        with pytest.raises(AccessDenied):
            asked.ask(thing, refuse)


def test_a_skipped_request_fails_like_the_earlier_one_without_a_response() -> None:
    asked = Unresponsive[int](trusting=False)

    def break_off() -> str:
        raise Unreachable("reset", operation="GetCursor")

    for thing in asked.begin_round(range(3)):
        with pytest.raises(Unreachable, match="reset"):
            asked.ask(thing, break_off)
    with pytest.raises(Unreachable, match="skipped because") as raised:
        asked.ask(3, lambda: "fine")
    assert (raised.value.code, raised.value.operation) == ("connection", "GetCursor")


class Project:
    """A project that hangs or responds, on a manual clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.patience = AdaptiveTimeout(10.0, monotonic=lambda: self.now)

    def hang(self, error: SlsError | None = None) -> float:
        """Let a request take all the time it gets; return that."""
        before = self.now

        def request() -> None:
            with self.patience.request() as seconds:
                self.now += seconds
                raise error or TimedOut("late", operation="GetCursor")

        with pytest.raises(SlsError):
            request()
        return self.now - before

    def answer(self) -> float:
        """Let a request get an immediate response. Return the time that it would have had."""
        with self.patience.request() as seconds:
            return seconds


def test_a_silent_project_gets_little_time_but_a_whole_timeout_now_and_then() -> None:
    project = Project()
    given = [project.hang() for _ in range(3 + 30 + 1 + 20)]
    assert given == [10.0] * 3 + [1.0] * 30 + [10.0] + [1.0] * 20


def test_any_response_restores_the_full_timeout() -> None:
    project = Project()
    for error in (None, AccessDenied("no", operation="GetCursor", code="Unauthorized")):
        for _ in range(5):
            project.hang()
        assert project.hang() == 1.0
        assert (project.hang(error) if error else project.answer()) == 1.0
        assert project.answer() == 10.0


@pytest.mark.parametrize(
    "error", [Cancelled(operation="GetCursor"), NoCredentials("none", operation="GetCursor")]
)
def test_a_request_that_was_not_sent_changes_no_timeout(error: SlsError) -> None:
    project = Project()
    for _ in range(2):
        project.hang()
    project.hang(error)
    assert project.hang() == 10.0
    assert project.hang() == 1.0
    project.hang(error)
    assert project.hang() == 1.0


def test_a_short_timeout_does_not_make_a_project_unresponsive_again() -> None:
    project = Project()
    for _ in range(3):
        project.hang()
    with project.patience.request() as given_before:
        assert given_before == 1.0
        project.answer()
        project.hang()
        project.hang()
    assert project.answer() == 10.0
