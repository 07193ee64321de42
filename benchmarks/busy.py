"""The cost and the delay of watching busy consumer groups, and of watching them exactly.

The exporter runs as a daemon with its default settings against a fake SLS, each in its own process.
Every consumer commits once per minute, a few seconds behind its producer, and one dies after the
start. The figures come from scrapes, from the counters of the fake and from the kernel.

A case is SHARDSxGROUPS[@LATENCYms][/REQUESTS_PER_SECOND], the latter being a quota of the service.
All cases run at the same time. Then the vendor's SDK polls each case once in the exact way,
which requests two times for each shard of a group that is behind.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import msgspec
from msgspec.structs import replace

from benchmarks.busy_table import text_table
from benchmarks.cases import Case, Figures, Settings, parse_case
from benchmarks.exact import Exact
from benchmarks.moving import Shape
from benchmarks.observe import observe
from benchmarks.standin import Behavior, Standin, created, standin
from tools.paths import ROOT

CASES = ("16x6", "64x20", "256x30", "64x10@250ms", "64x10/20")
_STAGGER_SECONDS = 8.0
_STALL_AFTER, _FLEET_STALL_AFTER = 150.0, 240.0
_EXACT_SECONDS = 20.0


def measure(
    cases: Sequence[Case], settings: Settings, *, stagger: float, exact_seconds: float
) -> list[Figures]:
    """Return the figures of all cases; the exporters start ``stagger`` seconds apart."""
    with ExitStack() as stack:
        served = [stack.enter_context(_standin(case, settings)) for case in cases]

        def run(number: int) -> Figures:
            time.sleep(number * stagger)  # so that one start does not slow down another
            return observe(cases[number], settings, served[number])

        with ThreadPoolExecutor(len(cases)) as pool:
            found = list(pool.map(run, range(len(cases))))
        if exact_seconds:
            found = [
                replace(each, exact=_exact(each.case, one, exact_seconds))
                for each, one in zip(found, served, strict=True)
            ]
    return found


def _standin(case: Case, settings: Settings) -> AbstractContextManager[Standin]:
    shape = Shape(
        projects=case.projects,
        logstores=case.logstores,
        shards=case.shards,
        groups=case.groups,
        commit_interval=settings.commit_interval,
        created=created(time.time()),
    )
    return standin(shape, Behavior(latency=case.latency, quota=case.quota))


def _exact(case: Case, served: Standin, seconds: float) -> Exact:
    command = [
        *(sys.executable, "-m", "benchmarks.exact", served.url),
        *("--groups", str(case.groups), "--seconds", str(seconds)),
    ]
    done = subprocess.run(  # noqa: S603  part of this benchmark
        command, cwd=ROOT, check=True, capture_output=True
    )
    return msgspec.json.decode(done.stdout, type=Exact)


def main() -> None:
    """Measure the cases, and print and save the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("cases", nargs="*", help=f"cases to measure (default: {' '.join(CASES)})")
    add("--interval", type=float, default=60.0, help="polling interval in seconds (default: 60)")
    add("--stall-after", type=float, help="in seconds (default: 150, 240 with --fleet)")
    add("--commit-interval", type=float, default=60.0, help="of consumers (default: 60)")
    add("--exact-seconds", type=float, help="limit of the exact way, 0 to omit it (default: 20)")
    add("--fleet", action="store_true", help="50 projects of 200 logstores of 8 shards, 2 groups")
    add("--logstores", type=int, default=200, help="per project of the fleet (default: 200)")
    add("--intervals", type=float, default=4.0, help="that a run lasts at least (default: 4)")
    add("--json", type=Path, help="file for the figures, for benchmarks.busy_report")
    add("--quick", action="store_true", help="one small case with an interval of one second")
    options = parser.parse_args()
    cases = [parse_case(text) for text in options.cases or CASES]
    settings = Settings(
        interval=options.interval,
        stall_after=options.stall_after or (_FLEET_STALL_AFTER if options.fleet else _STALL_AFTER),
        commit_interval=options.commit_interval,
        intervals=options.intervals,
    )
    exact_seconds = _EXACT_SECONDS if options.exact_seconds is None else options.exact_seconds
    if options.fleet:
        cases = [Case(shards=8, groups=2, projects=50, logstores=options.logstores)]
        exact_seconds = 0.0
    if options.quick:
        cases = [parse_case("4x2")]
        settings = Settings(interval=1.0, stall_after=5.0, commit_interval=2.0)
    found = measure(cases, settings, stagger=_STAGGER_SECONDS, exact_seconds=exact_seconds)
    print(
        f"interval {settings.interval:g} s, stalled after {settings.stall_after:g} s,"
        f" a commit every {settings.commit_interval:g} s"
    )
    print(text_table(found))
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")


if __name__ == "__main__":
    main()
