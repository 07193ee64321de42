"""The other side of the benchmark of polls: the vendor's SDK with labeled gauges.

It is the simplest code with these two for the same series. The evaluation is only the formula of
the two values that need the ends of shards.
"""

import base64
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from aliyun.log import LogClient
from prometheus_client import CollectorRegistry, Gauge

from benchmarks.api import GROUP, KEY, PROJECT, Api, logstore
from exporter.metrics import catalogue
from exporter.metrics.family import Family

_METRICS: tuple[Family, ...] = (
    catalogue.CHECKPOINT_AGE,
    catalogue.CHECKPOINT_UPDATED,
    catalogue.LAG,
    catalogue.UNREAD,
    catalogue.STALLED,
    catalogue.GROUP_SHARDS,
    catalogue.GROUP_UP,
    catalogue.GROUP_LAST_SUCCESS,
    catalogue.GROUP_CONSUMERS,
)


@contextmanager
def sdk(served: Api, *, cursors: bool) -> Iterator[tuple[Callable[[int], None], CollectorRegistry]]:
    """Yield a function that polls a group by its number into gauges, and their registry."""
    os.environ["REQUESTS_CA_BUNDLE"] = str(served.ca_file)
    client = LogClient(served.endpoint, KEY.access_key_id, KEY.access_key_secret)
    # The SDK does not recognize an address with a port, and it has no close method.
    vars(client)["_isRowIp"] = True
    registry = CollectorRegistry()
    gauges = {
        metric: Gauge(metric.name, metric.help, metric.labels, registry=registry)
        for metric in _METRICS
    }

    def poll(number: int) -> None:
        key = (PROJECT, logstore(number), GROUP)
        shards = client.get_check_point(*key).get_consumer_group_check_points()
        ends: Mapping[int, str] = {}
        if cursors:
            client.list_shards(PROJECT, key[1]).get_shards_info()
            ends = {
                shard["shard"]: client.get_cursor(
                    PROJECT, key[1], shard["shard"], "end"
                ).get_cursor()
                for shard in shards
            }
        _set(gauges, key, shards, ends)

    with closing(vars(client)["_session"]):
        yield poll, registry


def _set(
    gauges: Mapping[Family, Gauge],
    key: tuple[str, str, str],
    shards: list[dict[str, Any]],
    ends: Mapping[int, str],
) -> None:
    now = time.time()
    caught_up = 0
    for shard in shards:
        labels = (*key, str(shard["shard"]), shard["consumer"])
        at = shard["updateTime"] / 1e6
        gauges[catalogue.CHECKPOINT_UPDATED].labels(*labels).set(at)
        gauges[catalogue.CHECKPOINT_AGE].labels(*labels).set(max(0.0, now - at))
        end = ends.get(shard["shard"])
        if end is not None:
            unread = _number(end) - _number(shard["checkpoint"])
            assert unread == 0
            caught_up += 1
            for metric in (catalogue.UNREAD, catalogue.LAG, catalogue.STALLED):
                gauges[metric].labels(*labels).set(0.0)
    if ends:
        gauges[catalogue.GROUP_SHARDS].labels(*key, "caught_up").set(caught_up)
    gauges[catalogue.GROUP_UP].labels(*key).set(1)
    gauges[catalogue.GROUP_LAST_SUCCESS].labels(*key).set(now)
    consumers = len({shard["consumer"] for shard in shards} - {""})
    gauges[catalogue.GROUP_CONSUMERS].labels(*key).set(consumers)


def _number(cursor: str) -> int:
    return int(base64.b64decode(cursor))
