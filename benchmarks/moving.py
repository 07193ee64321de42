"""An SLS account in constant motion, computed from the time instead of stored.

Producers write to each shard at a fixed rate, and consumers commit at fixed times some seconds
behind. Cursors, their times and checkpoints are formulas, so an account of any size needs no state
except for the consumers that have died. ``benchmarks.standin`` serves it over HTTP.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import orjson
from msgspec import Struct

from exporter.simulator.cursors import decode_cursor, encode_cursor
from exporter.simulator.errors import (
    ServiceError,
    group_not_exist,
    invalid_cursor,
    logstore_not_exist,
    parameter_invalid,
    project_not_exist,
    shard_not_exist,
)
from exporter.simulator.shard import LAST_KEY, NANOSECONDS

WRITE_INTERVALS = (0.25, 0.5, 1.0, 2.0)
"""Seconds between two log groups, by shard in turn. Powers of two keep the formulas exact."""

LAG_SECONDS = 20.0
_DAY_SECONDS = 86400
_WOBBLES = 8
_MAX_DIGITS = 18


class Shape(Struct, frozen=True, kw_only=True):
    """The size of an account and its rhythm; created is in whole unix seconds."""

    projects: int = 1
    logstores: int = 1
    """Number of logstores per project."""
    shards: int
    groups: int
    commit_interval: float = 60.0
    created: int
    ttl_days: int = 7


class Place(NamedTuple):
    """A shard of a consumer group."""

    project: str
    logstore: str
    group: str
    shard: int


class Commit(NamedTuple):
    """A checkpoint: when it was written, and the index of the next log group to read."""

    at: float
    position: int


class Account:
    """All projects of a shape; every method takes the time as a parameter."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._died: dict[Place, float] = {}
        self._listed = self._shards()

    def respond(self, project: str, path: str, query: Mapping[str, str], now: float) -> bytes:
        """Return the body of a response; raises ServiceError."""
        if not _is_known(project, "project-", self.shape.projects):
            raise project_not_exist(project)
        parts = path.strip("/").split("/")
        if parts == ["logstores"]:
            return orjson.dumps(self._logstores(query))
        if len(parts) > 1 and not _is_known(parts[1], "logstore-", self.shape.logstores):
            raise logstore_not_exist(parts[1])
        document: object
        match operation(path, query):
            case "GetLogStore":
                document = self._logstore(parts[1])
            case "ListShards":
                document = self._listed
            case "ListConsumerGroup":
                document = self._groups()
            case "GetCheckPoint":
                document = self._checkpoints((project, parts[1], parts[3]), now)
            case "GetCursor":
                cursor = self._cursor(self._shard(parts[3]), query.get("from", ""), now)
                document = {"cursor": encode_cursor(cursor)}
            case "GetCursorTime":
                at = self._cursor_time(self._shard(parts[3]), query.get("cursor", ""), now)
                document = {"cursor_time": at}
            case _:
                raise ServiceError(404, "InvalidAction", "the operation is unknown")
        return orjson.dumps(document)

    def commit(self, place: Place, now: float) -> Commit:
        """Return the newest checkpoint of a consumer."""
        phase, seed = self._phase(place)
        interval = self.shape.commit_interval
        now = min(now, self._died.get(place, now))
        number = math.floor((now - phase) / interval)
        at = phase + number * interval
        # The lag wobbles by a sixth of the interval, so the next commit is always further on.
        lag = LAG_SECONDS + (seed + number * 3) % _WOBBLES / _WOBBLES * interval / 6
        return Commit(at, self._end(place.shard, at - lag))

    def kill_one(self, now: float) -> tuple[Place, float]:
        """Stop a consumer after its next commit; return its place and the time of that commit.

        The consumer is the one of the first group whose next commit is the earliest.
        """
        interval = self.shape.commit_interval
        place, at = min(
            (
                (place, self._phase(place)[0] + number * interval)
                for place in self._places(("project-0", "logstore-0", "group-0"))
                for number in [math.floor((now - self._phase(place)[0]) / interval) + 1]
            ),
            key=lambda found: found[1],
        )
        self._died[place] = at
        return place, at

    def _places(self, group: tuple[str, str, str]) -> Sequence[Place]:
        return [Place(*group, shard) for shard in range(self.shape.shards)]

    def _phase(self, place: Place) -> tuple[float, int]:
        """Return the time of the first commit, which differs by place, and a number to vary by."""
        digest = hashlib.blake2b("/".join(map(str, place)).encode(), digest_size=4).digest()
        seed = int.from_bytes(digest)
        return self.shape.created + seed / 2**32 * self.shape.commit_interval, seed

    def _received(self, shard: int, index: int) -> float:
        return self.shape.created + (index + 1) * _write_interval(shard)

    def _end(self, shard: int, now: float) -> int:
        """Return how many log groups were received at or before a time."""
        return max(0, math.floor((now - self.shape.created) / _write_interval(shard)))

    def _begin(self, shard: int, now: float) -> int:
        return self._end(shard, now - self.shape.ttl_days * _DAY_SECONDS)

    def _since(self, shard: int, since: int) -> int:
        """Return the index of the first log group that was received at or after a time."""
        return max(0, math.ceil((since - self.shape.created) / _write_interval(shard)) - 1)

    def _birth(self, shard: int) -> int:
        return self.shape.created * NANOSECONDS + shard

    def _cursor(self, shard: int, position: str, now: float) -> int:
        if position == "begin":
            return self._birth(shard) + self._begin(shard, now)
        if position == "end":
            return self._birth(shard) + self._end(shard, now)
        if not position.isdecimal() or len(position) > _MAX_DIGITS:
            raise parameter_invalid("from must be begin, end or unix seconds")
        index = min(self._since(shard, int(position)), self._end(shard, now))
        return self._birth(shard) + max(index, self._begin(shard, now))

    def _cursor_time(self, shard: int, cursor: str, now: float) -> int:
        position = decode_cursor(cursor)
        index = -1 if position is None else position - self._birth(shard)
        if not self._begin(shard, now) <= index < self._end(shard, now):
            raise invalid_cursor(cursor)
        return int(self._received(shard, index))

    def _checkpoints(self, group: tuple[str, str, str], now: float) -> Sequence[object]:
        if not _is_known(group[2], "group-", self.shape.groups):
            raise group_not_exist(group[2])
        return [
            {
                "shard": place.shard,
                "checkpoint": encode_cursor(self._birth(place.shard) + commit.position),
                "updateTime": int(commit.at * 1e6),
                "consumer": f"consumer-{place.shard}",
            }
            for place in self._places(group)
            for commit in [self.commit(place, now)]
        ]

    def _shards(self) -> Sequence[object]:
        count = self.shape.shards
        bounds = [(LAST_KEY + 1) * part // count for part in range(count)] + [LAST_KEY]
        return [
            {
                "shardID": shard,
                "status": "readwrite",
                "inclusiveBeginKey": f"{bounds[shard]:032x}",
                "exclusiveEndKey": f"{bounds[shard + 1]:032x}",
                "createTime": self.shape.created,
            }
            for shard in range(count)
        ]

    def _groups(self) -> Sequence[object]:
        names = sorted(f"group-{number}" for number in range(self.shape.groups))
        return [{"name": name, "timeout": 60, "order": False} for name in names]

    def _logstore(self, name: str) -> object:
        return {
            "logstoreName": name,
            "ttl": self.shape.ttl_days,
            "shardCount": self.shape.shards,
            "enable_tracking": False,
            "appendMeta": False,
            "autoSplit": False,
            "maxSplitShard": 0,
            "createTime": self.shape.created,
            "lastModifyTime": self.shape.created,
        }

    def _logstores(self, query: Mapping[str, str]) -> object:
        names = sorted(f"logstore-{number}" for number in range(self.shape.logstores))
        offset = int(query.get("offset", "0"))
        page = names[offset : offset + int(query.get("size", "500"))]
        return {"count": len(page), "total": len(names), "logstores": page}

    def _shard(self, text: str) -> int:
        if not text.isdecimal():
            raise parameter_invalid("shard must be a number")
        if int(text) >= self.shape.shards:
            raise shard_not_exist(int(text))
        return int(text)


_NAMES: Mapping[tuple[str, int], Callable[[Mapping[str, str]], str]] = {
    ("", 1): lambda _: "ListLogStores",
    ("", 2): lambda _: "GetLogStore",
    ("shards", 3): lambda _: "ListShards",
    ("shards", 4): lambda query: {"cursor": "GetCursor", "cursor_time": "GetCursorTime"}.get(
        query.get("type", ""), ""
    ),
    ("consumergroups", 3): lambda _: "ListConsumerGroup",
    ("consumergroups", 4): lambda _: "GetCheckPoint",
}


def operation(path: str, query: Mapping[str, str]) -> str:
    """Return the name of the operation that a GET request performs, or "" if it is unknown."""
    parts = path.strip("/").split("/")
    kind = parts[2] if len(parts) > 2 else ""  # noqa: PLR2004  below a logstore
    name = _NAMES.get((kind, len(parts)))
    return name(query) if name is not None and parts[0] == "logstores" else ""


def _write_interval(shard: int) -> float:
    return WRITE_INTERVALS[shard % len(WRITE_INTERVALS)]


def _is_known(name: str, prefix: str, count: int) -> bool:
    digits = name.removeprefix(prefix)
    return name.startswith(prefix) and digits.isdecimal() and int(digits) < count
