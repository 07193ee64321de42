"""The time of the status page and its JSON for many groups, compared with a scrape."""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping

from benchmarks import made_up
from exporter.config.schema import MetricsConfig
from exporter.metrics.gzip_stream import gzipped
from exporter.metrics.polled_text import PolledText
from exporter.model.names import GroupKey
from exporter.model.progress import Totals
from exporter.model.snapshot import View
from exporter.status import api, page, rows
from exporter.status.history import History

SHARDS_A_GROUP = 4
Answer = Callable[[], int]


def main() -> None:
    """Print the median seconds of each response, and its ratio to a scrape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=10_000, help="groups of four shards")
    parser.add_argument("--rounds", type=int, default=5, help="rounds; the median counts")
    parser.add_argument("--quick", action="store_true", help="100 groups, one round")
    options = parser.parse_args()
    groups, rounds = (100, 1) if options.quick else (options.groups, options.rounds)
    view = View(targets=tuple(made_up.target(number, SHARDS_A_GROUP) for number in range(groups)))
    histories = {group.key: _history() for target in view.targets for group in target.groups}
    text, config = PolledText(), MetricsConfig()
    answers: dict[str, Answer] = {
        "scrape": lambda: sum(map(len, gzipped(text.write(view, config, time.monotonic())))),
        "page": lambda: len(page.page(document(view, histories), {}, telemetry_path="/metrics")),
        "page, searched": lambda: len(
            page.page(document(view, histories), {"q": "logstore-1"}, telemetry_path="/metrics")
        ),
        "JSON, 100 groups": lambda: len(api.as_json(document(view, histories), {"limit": "100"})),
        "JSON, all groups": lambda: len(api.as_json(document(view, histories), {})),
    }
    times: dict[str, list[float]] = {name: [] for name in answers}
    for _ in range(rounds + 1):
        for name, answer in answers.items():
            started = time.perf_counter()
            assert answer() > 0
            times[name].append(time.perf_counter() - started)
    scrape = statistics.median(times["scrape"][1:])
    print(f"{groups} groups of {SHARDS_A_GROUP} shards, median of {rounds}")
    for name, found in times.items():
        seconds = statistics.median(found[1:])
        print(f"{name:18} {seconds * 1e3:8.1f} ms  {seconds / scrape:6.1f} x a scrape")


def document(view: View, histories: Mapping[GroupKey, History]) -> rows.StatusRows:
    """Describe a view as of now."""
    return rows.document(view, monotonic=time.monotonic(), wall=time.time(), histories=histories)


def _history() -> History:
    """Return the samples of a group over an hour."""
    history = History()
    for poll in range(60):
        at = time.monotonic() - 60.0 * (60 - poll)
        totals = Totals(consumed=poll, written=2 * poll)
        history.add(at, poll * 1000 % 777, totals, interval=60.0)
    return history


if __name__ == "__main__":
    main()
