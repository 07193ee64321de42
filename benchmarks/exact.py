"""The exact way to evaluate every shard: one poll by the vendor's SDK, for ``benchmarks.busy``.

It lists the shards, reads the checkpoints of each group and the end of each shard, and requests
two times for each shard of a group that is behind. Eight threads share these requests. As a module
it prints its progress within a time limit as JSON.
"""

import argparse
import base64
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeVar

import msgspec
from aliyun.log import LogClient, LogException
from msgspec import Struct

from benchmarks.api import KEY

THREADS = 8
_REFUSED_PAUSE_SECONDS = 0.5

T = TypeVar("T")


class Exact(Struct, frozen=True, kw_only=True):
    """The cost of one poll, and how many shards of groups it evaluated of those wanted."""

    seconds: float
    cpu_seconds: float
    requests: int
    evaluated: int
    wanted: int

    @property
    def is_complete(self) -> bool:
        """True if every shard of every group was evaluated within the time limit."""
        return self.evaluated == self.wanted


class LimitReachedError(Exception):
    """The time limit was reached."""


class _Poll:
    """One poll of a logstore until a deadline on the monotonic clock."""

    def __init__(self, client: Any, project: str, logstore: str, deadline: float) -> None:  # noqa: ANN401  untyped
        self._client = client
        self._place = project, logstore
        self._deadline = deadline
        self.requests: list[None] = []  # appended to by several threads

    def checkpoints(self, group: str) -> dict[int, int]:
        """Return the cursor of each shard of a group."""
        response = self._ask(lambda: self._client.get_check_point(*self._place, group))
        rows = response.get_consumer_group_check_points()
        return {int(row["shard"]): _decoded(row["checkpoint"]) for row in rows}

    def shards(self) -> list[int]:
        """Return the IDs of the shards."""
        response = self._ask(lambda: self._client.list_shards(*self._place))
        return [int(row["shardID"]) for row in response.get_shards_info()]

    def end(self, shard: int) -> int:
        """Return the end cursor of a shard."""
        response = self._ask(lambda: self._client.get_cursor(*self._place, shard, "end"))
        return _decoded(response.get_cursor())

    def evaluate(self, pair: tuple[int, int, int]) -> bool:
        """Read the times of the oldest unread and of the newest consumed log group."""
        shard, checkpoint, end = pair
        try:
            for cursor in (checkpoint, checkpoint - 1) if checkpoint < end else ():
                self._time(shard, cursor)
        except LimitReachedError:
            return False
        return True

    def _time(self, shard: int, cursor: int) -> int:
        text = base64.b64encode(str(cursor).encode()).decode()
        response = self._ask(lambda: self._client.get_cursor_time(*self._place, shard, text))
        return int(response.get_cursor_time())

    def _ask(self, call: Callable[[], T]) -> T:
        while time.monotonic() < self._deadline:
            self.requests.append(None)
            try:
                return call()
            except LogException as error:
                if "Quota" not in error.get_error_code() and "Qps" not in error.get_error_code():
                    raise
                time.sleep(_REFUSED_PAUSE_SECONDS)
        raise LimitReachedError


def poll(client: Any, project: str, groups: Iterable[str], seconds: float) -> Exact:  # noqa: ANN401  untyped
    """Poll the first logstore of a project once."""
    started, cpu = time.monotonic(), time.process_time()
    each = _Poll(client, project, "logstore-0", started + seconds)
    names, evaluated, wanted = list(groups), 0, 0
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            shards = each.shards()
            wanted = len(shards) * len(names)
            checkpoints = list(pool.map(each.checkpoints, names))
            ends = dict(zip(shards, pool.map(each.end, shards), strict=True))
        except LimitReachedError:
            pass
        else:
            pairs = [(shard, group[shard], ends[shard]) for group in checkpoints for shard in group]
            evaluated = sum(pool.map(each.evaluate, pairs))
    return Exact(
        seconds=time.monotonic() - started,
        cpu_seconds=time.process_time() - cpu,
        requests=len(each.requests),
        evaluated=evaluated,
        wanted=wanted,
    )


def main() -> None:
    """Poll once and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("endpoint")
    parser.add_argument("--groups", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    client = LogClient(options.endpoint, KEY.access_key_id, KEY.access_key_secret)
    vars(client)["_isRowIp"] = True  # the SDK does not recognize an IP address with a port
    groups = [f"group-{number}" for number in range(options.groups)]
    with closing(vars(client)["_session"]):
        found = poll(client, "project-0", groups, options.seconds)
    print(msgspec.json.encode(found).decode())


def _decoded(cursor: str) -> int:
    return int(base64.b64decode(cursor))


if __name__ == "__main__":
    main()
