"""The consumer libraries that the documents name, and the table of what each of them does."""

import inspect
import re
from collections.abc import Callable, Mapping
from types import ModuleType

import pytest

from exporter.model.progress import Cause, State
from tests.conformance import (
    test_consumer_libraries,
    test_go_consumer,
    test_java_consumer,
    test_python_consumer,
)
from tests.conformance.libraries import GO, JAVA, LIBRARIES, PYTHON, Library
from tests.support.docs import read

Test = Callable[..., None]

TRUTH = read("docs/truth.md")
COLUMNS = [
    "scene",
    *(f"{library.name} library" for library in LIBRARIES),
    "sls-exporter",
    "correct",
]
_BUSY = {State.CONSUMING, State.CAUGHT_UP}


def of_all(name: str) -> Mapping[Library, Test]:
    """Return a test that all libraries share, by library."""
    return dict.fromkeys(LIBRARIES, getattr(test_consumer_libraries, name))


POISON = of_all("test_poisoned_shard_is_stuck_until_its_batches_succeed")
TESTS: Mapping[str, Mapping[Library, Test]] = {
    "steady": of_all("test_steady_consumer_is_never_stalled"),
    "idle after data": of_all(
        "test_idle_consumer_saves_its_last_progress_late_and_stays_caught_up"
    ),
    "slower than the producers": of_all("test_slow_consumer_falls_behind_without_a_stall"),
    "killed": of_all("test_killed_consumer_leaves_a_silent_group"),
    "graceful stop": of_all("test_graceful_stop_saves_what_was_read"),
    "every batch of one shard fails": POISON,
    "the same, until batches succeed again": POISON,
    "graceful stop while every batch of one shard fails": of_all(
        "test_graceful_stop_saves_past_failed_batches_only_in_python"
    ),
    "every batch with data of one shard fails, and its data has pauses": {
        JAVA: test_java_consumer.test_poisoned_shard_with_pauses_in_its_data_does_not_look_stuck,
    },
    "one batch fails": of_all("test_failed_batch_leaves_no_trace"),
    "code that never saves": of_all("test_consumer_that_never_saves_leaves_its_shards_unconsumed"),
    "query that lets nothing through": {
        PYTHON: test_python_consumer.test_consumer_whose_query_lets_nothing_through_looks_dead,
        GO: test_go_consumer.test_consumer_whose_query_lets_nothing_through_is_not_stalled,
        JAVA: test_java_consumer.test_consumer_cannot_have_a_query,
    },
    "shards split and merged, in any order and in order": of_all(
        "test_split_and_merged_shards_are_finished_and_their_children_consumed"
    ),
    "second and third consumer, one then killed": of_all(
        "test_rebalance_among_three_consumers_is_not_a_stall"
    ),
    "data expires under a killed consumer": {
        PYTHON: (
            test_python_consumer.test_expired_data_under_a_stopped_consumer_is_reported_until_the_library_skips_it
        ),
        GO: test_go_consumer.test_expired_data_under_a_stopped_consumer_stops_its_successor,
        JAVA: (
            test_java_consumer.test_expired_data_under_a_stopped_consumer_is_skipped_to_the_start_position
        ),
    },
}
"""The tests of each row of the table."""
ELSEWHERE = {test_go_consumer.test_consumer_reads_log_groups_in_zstd}
"""Tests without a row."""


def rows() -> Mapping[str, Mapping[str, str]]:
    """Return the cells of the table by scene and column."""
    section = TRUTH.split("\n## Consumer libraries\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    head, *body = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert head == COLUMNS
    return {cells[0]: dict(zip(COLUMNS, cells, strict=True)) for cells in body}


def behavior(scene: str, library: Library) -> str:
    """Return what the table says about a library, also if it only names another one."""
    cells = rows()[scene]
    text = cells[f"{library.name} library"]
    for other in LIBRARIES:
        if text.startswith(f"like {other.name}"):
            return behavior(scene, other)
    return behavior(scene, PYTHON) if text == "the same" else text


def states(test: Test) -> set[str]:
    """Return the states and causes that a test names."""
    source = inspect.getsource(test)
    named = {State[name] for name in re.findall(r"\bState\.(\w+)", source)}
    named |= _BUSY if re.search(r"\bBUSY\b|\bwait_until_consumed\b", source) else set()
    return {*named, *causes(test)}


def causes(test: Test) -> set[str]:
    """Return the causes that a test names. A stall has one."""
    named = {Cause[name] for name in re.findall(r"\bCause\.(\w+)", inspect.getsource(test))}
    return {*named, State.STALLED} if named else set()


def in_module(module: ModuleType) -> set[Test]:
    return {each for name, each in vars(module).items() if name.startswith("test_")}


@pytest.mark.parametrize("library", LIBRARIES, ids=str)
def test_page_about_compatibility_names_each_library(library: Library) -> None:
    page = read("docs/compatibility.md")
    (row,) = [line for line in page.splitlines() if line.startswith("| Consumer libraries |")]
    assert f"`{library.package}` {library.version}" in row


@pytest.mark.parametrize("library", LIBRARIES, ids=str)
def test_results_name_each_library_with_the_version_that_was_run(library: Library) -> None:
    assert f"`{library.package}` {library.version}" in TRUTH


def test_each_scene_of_the_table_is_tested_with_the_libraries_that_were_run() -> None:
    assert list(rows()) == list(TESTS)
    for scene, tests in TESTS.items():
        was_run = {each for each in LIBRARIES if behavior(scene, each) != "was not run"}
        assert was_run == tests.keys(), scene


def test_each_test_of_a_library_is_a_scene_of_the_table() -> None:
    of_libraries = set().union(
        *map(
            in_module,
            (test_consumer_libraries, test_python_consumer, test_go_consumer, test_java_consumer),
        )
    )
    in_table = {test for tests in TESTS.values() for test in tests.values()}
    assert of_libraries - in_table == ELSEWHERE


@pytest.mark.parametrize("scene", TESTS)
def test_states_and_causes_of_a_scene_are_those_that_its_tests_expect(scene: str) -> None:
    named = set(re.findall(r"`(\w+)`", rows()[scene]["sls-exporter"]))
    assert named
    assert named <= {*State, *Cause}
    expected = {state for test in TESTS[scene].values() for state in states(test)}
    assert named <= expected
    # The second row about a test is about the time after its stall.
    if not scene.startswith("the same, "):
        assert {cause for test in TESTS[scene].values() for cause in causes(test)} <= named


@pytest.mark.parametrize("library", LIBRARIES, ids=str)
def test_table_says_which_library_drops_a_failed_batch(library: Library) -> None:
    assert behavior("one batch fails", library).startswith(
        "drops it" if library.drops_failed_batches else "repeats it"
    )
    assert behavior("every batch of one shard fails", library).startswith(
        "drops each batch" if library.drops_failed_batches else "repeats the batch"
    )


@pytest.mark.parametrize("library", LIBRARIES, ids=str)
def test_table_says_which_library_saves_at_the_stop(library: Library) -> None:
    assert ("or stops" in behavior("code that never saves", library)) is library.saves_at_the_stop
    stop = behavior("graceful stop while every batch of one shard fails", library)
    assert stop.startswith("saves past" if library.saves_at_the_stop else "saves only")
