"""The choice of the shards of a consumer group."""

from collections.abc import Collection, Iterable, Mapping
from math import floor
from operator import attrgetter

from exporter.model.progress import ShardProgress
from exporter.model.shards import Checkpoint, Shard
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
    listed: Mapping[int, Shard] | None,
    maybe_unconsumed: Collection[int],
) -> tuple[Checkpoint, ...]:
    """Choose the checkpoints of the watched shards, regardless of their owners, in order.

    If the shards are listed, a shard that no longer exists is left out. A shard in
    ``maybe_unconsumed`` without a checkpoint of the group counts as never consumed, unless its
    checkpoint might be among the entries that could not be read.
    """
    chosen = [each for each in answer.entries if group.wants_shard(each.shard)]
    if listed is not None:
        chosen = [each for each in chosen if each.shard in listed]
    if maybe_unconsumed and not answer.faults:
        known = {each.shard for each in answer.entries}
        chosen += [
            Checkpoint(shard=shard, cursor="", updated_at=None, consumer="")
            for shard in maybe_unconsumed
            if shard not in known and group.wants_shard(shard)
        ]
    return tuple(sorted(chosen, key=_SHARD))


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
