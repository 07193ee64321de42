import pytest

from exporter.model.names import TargetKey
from exporter.model.progress import Cause, ShardProgress, State
from exporter.model.snapshot import Failure, View
from exporter.sls.remedies import remedy
from exporter.status.rows import GroupRow, StatusRows, document
from exporter.status.shard_rows import ShardRow
from exporter.status.summary import summarise
from exporter.status.wording import duration
from tests.support.snapshots import ENDPOINT, group, shard, target, with_unnamed
from tests.support.status_views import (
    MONOTONIC,
    NOW,
    behind,
    caught_up,
    document_of,
    failing,
    varied,
)

# A shared machine may be slow for a while: compare the best of a few runs with twice the limit.


def only(view: View) -> GroupRow:
    (row,) = document_of(view).groups
    return row


def test_state_of_a_group_is_that_of_its_worst_shard() -> None:
    row = only(
        View(
            targets=(
                target(
                    group(
                        caught_up(0, consumer="a"),
                        behind(1, stalled=400, consumer="b"),
                        behind(2, stalled=900, consumer="c", lag_seconds=5.0),
                        behind(3, stalled=30, consumer="b", lag_seconds=700.0),
                    )
                ),
            )
        )
    )
    assert (row.project, row.logstore, row.consumer_group) == ("shop", "orders", "billing")
    assert row.state is State.STALLED
    assert row.worst_shard == 2
    assert row.stalled_seconds == 900.0
    assert row.age_seconds == 900.0
    assert row.lag_seconds == 700.0
    assert row.consumers == ["a", "b", "c"]
    assert row.last_success_seconds == 10.0
    assert row.up
    assert row.error is None


def test_hidden_shards_have_no_rows_and_their_owners_count() -> None:
    shards = [caught_up(0, consumer="a"), behind(1, stalled=100, consumer="b")]
    row = only(View(targets=(target(group(*shards, hidden=frozenset({1}))),)))
    assert [each.shard for each in row.shards] == [0]
    assert row.consumers == ["a", "b"]
    assert (row.state, row.worst_shard) == (State.CAUGHT_UP, 0)


def test_group_whose_shards_are_all_hidden_has_the_state_of_the_worst_one() -> None:
    shards = [caught_up(0, consumer="a"), behind(1, stalled=100, consumer="b")]
    row = only(View(targets=(target(group(*shards, hidden=frozenset({0, 1}))),)))
    assert list(row.shards) == []
    assert (row.state, row.worst_shard) == (State.CONSUMING, 1)


def test_lost_data_is_worse_than_any_stall() -> None:
    row = only(
        View(
            targets=(target(group(behind(0, stalled=90_000), behind(1, stalled=10, expired=True))),)
        )
    )
    assert (row.state, row.worst_shard) == (State.EXPIRED, 1)


def test_shard_row_shows_current_data() -> None:
    causes = {7: Cause.SHARD_STUCK}
    row = only(View(targets=(target(group(behind(7, stalled=400), causes=causes)),)))
    expected = ShardRow(
        shard=7,
        state=State.STALLED,
        likely_cause=Cause.SHARD_STUCK,
        consumer="worker-1",
        checkpoint="MTA=",
        updated_at=610.0,
        age_seconds=400.0,
        lag_seconds=200.0,
        unread_log_groups=1200,
        stalled_seconds=400.0,
        stalled_since=610.0,
    )
    assert list(row.shards) == [expected]
    assert row.shards[0] == expected
    assert row.shards[:1] == [expected]
    assert len(row.shards) == 1


def test_only_stalled_shards_have_a_likely_cause() -> None:
    shards = behind(0, stalled=400), behind(1, stalled=100), caught_up(2)
    causes = {1: Cause.SHARD_STUCK}  # of a stall that a reload of stall_after has ended
    row = only(View(targets=(target(group(*shards, causes=causes)),)))
    assert [shard.likely_cause for shard in row.shards] == [Cause.UNKNOWN, None, None]


def test_a_group_without_shards_is_unknown() -> None:
    row = only(View(targets=(target(group()),)))
    assert row.state is State.UNKNOWN
    assert row.worst_shard is None
    assert (row.age_seconds, row.lag_seconds, row.stalled_seconds) == (None, None, None)


@pytest.mark.parametrize(
    ("shards", "expected"),
    [
        ((), State.UNKNOWN),
        ((caught_up(0),), State.UNKNOWN),
        ((behind(0, stalled=400),), State.STALLED),
    ],
)
def test_group_is_unknown_with_the_error_if_a_shard_is_not_named_and_none_is_worse(
    shards: tuple[ShardProgress, ...], expected: State
) -> None:
    failure = Failure(code="timeout", message="ListShards: timeout", since=NOW, remedy="wait")
    row = only(View(targets=(target(with_unnamed(group(*shards), 1), shard_failure=failure),)))
    assert row.state is expected
    assert (row.shard_error, row.shard_remedy) == ("ListShards: timeout", "wait")
    assert len(row.shards) == len(shards)


