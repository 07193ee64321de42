"""The growth of scrape time, poll cost and memory with the number of shards.

It prints a line of JSON for each size, from which ``python -m benchmarks.growth_report`` makes the
table and the plot of docs/performance.md. Polls go over HTTPS to a local API, each group once.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from benchmarks import scrape
from benchmarks.api import PROJECT, api, logstore
from benchmarks.engines import engine
from benchmarks.made_up import SHARDS_A_GROUP
from benchmarks.processes import Process
from exporter.model.names import TargetKey

SIZES = (10, 100, 1000, 10_000, 100_000, 500_000)
_THREADS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The cost of a number of shards: seconds, processor seconds of all polls, megabytes."""

    shards: int
    scrape_seconds: float
    poll_cpu_seconds: float
    resident_megabytes: float


def measure(shards: int, rounds: int) -> Size:
    """Measure one size, with a separate process for each part."""
    results, _ = scrape.measure(shards, rounds, others=False)
    found = subprocess.run(  # noqa: S603  part of this benchmark
        [sys.executable, "-m", "benchmarks.growth", "--polled", str(shards)],
        check=True,
        capture_output=True,
        text=True,
    )
    cpu, resident = json.loads(found.stdout.splitlines()[-1])
    return Size(
        shards=shards,
        scrape_seconds=results[0].seconds,
        poll_cpu_seconds=cpu,
        resident_megabytes=resident,
    )


def polled(shards: int) -> tuple[float, float]:
    """Poll every group; return the processor seconds, and the resident megabytes after scrapes.

    The first round opens connections and is not counted.
    """
    groups = math.ceil(shards / SHARDS_A_GROUP)
    with api(logstores=groups, shards=math.ceil(shards / groups)) as served:
        made = engine(served, groups)
        keys = [TargetKey(served.endpoint, PROJECT, logstore(number)) for number in range(groups)]
        seconds = []
        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in range(3 if groups < SHARDS_A_GROUP else 2):
                started = time.process_time()
                list(pool.map(made.manager.poll, keys))
                seconds.append(time.process_time() - started)
        for _ in range(2):
            for _piece in made.scrape(accept_encoding="gzip").body:
                pass
        resident = Process(pid=os.getpid(), said="").resident_megabytes()
        made.close()
    return statistics.median(seconds[1:]), resident


def main() -> None:
    """Measure the sizes in turn, smallest first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="10 and 100 shards, one round")
    parser.add_argument("--polled", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.polled is not None:
        print(json.dumps(polled(options.polled)))
        return
    for shards in [10, 100] if options.quick else options.sizes:
        found = measure(shards, 1 if options.quick else options.rounds)
        print(json.dumps(asdict(found)), flush=True)


if __name__ == "__main__":
    main()
