"""Sharding: each target belongs to exactly one exporter, and few move when one is added."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.names import TargetKey
from exporter.polling.sharding import Sharding, shard_of
from tests.support.snapshots import ENDPOINT

keys = st.builds(TargetKey, st.text(), st.text())


@given(keys, st.integers(1, 64))
def test_a_target_belongs_to_exactly_one_shard(key: TargetKey, total: int) -> None:
    owners = [shard for shard in range(total) if Sharding(shard=shard, total=total).owns(key)]
    assert len(owners) == 1


@given(keys, st.integers(1, 64))
def test_a_target_stays_or_moves_to_the_shard_that_was_added(key: TargetKey, total: int) -> None:
    before, after = shard_of(key, total), shard_of(key, total + 1)
    assert after in {before, total}


def test_targets_are_spread_evenly_and_about_one_in_n_moves() -> None:
    targets = [TargetKey(ENDPOINT, "project", f"logstore-{number}") for number in range(4000)]
    counts = Counter(shard_of(key, 4) for key in targets)
    assert all(900 < counts[shard] < 1100 for shard in range(4))
    moved = sum(shard_of(key, 4) != shard_of(key, 5) for key in targets)
    assert 700 < moved < 900


def test_hash_is_the_same_in_every_version() -> None:
    for endpoint in (ENDPOINT, "http://127.0.0.1:8080"):
        keys = [TargetKey(endpoint, "project", f"logstore-{number}") for number in range(8)]
        assert [shard_of(key, 10) for key in keys] == [1, 6, 4, 9, 2, 8, 1, 4]


@pytest.mark.parametrize(("shard", "total"), [(1, 1), (-1, 2), (0, 0)])
def test_a_shard_that_is_none_of_all_is_refused(shard: int, total: int) -> None:
    with pytest.raises(
        ValueError, match=r"below the number of exporters, which is \d+; found -?\d+"
    ):
        Sharding(shard=shard, total=total)
