"""Polls with a filter by owners: a sidecar shows its own shards, and every shard that needs help.

The shards of other consumers are read rarely, and their states never depend on when that was.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from msgspec.structs import replace

from exporter.evaluation.shard import state
from exporter.model.progress import State
from exporter.polling.fanout import FanOut
from exporter.polling.poller import Effort
from exporter.polling.targets import GroupTarget
from tests.support.fault_plan import PlannedFault
from tests.support.faults import ErrorAnswer
from tests.support.polling import Bench, bench, owners
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
BY = (*STORE, GROUP)
MINE = "pod-new"
OTHER = "pod-old"
OWN = 0
"""The shard of the consumer next to the exporter."""
EVERY = 5
INTERVAL = 60.0
BROKEN = ErrorAnswer(status=500, code="InternalServerError")


@contextmanager
def sidecar(shards: int = 4, *, effort: Effort | None = None, lag: bool = True) -> Iterator[Bench]:
    """Set up a sidecar of the consumer of the first shard; another one has the others."""
    group = GroupTarget(name=GROUP, consumers=owners(MINE))
    with bench(
        shards=shards, groups=(group,), effort=effort or Effort(exact=0), lag=lag, ttl_days=1
    ) as made:
        for shard in range(shards):
            made.world.set_producer(*STORE, shard, 1.0)
        made.world.start_consumer(*BY, MINE, shards=[OWN])
        made.world.start_consumer(*BY, OTHER, shards=range(1, shards))
        made.held.advance(300.0)
        yield made


def states(made: Bench) -> Counter[State]:
    """Return the number of shards per state at the newest poll, as the metric of the group does."""
    snapshot = made.group().snapshot
    assert snapshot is not None
    return Counter(
        state(each, snapshot.polled.server, stall_after=300.0) for each in snapshot.shards
    )


def break_end(made: Bench, shard: int, *, times: int | None = None) -> PlannedFault:
    """Let the end of a shard be unreadable."""
    return made.simulator.faults.add(
        BROKEN, times=times, operation="GetCursor", cursor="end", shard=shard
    )


def ends_read(made: Bench) -> list[int]:
    """Return the shards whose ends were requested since the previous call."""
    records = made.simulator.requests
    found = [record.shard for record in records if record.cursor == "end"]
    made.simulator.forget_requests()
    return [shard for shard in found if shard is not None]


# Shards of other consumers that need help


def test_shard_of_replaced_pod_is_shown_from_the_first_poll_on_and_never_vanishes() -> None:
    with sidecar() as made:
        made.world.freeze_shard(*BY, OTHER, 1)
        made.held.advance(600.0)
        for _ in range(3 * EVERY):
            made.poll(after=INTERVAL)
            assert made.shown() == {OWN, 1}
            assert made.state(1) is State.STALLED
            stalled = made.stalled(1)
            assert stalled is not None
            assert stalled > 540.0


def test_filtered_poll_shows_a_stall_as_long_as_an_unfiltered_one_does() -> None:
    with sidecar(2) as made, sidecar(2) as reference:
        reference.poller.target = replace(
            reference.poller.target, groups=(GroupTarget(name=GROUP),)
        )
        for each in (made, reference):
            each.world.freeze_shard(*BY, OTHER, 1)
        for _ in range(4 * EVERY):
            made.poll(after=INTERVAL)
            reference.poll(after=INTERVAL)
        mine, theirs = made.stalled(1), reference.stalled(1)
        assert mine is not None
        assert theirs is not None
        assert mine == pytest.approx(theirs, abs=5.0)


def test_new_stall_of_another_consumer_is_shown_within_five_polls_of_its_threshold() -> None:
    with sidecar() as made:
        made.poll()
        assert made.shown() == {OWN}
        made.world.crash_consumer(*BY, OTHER)
        made.held.advance(300.0)
        for _ in range(EVERY):
            made.poll(after=INTERVAL)
        assert made.shown() == {0, 1, 2, 3}
        assert states(made)[State.STALLED] == 3


def test_shard_of_another_consumer_is_hidden_as_soon_as_its_checkpoint_moves() -> None:
    with sidecar() as made:
        made.world.freeze_shard(*BY, OTHER, 1)
        made.held.advance(600.0)
        made.poll()
        assert made.shown() == {OWN, 1}
        made.world.thaw_shard(*BY, OTHER, 1)
        made.held.advance(60.0)
        made.poll()
        assert made.shown() == {OWN}


def test_unconsumed_shard_with_data_is_shown_and_one_without_is_hidden() -> None:
    with bench(shards=3, groups=(GroupTarget(name=GROUP, consumers=owners(MINE)),)) as made:
        made.world.start_consumer(*BY, MINE, shards=[OWN])
        made.world.write(*STORE, OWN)
        made.world.write(*STORE, 1)
        for _ in range(2 * EVERY):
            made.poll(after=INTERVAL)
            assert made.shown() == {OWN, 1}
            assert states(made) == {State.CAUGHT_UP: 1, State.UNCONSUMED: 2}


def test_expired_shard_of_another_consumer_is_shown() -> None:
    with sidecar() as made:
        made.world.freeze_shard(*BY, OTHER, 1)
        made.held.advance(2 * 86_400.0)
        for _ in range(2 * EVERY):
            made.poll(after=INTERVAL)
            assert made.shown() == {OWN, 1}
            assert made.state(1) is State.EXPIRED


def test_shard_of_another_consumer_is_shown_as_unknown_while_its_end_cannot_be_read() -> None:
    with sidecar() as made:
        planned = break_end(made, 1)
        for _ in range(EVERY):
            made.poll(after=INTERVAL)
        for _ in range(2 * EVERY):
            made.poll(after=INTERVAL)
            assert made.shown() == {OWN, 1}
            assert made.state(1) is State.UNKNOWN
        made.simulator.faults.remove(planned)
        for _ in range(EVERY):
            made.poll(after=INTERVAL)
        assert made.shown() == {OWN}


def test_one_failed_reading_changes_no_state_of_a_shard_of_another_consumer() -> None:
    with sidecar() as made:
        made.world.freeze_shard(*BY, OTHER, 1)
        made.held.advance(600.0)
        for _ in range(2 * EVERY):
            made.poll(after=INTERVAL)
        for shard in (1, 2):
            break_end(made, shard, times=1)
        for _ in range(3 * EVERY):
            made.poll(after=INTERVAL)
            assert made.shown() == {OWN, 1}
            assert State.UNKNOWN not in states(made)


def test_ends_that_stay_unreadable_make_known_shards_unknown_in_the_end() -> None:
    with sidecar() as made:
        for _ in range(EVERY):
            made.poll(after=INTERVAL)
        for shard in range(4):
            break_end(made, shard)
        for _ in range(4 * EVERY):
            made.poll(after=INTERVAL)
        for _ in range(EVERY):
            made.poll(after=INTERVAL)
            assert states(made) == {State.UNKNOWN: 4}
            assert made.shown() == {0, 1, 2, 3}


@pytest.mark.parametrize("is_denied", [True, False], ids=["denied", "lag: false"])
def test_without_cursors_every_shard_is_unknown_and_shown(*, is_denied: bool) -> None:
    with sidecar(lag=is_denied) as made:
        made.simulator.faults.add(
            ErrorAnswer(status=403, code="Unauthorized"), operation="GetCursor"
        )
        for _ in range(2):
            made.poll(after=INTERVAL)
            assert made.shown() == {0, 1, 2, 3}
            assert states(made) == {State.UNKNOWN: 4}


# Shards of other consumers that are in order


def test_values_of_the_group_cover_all_shards_and_consumers() -> None:
    with sidecar() as made:
        for _ in range(2 * EVERY):
            made.poll(after=INTERVAL)
            assert made.shown() == {OWN}
            snapshot = made.group().snapshot
            assert snapshot is not None
            assert snapshot.consumers == {MINE, OTHER}
            assert sum(states(made).values()) == 4
            assert not states(made).keys() & {State.STALLED, State.UNKNOWN}


def test_first_publication_of_a_new_sidecar_shows_no_shard_of_another_consumer() -> None:
    with sidecar() as made:
        made.poll()
        first = made.published[0].snapshot
        assert first is not None
        assert {shard.shard for shard in first.shown} == {OWN}


@pytest.mark.parametrize("gap", [60.0, 300.0, 1200.0])
def test_moving_shards_of_other_consumers_are_never_stalled_however_rare_polls_are(
    gap: float,
) -> None:
    with sidecar() as made:
        for number in range(3 * EVERY):
            if number == EVERY:
                made.world.set_producer(*STORE, 2, None)
            made.poll(after=gap)
            assert made.shown() == {OWN}


def test_shard_that_moves_to_the_own_consumer_is_shown_at_the_next_poll() -> None:
    with sidecar() as made:
        made.poll(after=INTERVAL)
        made.world.assign(*BY, {MINE: [1], OTHER: [OWN]})
        made.poll(after=INTERVAL)
        assert made.shown() == {1}


def test_excluded_consumer_is_hidden_until_its_shard_stalls() -> None:
    group = GroupTarget(name=GROUP, exclude_consumers=owners("canary-.*"))
    with bench(shards=2, groups=(group,)) as made:
        for shard, name in enumerate((MINE, "canary-1")):
            made.world.set_producer(*STORE, shard, 1.0)
            made.world.start_consumer(*BY, name, shards=[shard])
        made.poll(after=INTERVAL)
        assert made.shown() == {0}
        made.world.crash_consumer(*BY, "canary-1")
        made.held.advance(300.0)
        for _ in range(EVERY):
            made.poll(after=INTERVAL)
        assert made.shown() == {0, 1}


# Requests


def crash(made: Bench) -> None:
    made.world.crash_consumer(*BY, OTHER)


def pause(made: Bench) -> None:
    for shard in range(8):
        made.world.set_producer(*STORE, shard, None)


def break_ends(made: Bench) -> None:
    break_end(made, 3)


@pytest.mark.parametrize("change", [crash, pause, break_ends, lambda _: None])
def test_ends_of_other_consumers_are_read_at_most_every_fifth_poll(
    change: Callable[[Bench], None],
) -> None:
    with sidecar(8) as made:
        change(made)
        made.held.advance(600.0)
        polls: dict[int, list[int]] = {shard: [] for shard in range(8)}
        for number in range(8 * EVERY):
            made.poll(after=INTERVAL)
            for shard in set(ends_read(made)):
                polls[shard].append(number)
        assert polls[OWN] == list(range(8 * EVERY))
        for shard in range(1, 8):
            read = polls[shard]
            gaps = {later - former for former, later in pairwise(read)}
            assert min(gaps) >= EVERY
            assert read[-1] >= 7 * EVERY


def test_polls_read_about_the_same_number_of_shards_of_other_consumers() -> None:
    with sidecar(21) as made:
        for _ in range(2 * EVERY):
            made.poll(after=INTERVAL)
        made.simulator.forget_requests()
        for _ in range(2 * EVERY):
            made.poll(after=INTERVAL)
            assert len(ends_read(made)) == 1 + 20 / EVERY


def test_first_poll_reads_only_others_that_may_be_stalled_and_those_whose_turn_it_is() -> None:
    with sidecar(21) as made:
        made.world.freeze_shard(*BY, OTHER, 7)
        made.held.advance(600.0)
        made.poll()
        read = set(ends_read(made))
        assert {OWN, 7} <= read
        assert len(read) <= 2 + 20 / EVERY
        assert made.shown() == {OWN, 7}
        assert State.UNKNOWN not in states(made)


def test_budget_of_a_poll_limits_the_readings_of_other_consumers() -> None:
    with sidecar(21, effort=Effort(exact=0, budget=3)) as made:
        made.world.crash_consumer(*BY, OTHER)
        made.held.advance(600.0)
        seen: set[int] = set()
        for _ in range(7):
            made.poll(after=INTERVAL)
            read = set(ends_read(made)) - {OWN}
            assert len(read) == 3 or len(seen) > 17
            seen |= read
        assert seen == set(range(1, 21))


def test_shards_that_the_budget_does_not_reach_are_unknown_in_the_end() -> None:
    with sidecar(41, effort=Effort(exact=0, budget=1)) as made:
        made.world.delete_group(*BY)
        made.world.create_group(*BY)
        made.held.advance(600.0)
        for _ in range(2 * EVERY + 1):
            made.poll(after=INTERVAL)
        for _ in range(5):
            made.poll(after=INTERVAL)
            found = [each.unread for each in made.shards().values()]
            unread = [each for each in found if each is not None]
            assert 0 < len(unread) < 41
            assert min(unread) > 0
            counts = states(made)
            assert counts == {State.UNCONSUMED: len(unread), State.UNKNOWN: 41 - len(unread)}
            assert len(made.shown()) == 41


def test_requests_for_other_consumers_do_not_count_for_the_request_rate() -> None:
    with sidecar(21) as made:
        made.world.crash_consumer(*BY, OTHER)
        made.held.advance(600.0)
        fans = list[FanOut]()
        made.poller.poll(None, on_fan=fans.append)
        about_others = [
            record
            for record in made.simulator.requests
            if record.shard is not None and record.shard != OWN
        ]
        assert len(about_others) >= 20
        assert fans[0].sent == len(made.simulator.requests) - len(about_others)
        assert fans[0].waiting == 0


def test_shard_that_another_group_reads_anyway_is_judged_in_each_poll() -> None:
    groups = (GroupTarget(name=GROUP, consumers=owners(MINE)), GroupTarget(name="all"))
    with bench(shards=2, groups=groups, effort=Effort(exact=0)) as made:
        made.world.create_group(*STORE, "all")
        for shard in range(2):
            made.world.set_producer(*STORE, shard, 1.0)
        made.world.start_consumer(*BY, MINE, shards=[0])
        made.world.start_consumer(*BY, OTHER, shards=[1])
        for _ in range(EVERY):
            made.poll(after=INTERVAL)
            assert sorted(ends_read(made)) == [0, 1]
            assert made.shards()[1].evaluated_at == made.shards()[1].read_at
