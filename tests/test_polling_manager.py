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
from exporter.simulator.server import DEFAULT_CREDENTIALS
from tests.support.faults import DelayUntil
from tests.support.faulty_simulator import FaultySimulator
from tests.support.held_clock import HeldClock
from tests.support.scrape import scrape
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT, small_world
from tests.support.wait import wait_for

KEY = TargetKey(PROJECT, LOGSTORE)
UP = "sls_consumer_group_up"


@dataclass(frozen=True, slots=True)
class Stage:
    """An engine with one logstore, whose polls run on threads of the test."""

    held: HeldClock
    simulator: FaultySimulator
    engine: Parts
    threads: ThreadPoolExecutor

    def poll_soon(self) -> Future[None]:
        return self.threads.submit(self.engine.manager.poll, KEY)

    def asked(self, operation: str) -> int:
        return [each.operation for each in self.simulator.requests].count(operation)


def config_of(simulator: FaultySimulator, polling: str = "", groups: str = GROUP) -> Config:
    text = (
        f"credentials: {{access_key_id: {DEFAULT_CREDENTIALS.access_key_id},"
        f" access_key_secret: {DEFAULT_CREDENTIALS.access_key_secret}}}\n"
        f"polling: {{requests_per_second: 10000{polling}}}\n"
        f"projects: [{{project: {PROJECT}, endpoint: '{simulator.endpoint}', logstores:"
        f" [{{logstore: {LOGSTORE}, consumer_groups: [{groups}]}}]}}]\n"
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
def held_up(stage: Stage, operation: str) -> Iterator[Future[None]]:
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
        stage.engine.manager.poll(KEY)
        assert stage.asked("GetCheckPoint") == 1
        assert not poll.done()
        assert scrape(stage.engine).value("sls_exporter_polls_skipped_total") == 1
    poll.result(10)
    assert scrape(stage.engine).value(UP) == 1


def test_poll_runs_again_after_one_that_was_stopped(stage: Stage) -> None:
    with held_up(stage, "ListShards") as poll:
        stage.engine.configure(config_of(stage.simulator, groups=f"{GROUP}, other"))
    poll.result(10)
    stage.engine.manager.poll(KEY)
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
    stage.engine.manager.poll(KEY)
    assert scrape(stage.engine).value("sls_exporter_polls_total") == 1


def test_poll_of_other_settings_does_not_wait_for_an_older_one(stage: Stage) -> None:
    with held_up(stage, "ListShards") as poll:
        stage.engine.configure(config_of(stage.simulator, ", timeout: 7s"))
        stage.simulator.faults.clear()
        stage.engine.manager.poll(KEY)
        assert scrape(stage.engine).value("sls_exporter_polls_total") == 1
    poll.result(10)
    assert scrape(stage.engine).value("sls_exporter_polls_total") == 1


def test_values_show_while_the_first_poll_runs_and_the_target_stays_pending(stage: Stage) -> None:
    with held_up(stage, "ListShards") as poll:
        wait_for(lambda: scrape(stage.engine).find(UP), what="a group that was read")
        found = scrape(stage.engine)
        assert found.value(UP) == 1
        assert found.value("sls_exporter_targets") == 1
        assert stage.engine.store.view().pending == {KEY}
    poll.result(10)
    assert stage.engine.store.view().pending == frozenset()


def test_interval_usage_of_a_project_is_shown_after_a_poll(stage: Stage) -> None:
    name = "sls_exporter_poll_interval_usage_ratio"
    assert scrape(stage.engine).find(name) == []
    with held_up(stage, "GetCheckPoint") as poll:
        stage.held.advance(15.0)
    poll.result(10)
    assert scrape(stage.engine).value(name, project=PROJECT) == 15.0 / 60.0
