"""The parts of the time of a poll and of a scrape, each as a share of the sum.

The poll reads a consumer group of 64 shards, with checkpoints only and without the request. The
scrape has 100 000 shards with gzip, without HTTP. The least processor time of several runs counts.
"""

import argparse
import json
import time
import timeit
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from prometheus_client import CollectorRegistry

from benchmarks.made_up import SHARDS_A_GROUP, target, targets
from exporter.config.schema import MetricsConfig
from exporter.evaluation.shard import evaluate
from exporter.metrics.ages import AgeLines
from exporter.metrics.gzip_stream import gzipped
from exporter.metrics.polled_text import GroupText, PolledText
from exporter.metrics.registry_text import registry_text
from exporter.metrics.self_metrics import SelfMetrics
from exporter.model.progress import NOTHING_UNREAD
from exporter.model.shards import encode_cursor
from exporter.model.snapshot import TargetStatus, View
from exporter.sls import responses
from exporter.sls.operations import OPERATION_NAMES

Parts = Mapping[str, Callable[[], object]]
_NOW = 1_800_000_000.0
_FEW = 1000


def of_a_poll() -> Parts:
    """Return the steps of a poll after its response has arrived, in order."""
    body = json.dumps(
        [
            {
                "shard": number,
                "checkpoint": encode_cursor(1_700_000_000_000_000_000 + number),
                "updateTime": int((_NOW - number * 1.37) * 1e6),
                "consumer": f"consumer-1-{number}",
            }
            for number in range(SHARDS_A_GROUP)
        ]
    ).encode()
    found = responses.read_checkpoints(body, _NOW)
    status = target(1).groups[0]
    config = MetricsConfig()
    return {
        "reading": lambda: responses.read_checkpoints(body, _NOW),
        "evaluating": lambda: [
            evaluate(each, previous=None, end=None, unread=NOTHING_UNREAD, seen_at=_NOW)
            for each in found.entries
        ],
        "writing and compressing": lambda: GroupText(status, config),
    }


def of_a_scrape(shards: int) -> Parts:
    """Return the steps of a scrape. The first two together are the whole scrape."""
    statuses = targets(shards)
    config = MetricsConfig()
    waiting = [
        lines
        for status in statuses
        for group in status.groups
        for lines in GroupText(group, config).lines.values()
        if isinstance(lines, AgeLines)
    ]
    texts = [each.at(_NOW).text for each in waiting]
    return {
        "all": _scrape(statuses, config),
        "all, with every third checkpoint hours old": _scrape(targets(shards, idle=3600.0), config),
        # As in a scrape, each text is released before the next one is made.
        "filling in ages": lambda: deque((each.at(_NOW) for each in waiting), maxlen=0),
        "compressing them": lambda: deque(gzipped(texts), maxlen=0),
    }


def _scrape(statuses: Sequence[TargetStatus], config: MetricsConfig) -> Callable[[], object]:
    text, now = PolledText(), time.monotonic()
    for status in statuses:
        text.prepare(status, config)
    return lambda: deque(gzipped(text.write(View(targets=tuple(statuses)), config, now)), maxlen=0)


def of_a_small_scrape(shards: int) -> Parts:
    """Return the two parts of a scrape of few shards."""
    registry = CollectorRegistry()
    SelfMetrics(registry, operations=OPERATION_NAMES)
    return {
        "the exporter's own": lambda: registry_text(registry, openmetrics=False),
        "polled metrics": _scrape(targets(shards), MetricsConfig()),
    }


def least(parts: Parts, *, number: int, rounds: int) -> dict[str, float]:
    """Return the least seconds of each part, which take turns."""
    found = dict.fromkeys(parts, float("inf"))
    for _ in range(rounds):
        for name, part in parts.items():
            found[name] = min(
                found[name], timeit.timeit(part, number=number, timer=time.process_time) / number
            )
    return found


def report(title: str, found: Mapping[str, float], whole: float) -> None:
    """Print the share of each part."""
    print(f"{title}: {whole * 1e3:.2f} ms")
    for name, seconds in found.items():
        print(f"  {name:24} {seconds / whole:5.0%}")


def main() -> None:
    """Measure polls and scrapes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="2000 shards, one round")
    options = parser.parse_args()
    shards, rounds = (2000, 1) if options.quick else (100_000, options.rounds)
    found = least(of_a_poll(), number=20, rounds=rounds)
    report("a poll without its request", found, sum(found.values()))
    found = least(of_a_small_scrape(_FEW), number=20, rounds=rounds)
    report(f"a scrape of {_FEW} shards without HTTP", found, sum(found.values()))
    found = least(of_a_scrape(shards), number=1, rounds=rounds)
    whole, idle = found.pop("all"), found.pop("all, with every third checkpoint hours old")
    found["all others"] = whole - sum(found.values())
    report(f"a scrape of {shards} shards without HTTP", found, whole)
    print(f"  and with every third checkpoint hours old {idle / whole:.2f} times as long")


if __name__ == "__main__":
    main()
