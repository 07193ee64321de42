"""Polls that a reload interrupts, and overlapping runs of a poll."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.app.assembly import Parts, assemble
from exporter.config.reader import parse
from exporter.config.schema import Config
from exporter.model.names import TargetKey
from tests.support.faults import DelayUntil, ErrorAnswer
from tests.support.faulty_simulator import FaultySimulator
from tests.support.held_clock import HeldClock
from tests.support.keys import CREDENTIALS
from tests.support.scrape import scrape
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT, small_world
from tests.support.wait import wait_for

UP = "sls_consumer_group_up"
REQUESTS = "sls_exporter_api_requests_total"
REQUEST_ERRORS = "sls_exporter_api_request_errors_total"


@dataclass(frozen=True, slots=True)
class Stage:
    """An engine with one logstore, whose polls run on threads of the test."""

    held: HeldClock
    simulator: FaultySimulator
    engine: Parts
    threads: ThreadPoolExecutor

    @property
    def key(self) -> TargetKey:
        return TargetKey(self.simulator.endpoint, PROJECT, LOGSTORE)

    def poll_soon(self) -> Future[bool]:
        return self.threads.submit(self.engine.manager.poll, self.key)

    def asked(self, operation: str) -> int:
        return [each.operation for each in self.simulator.requests].count(operation)


def config_of(
    simulator: FaultySimulator,
    polling: str = "",
    groups: str = GROUP,
    project: str = PROJECT,
    logstore: str = LOGSTORE,
) -> Config:
    text = (
        f"{CREDENTIALS}polling: {{requests_per_second: 10000{polling}}}\n"
        f"projects: [{{project: {project}, endpoint: '{simulator.endpoint}', logstores:"
        f" [{{logstore: {logstore}, consumer_groups: [{groups}]}}]}}]\n"
    )
    return parse(text, name="config.yaml", environ={}, base_dir=Path())


@pytest.fixture
def stage() -> Iterator[Stage]:
    held, world = small_world()
    with FaultySimulator(world) as simulator, ThreadPoolExecutor(4) as threads:
        config = config_of(simulator)
        engine = assemble(config, environ={}, clock=held.clock, start_rate=10_000.0)
        try:
            yield Stage(held, simulator, engine, threads)
        finally:
            engine.close()


@contextmanager
def held_up(stage: Stage, operation: str) -> Iterator[Future[bool]]:
    """Block a poll in a request until the block ends."""
    go_on = threading.Event()
    stage.simulator.faults.add(DelayUntil(event=go_on), operation=operation)
    before = stage.asked(operation)
    poll = stage.poll_soon()
    try:
        wait_for(lambda: stage.asked(operation) > before, what=f"a poll in {operation}")
        yield poll
    finally:
        stage.simulator.faults.clear()
        go_on.set()


def test_second_run_of_a_poll_is_skipped_and_counted(stage: Stage) -> None:
    with held_up(stage, "GetCheckPoint") as poll:
        stage.engine.manager.poll(stage.key)
        assert stage.asked("GetCheckPoint") == 1
        assert not poll.done()
        assert scrape(stage.engine).value("sls_exporter_polls_skipped_total") == 1
    poll.result(10)
    assert scrape(stage.engine).value(UP) == 1


def test_poll_runs_again_after_one_that_was_stopped(stage: Stage) -> None:
    with held_up(stage, "ListShards") as poll:
        stage.engine.configure(config_of(stage.simulator, groups=f"{GROUP}, other"))
    poll.result(10)
    stage.engine.manager.poll(stage.key)
    assert [each.value for each in scrape(stage.engine).find(UP)] == [1, 0]


@pytest.mark.parametrize(
    "change", [{"polling": ", timeout: 7s"}, {"polling": ", workers: 3"}, {"groups": "other"}]
)
def test_poll_of_a_changed_target_sends_no_more_requests(
    stage: Stage, change: dict[str, str]
) -> None:
    with held_up(stage, "ListShards") as poll:
        stage.engine.configure(config_of(stage.simulator, **change))
    poll.result(10)
    assert stage.asked("GetCursor") == 0
    assert scrape(stage.engine).value("sls_exporter_polls_total") == 0
    stage.engine.manager.poll(stage.key)
    assert scrape(stage.engine).value("sls_exporter_polls_total") == 1


def test_poll_of_other_settings_does_not_wait_for_an_older_one(stage: Stage) -> None:
    with held_up(stage, "ListShards") as poll:
        stage.engine.configure(config_of(stage.simulator, ", timeout: 7s"))
        stage.simulator.faults.clear()
        stage.engine.manager.poll(stage.key)
        assert scrape(stage.engine).value("sls_exporter_polls_total") == 1
    poll.result(10)
    assert scrape(stage.engine).value("sls_exporter_polls_total") == 1


def test_values_show_while_the_first_poll_runs_and_the_target_stays_pending(stage: Stage) -> None:
    with held_up(stage, "ListShards") as poll:
        wait_for(lambda: scrape(stage.engine).find(UP), what="a group that was read")
        found = scrape(stage.engine)
        assert found.value(UP) == 1
        assert found.value("sls_exporter_targets") == 1
        assert stage.engine.store.view().pending == {stage.key}
    poll.result(10)
    assert stage.engine.store.view().pending == frozenset()


def test_interval_usage_of_a_project_is_shown_after_a_poll(stage: Stage) -> None:
    name = "sls_exporter_poll_interval_usage_ratio"
    assert scrape(stage.engine).find(name) == []
    with held_up(stage, "GetCheckPoint") as poll:
        stage.held.advance(15.0)
    poll.result(10)
    assert scrape(stage.engine).value(name, project=PROJECT) == 15.0 / 60.0


def projects_in(stage: Stage, name: str) -> set[str]:
    return {labels["project"] for labels in scrape(stage.engine).labels(name)}


def test_requests_of_a_project_leave_with_it(stage: Stage) -> None:
    stage.simulator.faults.add(ErrorAnswer(status=401, code="Unauthorized"), operation="GetCursor")
    stage.engine.manager.poll(stage.key)
    assert projects_in(stage, REQUESTS) == projects_in(stage, REQUEST_ERRORS) == {PROJECT}
    stage.engine.configure(config_of(stage.simulator, project="bank"))
    found = scrape(stage.engine)
    assert found.find(REQUESTS) == found.find(REQUEST_ERRORS) == []


def test_request_that_ends_after_its_project_left_is_forgotten_with_its_poll(stage: Stage) -> None:
    with held_up(stage, "GetCheckPoint") as poll:
        stage.engine.configure(config_of(stage.simulator, project="bank"))
    poll.result(10)
    assert projects_in(stage, REQUESTS) == set()


@pytest.mark.parametrize(
    ("names", "operation", "counted"),
    [
        ({"project": "'sh.*'"}, "ListProject", {""}),
        ({"logstore": "'or.*'"}, "ListLogStores", {PROJECT}),
        ({"groups": "'bill.*'"}, "ListConsumerGroup", {PROJECT}),
    ],
)
def test_requests_of_a_listing_that_never_succeeds_stay_counted(
    stage: Stage, names: dict[str, str], operation: str, counted: set[str]
) -> None:
    refusal = ErrorAnswer(status=401, code="Unauthorized")
    stage.simulator.faults.add(refusal, operation=operation)
    stage.engine.configure(config_of(stage.simulator, **names))
    for rounds in (1, 2):
        stage.engine.manager.discover()
        stage.engine.configure(config_of(stage.simulator, **names))
        for name in (REQUESTS, REQUEST_ERRORS):
            assert scrape(stage.engine).value(name, operation=operation) == rounds
            assert projects_in(stage, name) == counted
