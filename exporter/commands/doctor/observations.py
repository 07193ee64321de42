"""The requests about one logstore, and their recorded responses.

The number of requests is limited: at most about 40 per logstore. All of them only read. Some ask
for names that do not exist, which shows the codes of errors.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from exporter.commands.doctor.recording import Recorder, Reply
from exporter.model.shards import Checkpoint, Shard, decode_cursor, encode_cursor
from exporter.polling.capacity import ShardCounts
from exporter.sls.client import SlsClient
from exporter.sls.json_values import Parsed
from exporter.sls.operations import (
    GET_CHECKPOINT,
    GET_CURSOR,
    GET_CURSOR_TIME,
    GET_LOGSTORE,
    LIST_SHARDS,
)

UNKNOWN_NAME = "sls-exporter-doctor-unknown"
UNKNOWN_SHARD = 2**31 - 1
MAX_GROUPS = 3
MAX_SHARDS = 3
_LEAST_DATA = 3  # log groups: the first, one in the middle, and the last


class ShardReplies(Struct, frozen=True, kw_only=True):
    """The responses about one shard. A request that was not sent is None."""

    begin: Reply[str]
    end: Reply[str]
    time_at_begin: Reply[int] | None = None
    time_before_begin: Reply[int] | None = None
    time_before_end: Reply[int] | None = None
    time_at_end: Reply[int] | None = None
    time_in_middle: Reply[int] | None = None
    found_by_time: Reply[str] | None = None
    """The response to GetCursor with ``time_in_middle``."""
    begin_again: Reply[str] | None = None
    """BEGIN after it had no time, since its log group can have expired."""
    end_again: Reply[str] | None = None
    """END after it had a time, since a log group can have arrived there."""

    @property
    def has_begin_expired(self) -> bool:
        """Return whether the log group at BEGIN has expired during the requests."""
        again = _position(self.begin_again)
        return again is not None and self.first is not None and again > self.first

    @property
    def is_end_current(self) -> bool:
        """Return whether no log group arrived at END before its time was requested."""
        reply = self.time_at_end
        return (reply is not None and reply.value is None) or (
            self.last is not None and _position(self.end_again) == self.last
        )

    @property
    def first(self) -> int | None:
        """The number in the BEGIN cursor."""
        return _position(self.begin)

    @property
    def last(self) -> int | None:
        """The number in the END cursor."""
        return _position(self.end)

    @property
    def unexpired(self) -> int | None:
        """Number of log groups between BEGIN and END, None if not known."""
        first, last = self.first, self.last
        return None if first is None or last is None else last - first

    @property
    def middle(self) -> int | None:
        """A position between BEGIN and END, None if there are too few log groups."""
        if self.first is None or (self.unexpired or 0) < _LEAST_DATA:
            return None
        return self.first + (self.unexpired or 0) // 2


class LogstoreReplies(Struct, frozen=True, kw_only=True):
    """The responses about one logstore. Without ``lag`` there are only checkpoints."""

    checkpoints: Mapping[str, Reply[Parsed[Checkpoint]]]
    """The responses of GetCheckPoint by consumer group."""
    timeouts: Mapping[str, int | None]
    """The heartbeat timeouts of the groups in seconds, as far as they are listed."""
    group_listing: object = None
    """The body of ListConsumerGroup; None if it was not sent."""
    shards: Reply[Parsed[Shard]] | None = None
    shards_again: Reply[Parsed[Shard]] | None = None
    retention: Reply[int] | None = None
    cursors: Mapping[int, ShardReplies] = MappingProxyType({})
    """The responses about some shards, by number."""
    unknown_logstore: Reply[Any]
    unknown_group: Reply[Any]
    unknown_shard: Reply[Any] | None = None

    @property
    def entries(self) -> Sequence[Checkpoint]:
        """The checkpoints of all groups."""
        replies = self.checkpoints.values()
        return [entry for reply in replies if reply.value for entry in reply.value.entries]

    @property
    def shard_counts(self) -> ShardCounts | None:
        """The number of shards, None if they are not listed."""
        listed = None if self.shards is None else self.shards.value
        return None if listed is None else ShardCounts(len(listed.entries))

    @property
    def all(self) -> Sequence[Reply[Any]]:
        """The responses to requests about names that exist."""
        found: list[Reply[Any] | None] = [*self.checkpoints.values(), self.shards]
        found += [self.shards_again, self.retention]
        for shard in self.cursors.values():
            found += [getattr(shard, name) for name in ShardReplies.__struct_fields__]
        return [reply for reply in found if reply is not None]


def observe_logstore(
    client: SlsClient,
    ask: Recorder,
    logstore: str,
    groups: Mapping[str, int | None],
    *,
    unknown_logstore: Reply[Any],
    group_listing: object,
    lag: bool,
) -> LogstoreReplies:
    """Send the requests about a logstore. Raises Cancelled when the process stops.

    ``groups`` are the timeouts of consumer groups by name, of which a few are requested.
    """
    names = list(groups)[:MAX_GROUPS]
    shards = ask(LIST_SHARDS, lambda: client.list_shards(logstore)) if lag else None
    checkpoints = {name: _checkpoints(client, ask, logstore, name) for name in names}
    unknown_group: Reply[Any] = _checkpoints(client, ask, logstore, UNKNOWN_NAME)
    replies = LogstoreReplies(
        checkpoints=checkpoints,
        timeouts=groups,
        group_listing=group_listing,
        shards=shards,
        unknown_logstore=unknown_logstore,
        unknown_group=unknown_group,
    )
    if not lag:
        return replies
    return replace(
        replies,
        retention=ask(GET_LOGSTORE, lambda: client.get_retention_days(logstore)),
        cursors={
            number: _observe_shard(client, ask, logstore, number) for number in _chosen(replies)
        },
        unknown_shard=ask(GET_CURSOR, lambda: client.get_cursor(logstore, UNKNOWN_SHARD, "end")),
        shards_again=ask(LIST_SHARDS, lambda: client.list_shards(logstore)),
    )


def _checkpoints(
    client: SlsClient, ask: Recorder, logstore: str, group: str
) -> Reply[Parsed[Checkpoint]]:
    return ask(GET_CHECKPOINT, lambda: client.get_checkpoints(logstore, group))


def _chosen(replies: LogstoreReplies) -> Sequence[int]:
    """Return the first writable shard, the newest one, and the first read-only one."""
    listed = replies.shards.value.entries if replies.shards and replies.shards.value else ()
    if not listed:
        return sorted({entry.shard for entry in replies.entries})[:MAX_SHARDS]
    ordered = sorted(listed, key=lambda shard: (shard.status == "readonly", shard.shard))
    newest = max(listed, key=lambda shard: shard.shard)
    chosen = [
        ordered[0],
        newest,
        *(each for each in ordered if each.status == "readonly"),
        *ordered,
    ]
    return list(dict.fromkeys(shard.shard for shard in chosen))[:MAX_SHARDS]


def _observe_shard(client: SlsClient, ask: Recorder, logstore: str, shard: int) -> ShardReplies:
    def cursor(position: str) -> Reply[str]:
        return ask(GET_CURSOR, lambda: client.get_cursor(logstore, shard, position))

    def time_at(position: int) -> Reply[int]:
        text = encode_cursor(position)
        return ask(GET_CURSOR_TIME, lambda: client.get_cursor_time(logstore, shard, text))

    known = ShardReplies(begin=cursor("begin"), end=cursor("end"))
    first, last = known.first, known.last
    if first is None or last is None:
        return known
    middle = known.middle
    in_middle = None if middle is None else time_at(middle)
    by_time = None if in_middle is None else in_middle.value
    at_begin, at_end = time_at(first), time_at(last)
    return replace(
        known,
        time_at_begin=at_begin,
        time_before_begin=time_at(first - 1) if first > 0 else None,
        time_before_end=time_at(last - 1) if last > 0 else None,
        time_at_end=at_end,
        time_in_middle=in_middle,
        found_by_time=None if by_time is None else cursor(str(by_time)),
        begin_again=cursor("begin") if at_begin.value is None else None,
        end_again=None if at_end.value is None else cursor("end"),
    )


def _position(cursor: Reply[str] | None) -> int | None:
    """Return the number in a cursor, None if there is none."""
    return None if cursor is None else decode_cursor(cursor.value or "")
