"""The listing of the shards of a logstore, and the choice of those of a consumer group."""

from collections.abc import Collection, Iterable, Mapping
from math import floor
from operator import attrgetter

from msgspec import Struct

from exporter.model.progress import ShardProgress
from exporter.model.shards import UNREADABLE, Checkpoint, Shard
from exporter.polling.targets import GroupTarget
from exporter.sls.errors import NotFound, SlsError
from exporter.sls.json_values import Parsed

_SHARD = attrgetter("shard")


class ShardListing(Struct, frozen=True, kw_only=True):
    """The shards that ListShards returned in this poll or an earlier one, or none at all."""

    shards: Mapping[int, Shard] | None = None
    """The shards by number; None if they are not known."""
    is_new: bool = False
    """Whether this poll listed the shards."""
    missing: int = 0
    """Least number of shards that are not listed, since the listing or entries of it failed."""

    @property
    def listed(self) -> Mapping[int, Shard]:
        """The shards by number; none if they are not known."""
        return self.shards or {}

    @property
    def existing(self) -> Collection[int] | None:
        """The numbers of all shards that exist; None if that is not known."""
        return None if self.missing else self.shards

    def expected(self, before: Mapping[int, ShardProgress], *, is_readable: bool) -> set[int]:
        """Return the shards that exist regardless of whether they have a checkpoint.

        An earlier listing may name a shard that has vanished together with its checkpoint. So in
        addition to a new listing, those shards of the last poll (``before``) count that had no
        checkpoint, and if entries could not be read (``is_readable`` is False), all of them.
        """
        listed = self.listed.keys()
        # If shards are not listed at all, the checkpoints determine which exist.
        is_known = not self.missing and (is_readable or self.shards is not None)
        still = before.keys() & listed if is_known else {*before}
        still = {shard for shard in still if not (is_readable and before[shard].is_consumed)}
        return still | listed if self.is_new else still

    def unnamed(self, known: Collection[int], watched: frozenset[int] | None) -> int:
        """Return the least number of watched shards that exist although no response names them.

        ``known`` are the shards of a group. Every logstore has at least one shard. ``watched`` is
        None if all shards are watched.
        """
        unnamed = (self.missing or int(not self.listed)) - len({*known} - self.listed.keys())
        return max(0, unnamed if watched is None else min(unnamed, len(watched.difference(known))))


NOT_LISTED = ShardListing()
"""The listing of a poll that does not request it, or lacks the permission to."""
LISTING_FAILED = ShardListing(missing=1)
"""The listing of a poll that failed to list the shards, if there is no earlier one to use."""


def is_logstore_gone(error: SlsError) -> bool:
    """Return whether an error proves that the logstore or the project does not exist."""
    return isinstance(error, NotFound) and error.code != "ConsumerGroupNotExist"


def select(
    group: GroupTarget,
    answer: Parsed[Checkpoint],
    listing: ShardListing,
    before: Mapping[int, ShardProgress],
) -> tuple[Checkpoint, ...]:
    """Choose the checkpoints of the watched shards, regardless of their owners, in order.

    An expected shard without a checkpoint of the group counts as never consumed. If entries could
    not be read, its checkpoint might be among them, so it counts as unreadable. ``before`` is the
    progress in the last poll.
    """
    existing, known = listing.existing, {each.shard for each in answer.entries}
    chosen = [each for each in answer.entries if existing is None or each.shard in existing] + [
        Checkpoint(
            shard=shard, cursor=UNREADABLE if answer.faults else "", updated_at=None, consumer=""
        )
        for shard in listing.expected(before, is_readable=not answer.faults)
        if shard not in known
    ]
    return tuple(sorted((each for each in chosen if group.wants_shard(each.shard)), key=_SHARD))


def without_recreated(
    before: Mapping[int, ShardProgress], listing: ShardListing
) -> Mapping[int, ShardProgress]:
    """Return earlier progress, without that of shards that a new listing shows as created since.

    Such a shard has the number of a deleted one, for instance because the logstore was recreated.
    """
    listed = listing.listed if listing.is_new else {}
    return {
        number: progress
        for number, progress in before.items()
        if number not in listed or (listed[number].created_at or 0) < floor(progress.read_at)
    }


def count_by_status(shards: Iterable[Shard]) -> Mapping[str, int]:
    """Count shards by status. Both statuses are always present."""
    statuses = [shard.status for shard in shards]
    return {status: statuses.count(status) for status in ("readwrite", "readonly")}
