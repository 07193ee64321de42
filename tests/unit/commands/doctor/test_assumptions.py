"""The assumptions about the service, on a simulator that keeps or breaks each of them."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from exporter.commands.doctor.assumptions import ASSUMPTIONS
from exporter.commands.doctor.findings import Examined, exit_status
from exporter.commands.doctor.observations import UNKNOWN_NAME, UNKNOWN_SHARD
from exporter.model.shards import encode_cursor
from exporter.simulator.server import Simulator
from exporter.simulator.views import UpdateTimeUnit
from exporter.simulator.world import World
from tests.support.doctor import (
    ALIVE,
    DAY,
    EMPTY,
    EXPIRED,
    FULL,
    LOGSTORE,
    OLD,
    PROJECT,
    UNUSED,
    config_text,
    examined,
    findings,
    observable_world,
    session_of,
    with_result,
)
from tests.support.fault_plan import FaultPlan
from tests.support.faults import Changed, ErrorAnswer
from tests.support.faulty_simulator import FaultySimulator
from tests.support.held_clock import HeldClock

ALL = {assumption.name for assumption in ASSUMPTIONS}
LONG_AGO = 1_000_000_000


@dataclass(frozen=True)
class Scene:
    """A simulator of the observable world."""

    held: HeldClock
    world: World
    simulator: FaultySimulator

    @property
    def faults(self) -> FaultPlan:
        return self.simulator.faults

    def begin(self, shard: int = FULL) -> int:
        return self.world.begin_cursor(PROJECT, LOGSTORE, shard)

    def end(self, shard: int = FULL) -> int:
        return self.world.end_cursor(PROJECT, LOGSTORE, shard)

    def change_time(self, position: int, time: object, status: int = 200) -> None:
        """Let GetCursorTime return a time for a position in the shard with data."""
        fault = Changed(change=lambda _: {"cursor_time": time}, status=status)
        cursor = encode_cursor(position)
        self.faults.add(fault, operation="GetCursorTime", shard=FULL, cursor=cursor)

    def run(self, group: str | None = None) -> list[Examined]:
        text = config_text(self.simulator.endpoint)
        return examined(session_of(text, self.held.clock, group=group))


def scene_of(unit: UpdateTimeUnit = "us") -> Iterator[Scene]:
    held, world = observable_world(unit)
    with FaultySimulator(world) as simulator:
        yield Scene(held, world, simulator)


def busy_scene() -> Iterator[Scene]:
    """Yield a shard that loses and gets data between each cursor and the request with it."""
    held = HeldClock(float(int(time.time())) - 2 * DAY)
    world = World(wall=held.wall)
    world.create_project(PROJECT)
    world.create_logstore(PROJECT, LOGSTORE, shards=1, ttl_days=1)
    world.create_group(PROJECT, LOGSTORE, ALIVE)
    world.set_producer(PROJECT, LOGSTORE, 0, interval=1.0)
    held.advance(2 * DAY)

    def later(document: object) -> object:
        held.advance(1)
        return document

    with FaultySimulator(world) as simulator:
        simulator.faults.add(Changed(change=later), operation="GetCursor")
        yield Scene(held, world, simulator)


@pytest.fixture
def scene() -> Iterator[Scene]:
    yield from scene_of()


def refusal(code: str) -> Changed:
    """Return an error of GetCursorTime with the usual headers."""
    return Changed(change=lambda _: {"errorCode": code, "errorMessage": "no"}, status=400)


def test_all_assumptions_hold_on_the_simulator(scene: Scene) -> None:
    found = scene.run()
    assert with_result(found, "held") == ALL
    assert with_result(found, "failed") == set()
    assert exit_status(found) == 0


def test_the_other_documented_responses_hold_too(scene: Scene) -> None:
    scene.world.times_end = scene.world.times_empty_shards = True
    scene.world.delete_group(PROJECT, LOGSTORE, UNUSED)
    scene.world.create_group(PROJECT, LOGSTORE, UNUSED, empty_until_heartbeat=True)
    found = findings(found_all := scene.run())
    assert with_result(found_all, "held") == ALL
    assert found["unused-group"].seen == "an empty list"
    assert found["time-at-end"].seen == "about the current time"
    assert found["time-without-data"].seen == "the current time at END; the current time at END-1"


def test_nothing_is_seen_of_a_logstore_without_data_and_consumers(scene: Scene) -> None:
    scene.world.create_logstore(PROJECT, "quiet", shards=1)
    scene.world.create_group(PROJECT, "quiet", ALIVE)
    text = config_text(scene.simulator.endpoint).replace(LOGSTORE, "quiet")
    found = examined(session_of(text, scene.held.clock))
    assert with_result(found, "held") == {
        *("unused-group", "forms", "headers", "time-without-data", "shard-listing"),
        *("code-of-cursor", "code-of-group", "code-of-logstore", "code-of-shard"),
    }
    assert with_result(found, "not held") == set()
    assert exit_status(found) == 0


@pytest.mark.parametrize("times_end", [False, True])
def test_data_that_expires_and_arrives_during_the_requests_breaks_no_assumption(
    *, times_end: bool
) -> None:
    for scene in busy_scene():
        scene.world.times_end = times_end
        found = scene.run()
        assert with_result(found, "not held") == set()
        assert findings(found)["cursors"].result == "held"
        assert findings(found)["time-at-end"].seen == (
            "no examined shard has data whose END stays during the requests"
        )


@pytest.mark.parametrize(
    ("unit", "seen"),
    [
        ("s", "seconds, 10 digits"),
        ("ms", "milliseconds, 13 digits"),
        ("ns", "nanoseconds, 19 digits"),
    ],
)
def test_another_unit_of_update_times_is_reported(unit: UpdateTimeUnit, seen: str) -> None:
    for scene in scene_of(unit):
        found = scene.run()
        assert with_result(found, "not held") == {"update-time-unit"}
        assert findings(found)["update-time-unit"].seen == seen
        assert exit_status(found) == 3


def without_checkpoint(document: list[dict[str, Any]]) -> object:
    return [{"shard": entry["shard"], "consumer": ""} for entry in document]


def null_checkpoint(document: list[dict[str, Any]]) -> object:
    return [entry | {"checkpoint": None} for entry in document]


def with_owners(document: list[dict[str, Any]]) -> object:
    return [entry if entry["checkpoint"] else entry | {"consumer": "w"} for entry in document]


def with_shard(number: int) -> Callable[[list[dict[str, Any]]], object]:
    return lambda document: [*document, document[0] | {"shard": number}]


def without_newest(document: list[dict[str, Any]]) -> object:
    return document[:-1]


BROKEN_FORMS: dict[str, tuple[set[str], str, Changed, dict[str, Any]]] = {
    "no checkpoint": (
        {"unused-group"},
        "entries without a checkpoint",
        Changed(change=without_checkpoint),
        {"operation": "GetCheckPoint", "consumer_group": UNUSED},
    ),
    "null as checkpoint": (
        {"unused-group"},
        "null as checkpoint",
        Changed(change=null_checkpoint),
        {"operation": "GetCheckPoint", "consumer_group": UNUSED},
    ),
    "owners before checkpoints": (
        {"owner-without-checkpoint"},
        "shards without a checkpoint have an owner",
        Changed(change=with_owners),
        {"operation": "GetCheckPoint", "consumer_group": ALIVE},
    ),
    "an expired shard": (
        {"expired-shards"},
        "1 of 1 expired shards are listed",
        Changed(change=with_shard(EXPIRED)),
        {"operation": "GetCheckPoint", "consumer_group": ALIVE},
    ),
    "an old list of shards": (
        {"shard-listing"},
        "checkpoints have shards that are not listed yet",
        Changed(change=without_newest),
        {"operation": "ListShards"},
    ),
    "groups in an object": (
        {"forms"},
        "ListConsumerGroup is an object",
        Changed(change=lambda document: {"count": len(document), "consumerGroups": document}),
        {"operation": "ListConsumerGroup"},
    ),
    "an invalid entry": (
        {"forms"},
        "GetCheckPoint has entries that cannot be read",
        Changed(change=lambda document: [*document, {"shard": "first"}]),
        {"operation": "GetCheckPoint", "consumer_group": ALIVE},
    ),
    "no request ids": (
        {"headers"},
        "2 of {n} responses have no x-log-requestid",
        Changed(without=("x-log-requestid",)),
        {"operation": "ListShards"},
    ),
    "no times": (
        {"headers"},
        "2 of {n} responses have no x-log-time",
        Changed(without=("x-log-time",)),
        {"operation": "ListShards"},
    ),
    "a renamed field of codes": (
        set(),
        "404 ConsumerGroupNotExist, not in errorCode",
        Changed(
            change=lambda document: {
                "Error": {"Code": document["errorCode"], "Message": document["errorMessage"]}
            }
        ),
        {"operation": "GetCheckPoint", "consumer_group": UNKNOWN_NAME},
    ),
}


@pytest.mark.parametrize("name", BROKEN_FORMS)
def test_another_form_of_a_response_is_reported(name: str, scene: Scene) -> None:
    broken, seen, fault, scope = BROKEN_FORMS[name]
    scene.faults.add(fault, **scope)
    found = scene.run()
    assert with_result(found, "not held") == broken
    texts = {finding.seen for finding in findings(found).values()}
    pattern = seen.split("{n}")
    assert any(text.startswith(pattern[0]) and text.endswith(pattern[-1]) for text in texts), texts


def test_a_second_list_of_shards_that_is_older_is_reported(scene: Scene) -> None:
    fault = Changed(change=without_newest)
    scene.faults.add(Changed(), times=1, operation="ListShards")
    scene.faults.add(fault, operation="ListShards")
    found = findings(scene.run())["shard-listing"]
    assert (found.result, found.seen) == ("not held", "a second list is older than the first one")


def test_lists_of_shards_from_a_cache_are_reported() -> None:
    held, world = observable_world()
    with Simulator(world, cache_seconds=60) as simulator:
        text = config_text(simulator.endpoint)
        before = findings(examined(session_of(text, held.clock)))["shard-listing"]
        world.split_shard(PROJECT, LOGSTORE, EMPTY)
        after = findings(examined(session_of(text, held.clock)))["shard-listing"]
    assert (before.result, after.result) == ("held", "not held")
    assert after.seen == "checkpoints have shards that are not listed yet"


@pytest.mark.parametrize(
    ("step", "fault", "scope"),
    [
        (
            "code-of-group",
            ErrorAnswer(status=404, code="GroupNotFound"),
            {"operation": "GetCheckPoint", "logstore": LOGSTORE, "consumer_group": UNKNOWN_NAME},
        ),
        (
            "code-of-logstore",
            ErrorAnswer(status=400, code="LogStoreNotExist"),
            {"operation": "GetCheckPoint", "logstore": UNKNOWN_NAME},
        ),
        (
            "code-of-shard",
            ErrorAnswer(status=400, code="ParameterInvalid"),
            {"operation": "GetCursor", "shard": UNKNOWN_SHARD},
        ),
    ],
)
def test_another_code_for_an_unknown_name_is_reported(
    step: str, fault: ErrorAnswer, scope: dict[str, Any], scene: Scene
) -> None:
    scene.faults.add(fault, **scope)
    found = scene.run()
    assert with_result(found, "not held") == {step}
    assert findings(found)[step].seen == f"{fault.status} {fault.code}"


def test_old_spelling_of_a_code_is_shown_and_holds(scene: Scene) -> None:
    fault = ErrorAnswer(status=404, code="SLSConsumerGroupNotExist")
    scene.faults.add(
        fault, operation="GetCheckPoint", logstore=LOGSTORE, consumer_group=UNKNOWN_NAME
    )
    found = findings(scene.run())["code-of-group"]
    assert (found.result, found.seen) == ("held", "404 SLSConsumerGroupNotExist")


def test_a_logstore_that_does_not_exist_breaks_no_assumption(scene: Scene) -> None:
    text = config_text(scene.simulator.endpoint).replace(LOGSTORE, "misspelled")
    text = text.replace("'.*'", ALIVE)
    found = examined(session_of(text, scene.held.clock))
    assert with_result(found, "failed") == {"GetCheckPoint", "ListShards", "GetLogStore"}
    assert with_result(found, "not held") == set()
    assert findings(found)["unused-group"].seen == "no examined group is without a checkpoint"
    assert exit_status(found) == 1


def test_a_denied_question_about_an_unknown_name_shows_nothing(scene: Scene) -> None:
    fault = ErrorAnswer(status=401, code="Unauthorized", message="denied by sts or ram")
    scene.faults.add(fault, operation="GetCheckPoint", consumer_group=UNKNOWN_NAME)
    found = scene.run()
    assert with_result(found, "not seen") == {"code-of-group", "code-of-logstore"}
    assert with_result(found, "failed") == set()


def test_another_code_for_a_wrong_cursor_is_reported(scene: Scene) -> None:
    fault = refusal("CursorOutOfRange")
    for position in (scene.begin() - 1, scene.end()):
        cursor = encode_cursor(position)
        scene.faults.add(fault, operation="GetCursorTime", shard=FULL, cursor=cursor)
    found = scene.run()
    assert with_result(found, "not held") == {"code-of-cursor", "time-before-begin", "time-at-end"}
    assert findings(found)["code-of-cursor"].seen == "400 CursorOutOfRange"
    assert findings(found)["GetCursorTime"].result == "ok"


def test_positions_without_a_log_group_between_begin_and_end_are_reported(scene: Scene) -> None:
    fault = refusal("InvalidCursor")
    middle = encode_cursor(scene.begin() + (scene.end() - scene.begin()) // 2)
    scene.faults.add(fault, operation="GetCursorTime", shard=FULL, cursor=middle)
    found = scene.run()
    assert with_result(found, "not held") == {"cursors"}
    assert findings(found)["cursors"].seen == "a position between BEGIN and END has no log group"


def test_times_that_decrease_are_reported(scene: Scene) -> None:
    scene.change_time(scene.begin() + (scene.end() - scene.begin()) // 2, LONG_AGO)
    found = findings(scene.run())["cursors"]
    assert (found.result, found.seen) == ("not held", "times decrease from BEGIN to END")


def test_cursors_that_are_not_numbers_are_reported(scene: Scene) -> None:
    fault = Changed(change=lambda _: {"cursor": "shard-cursor"})
    scene.faults.add(fault, operation="GetCursor", shard=FULL, cursor="end")
    found = scene.run()
    assert with_result(found, "not held") == {"cursors"}
    assert findings(found)["cursors"].seen == "a cursor is not base64 of a number"


def test_an_end_before_begin_is_reported(scene: Scene) -> None:
    fault = Changed(change=lambda _: {"cursor": encode_cursor(scene.begin() - 5)})
    scene.faults.add(fault, operation="GetCursor", shard=FULL, cursor="end")
    found = findings(scene.run())
    assert found["cursors"].seen == "END is before BEGIN"
    assert found["end-after-checkpoint"].seen == "1 of 2 checkpoints are after END"


def test_a_checkpoint_after_end_is_reported(scene: Scene) -> None:
    scene.world.update_checkpoint(PROJECT, LOGSTORE, UNUSED, OLD, scene.end(OLD) + 9)
    found = scene.run()
    assert with_result(found, "not held") == {"end-after-checkpoint"}
    assert findings(found)["end-after-checkpoint"].seen == "1 of 3 checkpoints are after END"


@pytest.mark.parametrize(
    ("ahead", "seen"),
    [(3600, "a time in the future"), (-3600 * 50, "a time before that of BEGIN")],
)
def test_a_wrong_time_before_end_is_reported(ahead: int, seen: str, scene: Scene) -> None:
    scene.change_time(scene.end() - 1, int(scene.held.wall()) + ahead)
    found = findings(scene.run())["time-before-end"]
    assert (found.result, found.seen) == ("not held", seen)


def test_no_time_before_end_is_reported(scene: Scene) -> None:
    fault = refusal("InvalidCursor")
    cursor = encode_cursor(scene.end() - 1)
    scene.faults.add(fault, operation="GetCursorTime", shard=FULL, cursor=cursor)
    found = findings(scene.run())["time-before-end"]
    assert (found.result, found.seen) == ("not held", "400 InvalidCursor")


def test_an_old_time_at_end_is_reported(scene: Scene) -> None:
    scene.change_time(scene.end(), LONG_AGO)
    found = scene.run()
    assert with_result(found, "not held") == {"time-at-end"}
    assert findings(found)["time-at-end"].seen == "a time before that of END-1"


def test_a_time_before_begin_is_reported(scene: Scene) -> None:
    scene.change_time(scene.begin() - 1, LONG_AGO)
    found = scene.run()
    assert with_result(found, "not held") == {"time-before-begin"}
    assert findings(found)["time-before-begin"].seen == "success"


def test_an_old_time_of_an_empty_shard_is_reported(scene: Scene) -> None:
    fault = Changed(change=lambda _: {"cursor_time": LONG_AGO}, status=200)
    scene.faults.add(fault, operation="GetCursorTime", shard=EMPTY)
    found = scene.run()
    assert with_result(found, "not held") == {"time-without-data"}
    assert findings(found)["time-without-data"].seen == "another time at END; another time at END-1"


def test_a_time_as_text_is_reported(scene: Scene) -> None:
    scene.change_time(scene.end() - 1, str(int(scene.held.wall()) - 500))
    found = scene.run()
    assert with_result(found, "not held") == {"forms"}
    assert findings(found)["forms"].seen == "cursor_time is a string"


@pytest.mark.parametrize(
    ("position", "seen"),
    [
        (lambda scene: scene.end(), "a later log group"),
        (lambda scene: scene.begin() - 1, "a position before BEGIN"),
    ],
)
def test_a_wrong_cursor_of_a_time_is_reported(
    position: Callable[[Scene], int], seen: str, scene: Scene
) -> None:
    middle = scene.begin() + (scene.end() - scene.begin()) // 2
    time = int(scene.world.received(PROJECT, LOGSTORE, FULL, middle) or 0)
    cursor = encode_cursor(position(scene))
    fault = Changed(change=lambda _: {"cursor": cursor})
    scene.faults.add(fault, operation="GetCursor", shard=FULL, cursor=str(time))
    found = scene.run()
    assert with_result(found, "not held") == {"cursor-by-time"}
    assert findings(found)["cursor-by-time"].seen == seen


def test_each_broken_assumption_has_its_consequence_and_asks_for_the_report(scene: Scene) -> None:
    scene.change_time(scene.end(), LONG_AGO)
    found = findings(scene.run())["time-at-end"]
    assert found.remedy == (
        "None: the exporter does not use this time. Please send this report: docs/compatibility.md."
    )


def test_requests_of_a_logstore_are_limited(scene: Scene) -> None:
    for number in range(30):
        scene.world.create_group(PROJECT, LOGSTORE, f"group-{number}")
    for _ in range(20):
        newest = max(row.shard for row in scene.world.shards(PROJECT, LOGSTORE))
        scene.world.split_shard(PROJECT, LOGSTORE, newest)
    scene.run()
    assert len(scene.simulator.requests) <= 40
    writes = {"HeartBeat", "UpdateCheckPoint", "CreateConsumerGroup", "PullLogs"}
    assert not writes & {record.operation for record in scene.simulator.requests}


def test_selected_group_is_the_only_one_whose_checkpoints_are_read(scene: Scene) -> None:
    scene.run(group=ALIVE)
    groups = {record.consumer_group for record in scene.simulator.requests}
    assert groups - {None} == {ALIVE, UNKNOWN_NAME}
