"""The delay of health checks and polls by scrapes.

A process serves 100 000 shards and repeatedly polls a group of a local API over HTTPS. Another
process scrapes it without a pause, which no Prometheus does. Health checks are sent every few
milliseconds. Health checks and polls are compared with the time before the scrapes.
"""

import argparse
import gc
import http.client
import json
import signal
import statistics
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.api import PROJECT, Api, api, logstore
from benchmarks.engines import engine
from benchmarks.exposers import OURS, Exposer, serve_ours
from benchmarks.made_up import SHARDS_A_GROUP, targets
from benchmarks.processes import Process, module
from benchmarks.scrape import Scraper
from exporter.model.names import TargetKey

_PAUSE_SECONDS = 0.005


def serve(served: Api, shards: int) -> None:
    """Serve and poll until a signal arrives. The readiness check returns durations of polls."""
    gc.collect()
    gc.freeze()  # as the exporter does at startup
    made = engine(served, 1)
    durations: list[float] = []
    stop = threading.Event()

    def taken() -> str:
        return json.dumps([durations.pop() for _ in range(len(durations))])

    def poll() -> None:
        while not stop.wait(_PAUSE_SECONDS):
            started = time.perf_counter()
            made.manager.poll(TargetKey(served.endpoint, PROJECT, logstore(0)))
            durations.append(time.perf_counter() - started)

    port = serve_ours(targets(shards), taken)
    polling = threading.Thread(target=poll)
    polling.start()
    print(port, flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    stop.set()
    polling.join()
    made.close()


def scrape_for_ever(port: int) -> None:
    """Scrape without a pause until it is terminated."""
    scraper = Scraper(Exposer(name=OURS, port=port, process=Process(pid=0, said="")))
    print("begun", flush=True)
    while True:
        scraper.scrape()


def watch(port: int, seconds: float) -> tuple[list[float], list[float]]:
    """Return the durations of health checks, and of polls, over some seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def get(path: str) -> bytes:
        connection.request("GET", path)
        return connection.getresponse().read()

    get("/-/ready")
    checks = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.perf_counter()
        assert get("/-/healthy") == b"healthy\n"
        checks.append(time.perf_counter() - started)
        time.sleep(_PAUSE_SECONDS)
    polls: list[float] = json.loads(get("/-/ready").removeprefix(b"not ready: "))
    connection.close()
    return checks, polls


def main() -> None:
    """Measure, and print both in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--quick", action="store_true", help="1000 shards, half a second")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--scrape", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    shards, seconds = (1000, 0.5) if options.quick else (options.shards, options.seconds)
    if options.serve:
        endpoint, ca_file = options.serve
        nobody = Process(pid=0, said="")
        serve(Api(endpoint=endpoint, ca_file=Path(ca_file), process=nobody), options.shards)
    elif options.scrape:
        scrape_for_ever(options.scrape)
    else:
        _report(shards, seconds)


def _report(shards: int, seconds: float) -> None:
    with ExitStack() as stack:
        served = stack.enter_context(api(logstores=1, shards=SHARDS_A_GROUP))
        place = ["--serve", served.endpoint, str(served.ca_file), "--shards", str(shards)]
        port = stack.enter_context(module("interference", place)).said
        before = watch(int(port), seconds)
        stack.enter_context(module("interference", ["--scrape", port]))
        under = watch(int(port), seconds)
    print(f"{shards} shards, scraped without a pause, {seconds:g} s before and {seconds:g} s under")
    for name, quiet, loud in zip(("health check", "poll"), before, under, strict=True):
        delay = statistics.median(loud) - statistics.median(quiet)
        print(
            f"  {name:12} before {_shown(quiet)}, under scrapes {_shown(loud)},"
            f" median delay {delay * 1e3:.1f} ms"
        )


def _shown(durations: Sequence[float]) -> str:
    ordered = sorted(durations)
    late = ordered[int(0.99 * (len(ordered) - 1))]
    return (
        f"median {statistics.median(ordered) * 1e3:.1f} ms,"
        f" 99 % within {late * 1e3:.1f} ms, longest {ordered[-1] * 1e3:.1f} ms"
    )


if __name__ == "__main__":
    main()
