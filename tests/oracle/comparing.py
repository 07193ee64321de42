"""A scrape beside what it should be: every series, every value."""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, tuple[tuple[str, str], ...]]
"""A name, and labels in the order of their names."""

# Of what is compared: all that is polled, and what can be known of the exporter's own counters.
_COMPARED = (
    "sls_consumer_group_",
    "sls_logstore_",
    "sls_exporter_cursor_access",
    "sls_exporter_poll_errors_total",
    "sls_exporter_polls_total",
    "sls_exporter_series",
    "sls_exporter_targets",
)
_AGES = ("_age_seconds", "_stalled_seconds")
_AGE_PRECISION = 0.201  # whole tenths of a second between two instants


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A series that is not as it should be; None where there is, or should be, none."""

    series: Series
    expected: float | None
    got: float | None

    def __str__(self) -> str:
        name, labels = self.series
        text = ",".join(f'{label}="{value}"' for label, value in labels)
        return f"{name}{{{text}}}: expected {_shown(self.expected)}, got {_shown(self.got)}"


def named(name: str, labels: Mapping[str, str]) -> Series:
    """Return the series of a name and labels."""
    return name, tuple(sorted(labels.items()))


def compare(text: str, expected: Mapping[Series, float]) -> list[Difference]:
    """Return all differences between a scrape in the text format and what it should show."""
    shown: dict[Series, float] = {}
    differences: list[Difference] = []
    for series, value in _samples(text):
        if series in shown:  # there is one of it already, so no second one should be
            differences.append(Difference(series=series, expected=None, got=value))
        shown[series] = value
    differences += [
        Difference(series=series, expected=expected.get(series), got=shown.get(series))
        for series in sorted(expected.keys() | shown.keys())
        if not _equal(series, expected.get(series), shown.get(series))
    ]
    return differences


def _samples(text: str) -> Iterator[tuple[Series, float]]:
    for line in text.splitlines():
        if line.startswith(_COMPARED):
            series, _, value = line.rpartition(" ")
            yield read_series(series), float(value)


@functools.lru_cache(maxsize=100_000)
def read_series(series: str) -> Series:
    """Read the name and the labels of a series; the same ones come at every scrape."""
    (family,) = text_string_to_metric_families(f"{series} 0\n")
    (sample,) = family.samples
    return named(sample.name, sample.labels)


def _equal(series: Series, expected: float | None, got: float | None) -> bool:
    if expected is None or got is None:
        return False
    precision = _AGE_PRECISION if series[0].endswith(_AGES) else 0.0
    return abs(expected - got) <= precision


def _shown(value: float | None) -> str:
    return "nothing" if value is None else repr(value)