def test_failing_group_keeps_its_last_shards_and_has_its_error() -> None:
    group_ = failing("timeout", "no response", caught_up(0), name="slow")
    row = only(View(targets=(target(group_),)))
    assert not row.up
    assert (row.error, row.error_code, row.failing_seconds) == ("no response", "timeout", 70.0)
    assert row.state is State.CAUGHT_UP
    assert len(row.shards) == 1


def test_stall_counts_on_for_one_interval_after_a_reading() -> None:
    late = behind(0, stalled=400, read_at=NOW - 100.0)
    row = only(View(targets=(target(group(late)),)))
    assert row.stalled_seconds == 360.0
    assert row.shards[0].stalled_seconds == 360.0
    assert row.age_seconds == 400.0


def test_a_snapshot_that_is_too_old_is_not_shown() -> None:
    view = View(targets=(target(group(caught_up(0))),))
    row = document(view, monotonic=50.0 + 901.0, wall=NOW).groups[0]
    assert not row.up
    assert row.state is State.UNKNOWN
    assert not row.shards
    assert row.consumers == ()


def test_ages_are_zero_after_the_clock_was_set_back() -> None:
    view = View(targets=(target(group(caught_up(0)), failing("timeout", "late", name="failing")),))
    good, bad = document(view, monotonic=MONOTONIC, wall=5.0).groups
    assert good.last_success_seconds == 0.0
    assert bad.failing_seconds == 0.0


def test_logstores_without_a_first_poll_are_counted() -> None:
    keys = frozenset({TargetKey(ENDPOINT, "shop", "a"), TargetKey(ENDPOINT, "shop", "b")})
    assert document_of(View(pending=keys)) == StatusRows(
        at=NOW, monotonic=MONOTONIC, groups=[], pending_targets=2
    )


def test_the_summary_counts_groups_by_state_and_names_the_longest_stall() -> None:
    summary = summarise(document_of(varied()).groups)
    assert (summary.groups, summary.failing) == (8, 2)
    assert {state.value: count for state, count in summary.states.items()} == {
        "expired": 1,
        "stalled": 1,
        "unknown": 2,
        "unconsumed": 1,
        "consuming": 1,
        "caught_up": 2,
        "finished": 0,
    }
    assert summary.worst is not None
    assert summary.worst.consumer_group == "lost"


def test_a_group_that_is_only_behind_has_not_stalled() -> None:
    view = View(targets=(target(group(behind(0, stalled=20))),))
    assert summarise(document_of(view).groups).worst is None


def test_a_shard_never_consumed_has_neither_age_nor_stall() -> None:
    never = shard(0, checkpoint="", updated_at=None, moved_at=None, consumer="")
    row = only(View(targets=(target(group(never)),)))
    assert row.state is State.UNCONSUMED
    assert (row.age_seconds, row.stalled_seconds) == (None, None)
    assert row.consumers == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "-"),
        (0.0, "0s"),
        (59.4, "59s"),
        (59.6, "1m"),
        (125.0, "2m 5s"),
        (3_600.0, "1h"),
        (3_661.0, "1h 1m"),
        (86_418.0, "1d"),
        (100_000.0, "1d 3h"),
    ],
)
def test_duration_is_shown_in_its_two_largest_units(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("Unauthorized", "log:GetConsumerGroupCheckPoint"),
        ("SignatureNotMatch", "secret"),
        ("InvalidAccessKeyId", "access key"),
        ("SecurityTokenExpired", "temporary credentials"),
        ("ProjectForbidden", "disabled"),
        ("RequestTimeTooSkewed", "clock"),
        ("RequestTimeExpired", "clock"),
        ("ProjectNotExist", "region"),
        ("LogStoreNotExist", "logstore's name"),
        ("ConsumerGroupNotExist", "deleted"),
        ("ReadQuotaExceed", "requests_per_second"),
        ("ProjectQuotaExceed", "requests_per_second"),
        ("MetaOperationQpsLimitExceeded", "polling.interval"),
        ("TooManyRequests", "polling.interval"),
        ("ServerBusy", "SLS itself"),
        ("timeout", "polling.timeout"),
        ("connection", "resolve"),
        ("invalid_response", "proxy"),
    ],
)
def test_an_error_code_has_a_remedy(code: str, word: str) -> None:
    assert word in (remedy(code) or "")


def test_an_unknown_code_has_no_remedy() -> None:
    assert remedy("ParameterInvalid") is None
