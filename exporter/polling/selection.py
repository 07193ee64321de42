"""The choice of the shards of a consumer group."""

from collections.abc import Collection, Iterable, Mapping
from math import floor
from operator import attrgetter

from exporter.model.progress import ShardProgress
from exporter.model.shards import UNREADABLE, Checkpoint, Shard
from exporter.polling.targets import GroupTarget
from exporter.sls.errors import NotFound, SlsError
from exporter.sls.json_values import Parsed

_SHARD = attrgetter("shard")


def is_logstore_gone(error: SlsError) -> bool:
    """Return whether an error proves that the logstore or the project does not exist."""
    return isinstance(error, NotFound) and error.code != "ConsumerGroupNotExist"


def select(
    group: GroupTarget,
    answer: Parsed[Checkpoint],
    listed: Collection[int] | None,
    expected: Collection[int],
) -> tuple[Checkpoint, ...]:
    """Choose the checkpoints of the watched shards, regardless of their owners, in order.

    A shard that is not ``listed`` does not exist any more; None if that is not known. A shard in
    ``expected`` without a checkpoint of the group counts as never consumed. If entries could not be
    read, its checkpoint might be among them, so it counts as unreadable.
    """
    chosen = [each for each in answer.entries if group.wants_shard(each.shard)]
    if listed is not None:
        chosen = [each for each in chosen if each.shard in listed]
    if expected:
        known = {each.shard for each in answer.entries}
        cursor = UNREADABLE if answer.faults else ""
        chosen += [
            Checkpoint(shard=shard, cursor=cursor, updated_at=None, consumer="")
            for shard in expected
            if shard not in known and group.wants_shard(shard)
        ]
    return tuple(sorted(chosen, key=_SHARD))


def expected_still(
    before: Mapping[int, ShardProgress], existing: Collection[int] | None, *, is_readable: bool
) -> set[int]:
    """Return the shards of the last poll that exist although they have no checkpoint now.

    An earlier listing may name a shard that has vanished together with its checkpoint. So they are
    those that had none before, and if entries could not be read (``is_readable`` is False), all.
    ``existing`` is None if the shards that exist are not known.
    """
    return {
        shard
        for shard, line in before.items()
        if not (is_readable and line.is_consumed) and (existing is None or shard in existing)
    }


def without_recreated(
    before: Mapping[int, ShardProgress], listed: Mapping[int, Shard]
) -> Mapping[int, ShardProgress]:
    """Return earlier progress, without that of shards which were created since.

    Such a shard has the number of a deleted one, for instance because the logstore was recreated.
    """
    return {
        number: progress
        for number, progress in before.items()
        if number not in listed or (listed[number].created_at or 0) < floor(progress.read_at)
    }


def count_by_status(shards: Iterable[Shard]) -> Mapping[str, int]:
    """Count shards by status. Both statuses are always present."""
    statuses = [shard.status for shard in shards]
    return {status: statuses.count(status) for status in ("readwrite", "readonly")}
