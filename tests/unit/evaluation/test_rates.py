"""Totals of a consumer group from the steps between polls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.evaluation.rates import advanced
from exporter.model.progress import ShardProgress, Totals
from exporter.model.shards import encode_cursor
from tests.support.snapshots import shard

BIRTH = 1_524_157_379_373_908_496  # beyond 2^53


def at(
    cursor: int | str, end: int | None = None, *, number: int = 0, consumer: str = "c1"
) -> ShardProgress:
    checkpoint = cursor if isinstance(cursor, str) else encode_cursor(BIRTH + cursor)
    return shard(
        number,
        checkpoint=checkpoint,
        end=None if end is None else BIRTH + end,
        consumer=consumer,
    )


def step(before: ShardProgress, after: ShardProgress) -> Totals:
    return advanced(Totals(), {before.shard: before}, [after])


def test_totals_add_the_steps_of_all_shards() -> None:
    before = {0: at(10, 20), 1: at(5, 5, number=1)}
    found = advanced(
        Totals(consumed=100, written=200, owner_changes=3, checkpoint_resets=4),
        before,
        [at(11, 23), at(9, 9, number=1, consumer="c2")],
    )
    assert found == Totals(consumed=105, written=207, owner_changes=4, checkpoint_resets=4)


def test_steps_are_exact_beyond_the_precision_of_floats() -> None:
    assert step(at(0, 0), at(1, 3)) == Totals(consumed=1, written=3)


def test_the_first_poll_of_a_shard_counts_nothing() -> None:
    assert advanced(Totals(), {}, [at(10, 20)]) == Totals(written=0)
    assert step(at(""), at(10)) == Totals()


def test_a_checkpoint_that_is_set_back_consumes_nothing() -> None:
    assert step(at(10, 20), at(4, 21)) == Totals(written=1, checkpoint_resets=1)
    assert step(at(10, 20), at(9, 20)) == Totals(written=0, checkpoint_resets=1)


def test_consumption_after_a_reset_counts_again() -> None:
    back, again = at(4, 20), at(10, 20)
    total = advanced(step(at(10, 20), back), {0: back}, [again])
    assert total == Totals(consumed=6, written=0, checkpoint_resets=1)


def test_a_shard_that_was_created_again_counts_nothing() -> None:
    assert step(at(900, 1000), at(4, 5, consumer="c2")) == Totals(written=0)


SECOND = 1_000_000_000  # in which a shard that is created later begins later


@pytest.mark.parametrize("seconds", [11, 60, 86_400])
def test_leap_to_a_shard_that_was_created_later_counts_nothing(seconds: int) -> None:
    later = at(seconds * SECOND, seconds * SECOND + 5)
    assert step(at(900, 1000), later) == Totals(written=0)
    assert step(at(900), at(seconds * SECOND)) == Totals()
    assert step(at(900, 1000), at(901, seconds * SECOND)) == Totals(consumed=1, written=0)
    assert step(later, at(seconds * SECOND + 2, seconds * SECOND + 9)) == Totals(
        consumed=2, written=4
    )


def test_checkpoint_that_was_set_to_zero_consumes_nothing_when_it_is_set_back() -> None:
    zero = at(encode_cursor(0), 20)
    assert step(at(10, 20), zero) == Totals(written=0, checkpoint_resets=1)
    assert step(zero, at(10, 20)) == Totals(written=0)


def test_large_steps_within_a_shard_count() -> None:
    most = 10_000_000_000
    assert step(at(0, 0), at(most, most)) == Totals(consumed=most, written=most)
    assert step(at(0, 0), at(most, most + 1)) == Totals(consumed=most, written=0)


@pytest.mark.parametrize("text", ["", "not a cursor", "YWJj"])
def test_a_checkpoint_that_cannot_be_read_counts_nothing(text: str) -> None:
    assert step(at(10, 20), at(text, 22)) == Totals(written=2)
    assert step(at(text, 20), at(10, 22)) == Totals(written=2)


def test_written_log_groups_are_unknown_until_an_end_is() -> None:
    assert step(at(1), at(3)) == Totals(consumed=2)
    assert step(at(1), at(3, 9)) == Totals(consumed=2, written=0)
    assert advanced(Totals(written=7), {0: at(1, 9)}, [at(1)]) == Totals(written=7)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2))
def test_totals_never_fall_and_end_where_the_last_poll_is(steps: list[tuple[int, int]]) -> None:
    total, known = Totals(written=0), at(0, 0)
    end = 0
    for cursor, growth in steps:
        end += growth
        polled = at(cursor, end)
        found = advanced(total, {0: known}, [polled])
        assert found.consumed >= total.consumed
        assert found.checkpoint_resets >= total.checkpoint_resets
        total, known = found, polled
    assert total.written == end
    moves = zip(
        [0, *(cursor for cursor, _ in steps)], [cursor for cursor, _ in steps], strict=False
    )
    assert total.consumed == sum(max(0, now - before) for before, now in moves)
