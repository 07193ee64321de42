"""A simulated SLS account: storage, and the consumer groups that read it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Unpack

from exporter.simulator.consumers import Checkpoint, Consumer, Group, Pace, PaceOptions
from exporter.simulator.cursors import decode_cursor, encode_cursor
from exporter.simulator.errors import ServiceError, group_not_exist, shard_not_exist
from exporter.simulator.logstore import Logstore
from exporter.simulator.shard import Shard
from exporter.simulator.storage import Storage
from exporter.simulator.views import CheckpointRow, GroupRow, ShardTruth, UpdateTimeUnit

_UNITS: Mapping[UpdateTimeUnit, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class World(Storage):
    """A thread-safe world of producers and consumers.

    update_time_unit is the unit of updateTime in GetCheckPoint: microseconds in the real service.
    """

    def __init__(
        self, *, wall: Callable[[], float], update_time_unit: UpdateTimeUnit = "us"
    ) -> None:
        super().__init__(wall=wall)
        self._unit = _UNITS[update_time_unit]

    def create_group(
        self,
        project: str,
        logstore: str,
        name: str,
        *,
        timeout: int = 60,
        order: bool = False,
        empty_until_heartbeat: bool = False,
    ) -> None:
        """Create a group without checkpoints. Raises ServiceError if it exists.

        The response of GetCheckPoint for a group that no consumer ever joined is not documented.
        It lists each shard with an empty checkpoint or, with empty_until_heartbeat, no shards.
        """
        with self._present():
            groups = self._logstore(project, logstore).groups
            if name in groups:
                message = f"consumer group {name} already exists"
                raise ServiceError(400, "ConsumerGroupAlreadyExist", message)
            groups[name] = Group(
                name=name, timeout=timeout, order=order, empty_until_heartbeat=empty_until_heartbeat
            )

    def update_group(
        self,
        project: str,
        logstore: str,
        name: str,
        *,
        timeout: int | None = None,
        order: bool | None = None,
    ) -> None:
        """Change the settings of a group. None keeps a setting."""
        with self._group(project, logstore, name) as (_, found, _):
            found.timeout = found.timeout if timeout is None else timeout
            found.order = found.order if order is None else order

    def delete_group(self, project: str, logstore: str, name: str) -> None:
        """Delete a group with its checkpoints and its consumers."""
        with self._present():
            if self._logstore(project, logstore).groups.pop(name, None) is None:
                raise group_not_exist(name)

    def groups(self, project: str, logstore: str) -> list[GroupRow]:
        """List the groups by name."""
        with self._present():
            groups = self._logstore(project, logstore).groups
            return [
                GroupRow(name=name, timeout=group.timeout, order=group.order)
                for name, group in sorted(groups.items())
            ]

    def start_consumer(
        self,
        project: str,
        logstore: str,
        group: str,
        name: str,
        *,
        shards: Iterable[int],
        **pace: Unpack[PaceOptions],
    ) -> None:
        """Start a consumer that reads some shards from their saved checkpoints, or from BEGIN.

        The keyword arguments are the fields of ``Pace``. If another consumer of the group reads
        one of the shards, it loses that shard.
        """
        with self._group(project, logstore, group) as (store, found, now):
            if name in found.consumers:
                raise ValueError(f"consumer {name} is already running")
            taken = [store.shard(shard) for shard in shards]
            consumer = Consumer(name=name, pace=Pace(**pace), started=now)
            found.was_alive = True
            found.consumers[name] = consumer
            for shard in taken:
                found.take(consumer, shard, now)

    def stop_consumer(self, project: str, logstore: str, group: str, name: str) -> None:
        """Stop a consumer gracefully, after it reads and flushes one last time."""
        with self._group(project, logstore, group) as (store, found, now):
            found.finish(found.consumers[name], store.shards, now)
            del found.consumers[name]

    def crash_consumer(self, project: str, logstore: str, group: str, name: str) -> None:
        """Kill a consumer. Its progress since its last flush is not in the checkpoints."""
        with self._group(project, logstore, group) as (_, found, _):
            del found.consumers[name]

    def freeze_shard(
        self, project: str, logstore: str, group: str, consumer: str, shard: int
    ) -> None:
        """Let a consumer fail permanently on one shard. Only its other checkpoints advance."""
        with self._group(project, logstore, group) as (_, found, _):
            found.consumers[consumer].readers[shard].freeze()

    def thaw_shard(
        self, project: str, logstore: str, group: str, consumer: str, shard: int
    ) -> None:
        """Let a consumer continue with a frozen shard from its checkpoint."""
        with self._group(project, logstore, group) as (_, found, now):
            found.consumers[consumer].readers[shard].thaw(now)

    def assign(
        self, project: str, logstore: str, group: str, owners: Mapping[str, Iterable[int]]
    ) -> None:
        """Assign shards to running consumers, as a rebalance does: consumer to shards.

        The new owner of a shard continues from its saved checkpoint. Shards that are not named
        keep their owners.
        """
        with self._group(project, logstore, group) as (store, found, now):
            for name, shards in owners.items():
                consumer = found.consumers[name]
                for shard in shards:
                    if shard not in consumer.readers:
                        found.take(consumer, store.shard(shard), now)

    def heart_beat(
        self, project: str, logstore: str, group: str, consumer: str, shards: Iterable[int] = ()
    ) -> list[int]:
        """Record a heartbeat of an external consumer, and return the shards that it should own.

        ``shards`` are those that it holds. Each stays with its holder until the holder no longer
        reports it or times out. The shards of an ordered group wait for their parents.
        """
        with self._group(project, logstore, group) as (store, found, now):
            return found.heart_beat(consumer, set(shards), store.shards, now)

    def update_checkpoint(
        self,
        project: str,
        logstore: str,
        group: str,
        shard: int,
        checkpoint: str | int,
        *,
        consumer: str = "",
        force: bool = True,
    ) -> None:
        """Write a checkpoint now: any text, even an unreadable one, or a cursor as an integer.

        Without ``force``, the consumer must hold the shard by its heartbeats.
        A running consumer keeps its own position, and writes that when it changes again.
        """
        with self._group(project, logstore, group) as (store, found, now):
            if shard not in store.shards:
                raise shard_not_exist(shard, status=404)
            if not force:
                found.check_holder(consumer, shard)
            text = encode_cursor(checkpoint) if isinstance(checkpoint, int) else checkpoint
            found.was_alive = True
            found.checkpoints[shard] = Checkpoint(text=text, updated_at=now, consumer=consumer)

    def checkpoints(
        self, project: str, logstore: str, group: str, shard: int | None = None
    ) -> list[CheckpointRow]:
        """List the checkpoints of all shards, or of one. The list is empty for an unknown shard."""
        with self._group(project, logstore, group) as (store, found, _):
            if found.empty_until_heartbeat and not found.was_alive:
                return []
            listed = [shard_id for shard_id in store.shards if shard in {None, shard_id}]
            return [self._row(shard_id, found.checkpoints.get(shard_id)) for shard_id in listed]

    def truth(self, project: str, logstore: str, group: str, shard: int) -> ShardTruth:
        """Return the actual state of a shard and a group, for test oracles without API calls."""
        with self._group(project, logstore, group) as (store, found, now):
            return _truth(store.shard(shard), found.checkpoints.get(shard), now)

    def truths(self, project: str, logstore: str, group: str) -> Mapping[int, ShardTruth]:
        """Return the actual state of all shards and a group."""
        with self._group(project, logstore, group) as (store, found, now):
            return {
                number: _truth(shard, found.checkpoints.get(number), now)
                for number, shard in store.shards.items()
            }

    @contextmanager
    def _group(
        self, project: str, logstore: str, group: str
    ) -> Iterator[tuple[Logstore, Group, float]]:
        with self._present() as now:
            store = self._logstore(project, logstore)
            yield store, store.group(group, now), now

    def _row(self, shard: int, saved: Checkpoint | None) -> CheckpointRow:
        return CheckpointRow(
            shard=shard,
            checkpoint=saved.text if saved is not None else "",
            update_time=int(saved.updated_at * self._unit) if saved is not None else 0,
            consumer=saved.consumer if saved is not None else "",
        )


def _truth(shard: Shard, saved: Checkpoint | None, now: float) -> ShardTruth:
    begin, end = shard.log.begin(now), shard.log.end(now)
    cursor = decode_cursor(saved.text) if saved is not None else None
    unread = begin if cursor is None else max(begin, cursor - shard.birth)
    return ShardTruth(
        checkpoint=cursor,
        begin=shard.birth + begin,
        end=shard.birth + end,
        updated_at=saved.updated_at if saved is not None else None,
        owner=saved.consumer if saved is not None else "",
        oldest_unread_at=shard.log.received(unread) if unread < end else None,
        readonly=shard.status == "readonly",
    )
