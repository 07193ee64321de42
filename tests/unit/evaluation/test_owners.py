"""Changes of owners from poll to poll."""

import pytest

from exporter.evaluation.owners import OwnerChanges, has_new_owner, owner_changes
from exporter.model.progress import OwnerChange, ShardProgress
from tests.support.snapshots import shard

NOW = 10_000.0


def owned(
    consumer: str, *, number: int = 0, updated_at: float | None = 9_900.0, moved_at: float = 9_000.0
) -> ShardProgress:
    return shard(
        number, consumer=consumer, updated_at=updated_at, moved_at=moved_at, read_at=NOW - 1.0
    )


def after(
    *polled: ShardProgress, before: tuple[ShardProgress, ...], known: OwnerChanges | None = None
) -> OwnerChanges:
    previous = {each.shard: each for each in before}
    return owner_changes(known or {}, previous, polled, now=NOW, stall_after=300.0)


@pytest.mark.parametrize(
    ("former", "present", "is_new"),
    [
        ("c1", "c2", True),
        ("c1", "c1", False),
        ("c1", "", False),
        ("", "c1", False),
        ("", "", False),
    ],
)
def test_a_new_owner_has_another_name(former: str, present: str, *, is_new: bool) -> None:
    assert has_new_owner(owned(former), owned(present)) is is_new


def test_a_change_is_remembered_with_the_former_owner_and_its_last_move() -> None:
    found = after(
        owned("c2"), owned("c9", number=1), before=(owned("c1", updated_at=9_000.0, moved_at=8.0),)
    )
    assert found == {0: (OwnerChange(9_900.0, "c1", 8.0),)}


def test_a_change_without_a_write_happened_at_the_poll() -> None:
    assert after(owned("c2"), before=(owned("c1"),)) == {0: (OwnerChange(9_999.0, "c1", 9_000.0),)}
    unknown = after(owned("c2", updated_at=None), before=(owned("c1"),))
    assert unknown == {0: (OwnerChange(9_999.0, "c1", 9_000.0),)}


def test_a_change_is_not_in_the_future() -> None:
    found = after(owned("c2", updated_at=NOW + 99.0), before=(owned("c1"),))
    assert found[0][0].at == NOW - 1.0


def test_the_last_two_changes_of_a_shard_are_remembered() -> None:
    first, second = OwnerChange(9_500.0, "a", None), OwnerChange(9_600.0, "b", None)
    found = after(owned("d"), before=(owned("c", updated_at=9_700.0),), known={0: (first, second)})
    assert found == {0: (second, OwnerChange(9_900.0, "c", 9_000.0))}


def test_changes_are_forgotten_after_three_times_stall_after() -> None:
    old, young = OwnerChange(9_099.9, "a", None), OwnerChange(9_100.0, "b", None)
    unchanged = owned("c")
    assert after(unchanged, before=(unchanged,), known={0: (old, young), 1: (old,)}) == {
        0: (young,)
    }
