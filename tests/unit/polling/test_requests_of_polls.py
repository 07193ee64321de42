"""Number of requests per poll: the limits in docs/truth.md hold because requests are rare."""

from exporter.polling.targets import GroupTarget
from tests.support.polling import Bench, bench
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
GROUPS = tuple(GroupTarget(name=name) for name in (GROUP, "audit", "search"))


def consume_all(made: Bench, *, shards: int) -> None:
    """Let every group consume every shard, with data that all of them have read after 60 s."""
    for group in GROUPS:
        if group.name != GROUP:
            made.world.create_group(*STORE, group.name)
        made.world.start_consumer(*STORE, group.name, f"{group.name}-1", shards=range(shards))
    for shard in range(shards):
        made.world.write(*STORE, shard, 10)


def crash_all(made: Bench) -> None:
    for group in GROUPS:
        made.world.crash_consumer(*STORE, group.name, f"{group.name}-1")


def test_at_rest_a_poll_costs_one_call_each_for_the_listing_the_groups_and_the_shards() -> None:
    with bench(shards=5, groups=GROUPS) as made:
        consume_all(made, shards=5)
        made.poll(after=120.0)
        made.calls()
        for _ in range(4):
            made.poll(after=60.0)
            assert made.calls() == {"ListShards": 1, "GetCheckPoint": 3, "GetCursor": 5}


def test_the_first_poll_at_rest_also_requests_the_settings_of_the_logstore() -> None:
    with bench(shards=5, groups=GROUPS) as made:
        consume_all(made, shards=5)
        made.poll(after=120.0)
        assert made.calls() == {
            "ListShards": 1,
            "GetCheckPoint": 3,
            "GetCursor": 5,
            "GetLogStore": 1,
        }


def test_the_settings_of_the_logstore_are_requested_once_per_refresh_time() -> None:
    with bench() as made:
        for _ in range(11):
            made.poll(after=60.0)
        assert made.calls()["GetLogStore"] == 3


def test_the_end_of_a_read_only_shard_is_requested_until_two_polls_found_the_same() -> None:
    with bench(shards=2, groups=GROUPS) as made:
        consume_all(made, shards=2)
        made.held.advance(120.0)
        made.world.split_shard(*STORE, 0)
        for group in GROUPS:
            made.world.assign(*STORE, group.name, {f"{group.name}-1": [2, 3]})
        for shard in (2, 3):
            made.world.write(*STORE, shard)
        made.poll(after=120.0)
        made.calls()
        for cursors in (4, 3, 3):
            made.poll(after=60.0)
            assert made.calls() == {"ListShards": 1, "GetCheckPoint": 3, "GetCursor": cursors}


def test_a_stalled_shard_costs_no_cursor_times_after_the_first_poll() -> None:
    with bench(shards=2, groups=GROUPS) as made:
        consume_all(made, shards=2)
        made.poll(after=60.0)
        crash_all(made)
        for shard in range(2):
            made.world.write(*STORE, shard, 10)
        made.calls()
        made.poll(after=60.0)
        # All groups are at the same cursor. A poll reads its time, that of the previous cursor and
        # that of the latest. Verifying the first cursor by time takes two more requests.
        assert made.calls()["GetCursorTime"] == 2 * 3 + 2
        for _ in range(20):
            made.poll(after=60.0)
        assert "GetCursorTime" not in made.calls()


def test_a_busy_producer_and_a_dead_group_cost_one_cursor_time_per_shard_and_poll() -> None:
    with bench(shards=2, groups=GROUPS) as made:
        consume_all(made, shards=2)
        made.poll(after=60.0)
        crash_all(made)
        for shard in range(2):
            made.world.set_producer(*STORE, shard, 1.0)
        made.poll(after=90.0)
        made.calls()
        for _ in range(5):
            made.poll(after=60.0)
            assert made.calls()["GetCursorTime"] == 2


def test_a_busy_shard_costs_at_most_one_time_and_two_for_each_group() -> None:
    shards, groups = 2, 3
    with bench(shards=shards, groups=GROUPS) as made:
        consume_all(made, shards=shards)
        for shard in range(shards):
            made.world.set_producer(*STORE, shard, 1.0)
        made.poll(after=90.0)
        for _ in range(5):
            made.calls()
            made.poll(after=60.0)
            calls = made.calls()
            assert calls["GetCursor"] == shards
            assert 0 < calls["GetCursorTime"] <= shards * (1 + 2 * groups)


def test_a_group_that_never_consumed_costs_the_first_log_group_once_in_5_minutes() -> None:
    with bench(shards=2) as made:
        for shard in range(2):
            made.world.set_producer(*STORE, shard, 1.0)
        made.poll(after=60.0)
        assert made.calls()["GetCursor"] == 4
        begins = 0
        for _ in range(5):
            made.poll(after=60.0)
            begins += made.calls()["GetCursor"] - 2
        assert begins == 2


def test_an_empty_shard_that_was_never_consumed_costs_no_more_than_its_end() -> None:
    with bench(shards=2) as made:
        made.poll(after=60.0)
        made.calls()
        for _ in range(10):
            made.poll(after=60.0)
        assert made.calls()["GetCursor"] == 20


def test_data_that_may_have_expired_costs_the_first_log_group_once_in_5_minutes() -> None:
    with bench() as made:
        made.simulator.deny("GetLogStore")  # so that it may be as short as a day
        made.world.update_checkpoint(*STORE, GROUP, 0, made.world.end_cursor(*STORE, 0))
        made.world.write(*STORE, 0)
        made.poll(after=60.0)
        made.calls()
        for _ in range(10):
            made.poll(after=60.0)
        assert made.calls()["GetCursor"] == 10
        made.poll(after=86_400.0)
        made.calls()
        for _ in range(10):
            made.poll(after=60.0)
        calls = made.calls()
        assert calls["GetCursor"] == 10 + 2
        assert "GetCursorTime" not in calls
