"""The cost of a poll of 64 shards, compared with the vendor's SDK and labeled gauges.

Both sides poll the same consumer groups of one local server over HTTPS, with the same number of
threads, and prepare every shard for scrapes. The measured value is the processor time of this
process, without the server. One poll is the default, which reads the end of every shard to evaluate
it. The other has ``lag: false`` and sends a single request. Since one side writes its text at the
poll and the other at the scrape, the cost with one scrape for each poll is shown as well.

The lower bound is the single signed request by libcurl (pycurl, if installed) or http.client,
without parsing the response.
"""

import argparse
import gzip
import http.client
import io
import ssl
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import generate_latest

from benchmarks.api import GROUP, KEY, PROJECT, Api, api, logstore
from benchmarks.engines import engine
from benchmarks.made_up import SHARDS_A_GROUP
from benchmarks.sdk import sdk
from exporter.model.names import TargetKey
from exporter.sls.signing import API_VERSION, V1_METHOD, RequestParts, v1_signature

Poll = Callable[[int], None]
Scrape = Callable[[], bytes]
_THREADS = 8


@contextmanager
def ours(served: Api, groups: int, *, cursors: bool) -> Iterator[tuple[Poll, Scrape]]:
    """Poll by the exporter: request, evaluate, store, prepare for scrapes."""
    made = engine(served, groups, cursors=cursors)

    def poll(number: int) -> None:
        made.manager.poll(TargetKey(served.endpoint, PROJECT, logstore(number)))

    try:
        yield poll, lambda: b"".join(made.scrape(accept_encoding="gzip").body)
    finally:
        made.close()


@contextmanager
def libcurl(served: Api) -> Iterator[Poll]:
    """Send the same requests over one connection of libcurl."""
    handle: Any = import_module("pycurl").Curl()  # optional
    handle.setopt(handle.CAINFO, str(served.ca_file))

    def poll(number: int) -> None:
        body = io.BytesIO()
        path, headers = _signed(served, number)
        handle.setopt(handle.URL, served.endpoint + path)
        handle.setopt(handle.HTTPHEADER, [f"{name}: {value}" for name, value in headers.items()])
        handle.setopt(handle.WRITEDATA, body)
        handle.perform()
        assert handle.getinfo(handle.RESPONSE_CODE) == http.client.OK
        assert body.tell() > 0

    try:
        yield poll
    finally:
        handle.close()


@contextmanager
def standard_library(served: Api) -> Iterator[Poll]:
    """Send the same requests over one connection of http.client."""
    place = urlsplit(served.endpoint)
    context = ssl.create_default_context(cafile=str(served.ca_file))
    connection = http.client.HTTPSConnection(str(place.hostname), place.port, context=context)

    def poll(number: int) -> None:
        path, headers = _signed(served, number)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        assert answer.status == http.client.OK
        assert answer.read()

    with closing(connection):
        yield poll


def _signed(served: Api, number: int) -> tuple[str, dict[str, str]]:
    path = f"/logstores/{logstore(number)}/consumergroups/{GROUP}"
    headers = {
        "Host": f"{PROJECT}.{urlsplit(served.endpoint).netloc}",
        "Date": formatdate(usegmt=True),
        "x-log-apiversion": API_VERSION,
        "x-log-bodyrawsize": "0",
        "x-log-signaturemethod": V1_METHOD,
    }
    parts = RequestParts(method="GET", path=path, query={}, headers=headers)
    signature = v1_signature(parts, KEY.access_key_secret)
    return path, headers | {"Authorization": f"LOG {KEY.access_key_id}:{signature}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Processor seconds per group: of a poll, and of a poll with a scrape."""

    poll: float
    with_scrape: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    name: str
    poll: Poll
    scrape: Scrape | None = None
    threads: int = 1
    polls: list[float] = field(default_factory=list)
    scrapes: list[float] = field(default_factory=list)

    def round(self, groups: int) -> None:
        """Poll each group once, then scrape them all."""
        # Each thread gets its share in advance, so that the time to distribute polls is excluded.
        shares = [range(start, groups, self.threads) for start in range(self.threads)]
        with ThreadPoolExecutor(self.threads) as pool:
            started = time.process_time()
            for _ in pool.map(self._poll_each, shares):
                pass
            self.polls.append((time.process_time() - started) / groups)
        if self.scrape is not None:
            started = time.process_time()
            body = self.scrape()
            self.scrapes.append((time.process_time() - started) / groups)
            shown = gzip.decompress(body).count(b"\nsls_consumer_group_checkpoint_age_seconds{")
            assert shown == groups * SHARDS_A_GROUP

    def _poll_each(self, groups: Iterable[int]) -> None:
        for group in groups:
            self.poll(group)

    def cost(self) -> Cost:
        """Return the medians without the first round, which opens connections and makes series."""
        poll = statistics.median(self.polls[1:])
        return Cost(
            poll=poll,
            with_scrape=poll + (statistics.median(self.scrapes[1:]) if self.scrapes else 0.0),
        )


def measure(groups: int, rounds: int, *, cursors: bool, threads: int = _THREADS) -> dict[str, Cost]:
    """Return the cost of each side."""
    with ExitStack() as stack:
        served = stack.enter_context(api(logstores=groups, shards=SHARDS_A_GROUP))
        poll, scrape = stack.enter_context(ours(served, groups, cursors=cursors))
        sides = [_Side(name="ours", poll=poll, scrape=scrape, threads=threads)]
        poll, registry = stack.enter_context(sdk(served, cursors=cursors))
        sides.append(
            _Side(
                name="vendor's SDK",
                poll=poll,
                scrape=lambda: gzip.compress(generate_latest(registry)),
                threads=threads,
            )
        )
        if not cursors:
            floor = stack.enter_context(standard_library(served))
            sides.append(_Side(name="http.client", poll=floor))
            if find_spec("pycurl"):
                sides.append(_Side(name="libcurl", poll=stack.enter_context(libcurl(served))))
        for _ in range(rounds + 1):
            for side in sides:
                side.round(groups)
        return {side.name: side.cost() for side in sides}


def report(found: dict[str, Cost]) -> None:
    """Print a table with ratios."""
    first = found["ours"]
    for name, cost in found.items():
        scraped = (
            f"; with a scrape {cost.with_scrape / first.with_scrape:5.2f} x the exporter"
            if cost.with_scrape > cost.poll
            else ""
        )
        print(
            f"  {name:13} {cost.poll * 1e3:6.2f} ms of CPU per group, {1 / cost.poll:6.0f} groups"
            f" per CPU second, {cost.poll / first.poll:5.2f} x the exporter{scraped}"
        )


def main() -> None:
    """Measure both polls."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a few groups, one round")
    parser.add_argument("--threads", type=int, default=_THREADS, help="of either side")
    options = parser.parse_args()
    groups, rounds = (10, 1) if options.quick else (options.groups, options.rounds)
    print(f"groups of {SHARDS_A_GROUP} shards, HTTPS, signed, median of {rounds}")
    print("checkpoints, shards and their ends: the default")
    report(measure(max(1, groups // 5), rounds, cursors=True, threads=options.threads))
    print("checkpoints alone: lag: false")
    report(measure(groups, rounds, cursors=False, threads=options.threads))


if __name__ == "__main__":
    main()
