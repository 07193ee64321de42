"""Which shards of a consumer group a poll looks at."""

from collections.abc import Collection, Iterable, Mapping
from operator import attrgetter

from exporter.model.shards import Checkpoint, Shard
from exporter.polling.targets import GroupTarget
from exporter.sls.errors import NotFound, SlsError
from exporter.sls.json_values import Parsed

_SHARD = attrgetter("shard")


def is_logstore_gone(error: SlsError) -> bool:
    """Tell whether there is definitely no such logstore, or no such project."""
    return isinstance(error, NotFound) and error.code != "ConsumerGroupNotExist"


def select(
    group: GroupTarget,
    answer: Parsed[Checkpoint],
    listed: Mapping[int, Shard] | None,
    maybe_unconsumed: Collection[int],
) -> tuple[Checkpoint, ...]:
    """Choose the checkpoints of interest, in the order of shards.

    Where the shards are listed, one that is gone is left out. One of ``maybe_unconsumed`` that the
    group has no checkpoint of is there as never consumed; but not if that might be an entry that
    could not be read.
    """
    chosen = list(answer.entries)
    if not group.wants_all:
        chosen = [each for each in chosen if group.wants(each.shard, each.consumer)]
    if listed is not None:
        chosen = [each for each in chosen if each.shard in listed]
    if maybe_unconsumed and not group.consumers and not answer.faults:
        known = {each.shard for each in answer.entries}
        chosen += [
            Checkpoint(shard=shard, cursor="", updated_at=None, consumer="")
            for shard in maybe_unconsumed
            if shard not in known and group.wants_shard(shard)
        ]
    return tuple(sorted(chosen, key=_SHARD))


def count_by_status(shards: Iterable[Shard]) -> Mapping[str, int]:
    """Count shards by status, both statuses always present."""
    statuses = [shard.status for shard in shards]
    return {status: statuses.count(status) for status in ("readwrite", "readonly")}
