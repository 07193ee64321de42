"""The failed polls by error code, with the constant labels of what failed."""

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from exporter.metrics.family import Family
from exporter.model.names import GroupKey
from exporter.model.snapshot import Labels

_MAX_CODES = 100
_OTHER = "other"


class ErrorCounts(Collector):
    """A counter whose series have other labels than those of prometheus_client.

    Each object has its constant labels, and new ones apply from the next scrape.
    """

    def __init__(self, family: Family) -> None:
        self._family = family
        self._lock = threading.Lock()
        self._counts: Counter[tuple[GroupKey, str]] = Counter()
        self._codes: set[str] = set()
        self._labels: Mapping[GroupKey, Labels] = MappingProxyType({})

    def count(self, key: GroupKey, code: str) -> None:
        """Count a failure of a group; an empty group means the logstore."""
        with self._lock:
            code = bounded_code(code, self._codes, most=_MAX_CODES)
            self._codes.add(code)
            self._counts[key, code] += 1

    def keep_only(self, labels: Mapping[GroupKey, Labels]) -> None:
        """Forget all other objects, and apply the constant labels of these."""
        with self._lock:
            self._labels = labels
            self._counts = Counter(
                {entry: count for entry, count in self._counts.items() if entry[0] in labels}
            )

    def describe(self) -> list[CounterMetricFamily]:
        """Describe nothing, so that registering does not collect."""
        return []

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the family. Objects with the same labels are one series."""
        with self._lock:
            counts, labels = self._counts.copy(), self._labels
        series: Counter[Labels] = Counter()
        for (key, code), count in counts.items():
            constant = dict(labels.get(key, ()))
            series[tuple({**constant, **key.labels, "code": code}.items())] += count
        family = CounterMetricFamily(self._family.name, self._family.help)
        for pairs, count in series.items():
            family.add_sample(self._family.name, dict(pairs), count)
        yield family


def bounded_code(code: str, known: Collection[str], *, most: int) -> str:
    """Return a code, or a common one if there are too many, as codes are untrusted input."""
    return code if code in known or len(known) < most else _OTHER
