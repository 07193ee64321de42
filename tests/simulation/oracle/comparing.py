"""A scrape compared with what it is allowed to show: every series, every value."""

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, tuple[tuple[str, str], ...]]
"""A name, and labels in the order of their names."""

# The names of compared metrics begin with these: all polled metrics, and those of the exporter's
# own metrics that can be predicted.
_COMPARED = (
    "sls_consumer_group_",
    "sls_logstore_",
    "sls_exporter_cursor_access",
    "sls_exporter_discovery_",
    "sls_exporter_retention_access",
    "sls_exporter_poll_errors_total",
    "sls_exporter_polls_total",
    "sls_exporter_series",
    "sls_exporter_targets",
)
_AGES = ("_age_seconds", "_stalled_seconds")
AGE_PRECISION = 0.201
"""Error of the whole tenths of a second between two instants."""


class Span(NamedTuple):
    """Bounds of a value, with the true value, which need not be between them."""

    true: float
    least: float
    most: float

    def since(self, now: float) -> "Span":
        """Return the seconds from an instant within these bounds until now, 0 if it is later."""
        return Span(
            max(0.0, now - self.true), max(0.0, now - self.most), max(0.0, now - self.least)
        )

    def not_before(self, instant: float | None) -> "Span":
        """Return the bounds of the later one of two instants."""
        return self if instant is None else Span(*(max(instant, each) for each in self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """The values that a series may have, and whether it may be absent."""

    spans: tuple[Span, ...]
    optional: bool = False

    @property
    def least(self) -> float:
        """The least allowed value."""
        return min(span.least for span in self.spans)

    @property
    def most(self) -> float:
        """The greatest allowed value."""
        return max(span.most for span in self.spans)

    @property
    def true(self) -> float | None:
        """The true value, None if a failure leaves several possibilities."""
        return self.spans[0].true if len(self.spans) == 1 else None

    def includes(self, value: float | None, precision: float) -> bool:
        """Return whether the series may have a value, which is None if the series is absent."""
        if value is None:
            return self.optional
        return any(each.least - precision <= value <= each.most + precision for each in self.spans)

    def __str__(self) -> str:
        texts = [
            repr(each.least) if each.least == each.most else f"{each.least!r}…{each.most!r}"
            for each in self.spans
        ]
        return " or ".join([*texts, *(["nothing"] if self.optional else [])])


def exactly(value: float) -> Allowed:
    """Return that a series has a value."""
    return Allowed(spans=(Span(value, value, value),))


def between(true: float, least: float, most: float, *, optional: bool = False) -> Allowed:
    """Return that a series has a value between bounds, or may be absent if it is ``optional``."""
    return Allowed(spans=(Span(true, least, most),), optional=optional)


def either(alternatives: Iterable[Allowed | None]) -> Allowed | None:
    """Return that a series has a value of any alternative; None stands for its absence."""
    each = tuple(alternatives)
    known = [allowed for allowed in each if allowed is not None]
    if not known:
        return None
    spans = dict.fromkeys(span for allowed in known for span in allowed.spans)
    optional = None in each or any(allowed.optional for allowed in known)
    return Allowed(spans=tuple(spans), optional=optional)


def earliest(instants: Sequence[Allowed]) -> Allowed | None:
    """Return that a series has the least of several values; None if there are none."""
    if not instants:
        return None
    certain = [each.most for each in instants if not each.optional]
    most = min(certain) if certain else max(each.most for each in instants)
    true = min(span.true for each in instants for span in each.spans)
    return between(true, min(each.least for each in instants), most, optional=not certain)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A series whose value is not allowed; None stands for an absent series."""

    series: Series
    expected: Allowed | None
    got: float | None

    def __str__(self) -> str:
        name, labels = self.series
        text = ",".join(f'{label}="{value}"' for label, value in labels)
        return f"{name}{{{text}}}: expected {_text(self.expected)}, got {_text(self.got)}"


def named(name: str, labels: Mapping[str, str]) -> Series:
    """Return the series of a name and labels."""
    return name, tuple(sorted(labels.items()))


def compare(text: str, expected: Mapping[Series, Allowed]) -> list[Difference]:
    """Return all differences between a scrape in the text format and what it may show."""
    shown: dict[Series, float] = {}
    differences: list[Difference] = []
    for series, value in samples(text):
        if series in shown:  # a second sample of a series is not allowed
            differences.append(Difference(series=series, expected=None, got=value))
        shown[series] = value
    differences += [
        Difference(series=series, expected=expected.get(series), got=shown.get(series))
        for series in sorted(expected.keys() | shown.keys())
        if not _is_allowed(series, expected.get(series), shown.get(series))
    ]
    return differences


def without_cause(text: str) -> Iterator[Difference]:
    """Yield the numbers of stalled shards that differ from the sum over their causes."""
    stalled: dict[Series, float] = {}
    caused: defaultdict[Series, float] = defaultdict(float)
    for (name, labels), value in samples(text):
        group = {label: each for label, each in labels if label not in {"state", "cause"}}
        series = named("sls_consumer_group_shards", {**group, "state": "stalled"})
        if (name, labels) == series:
            stalled[series] = value
        elif name == "sls_consumer_group_stalled_shards":
            caused[series] += value
    for series in sorted(stalled.keys() | caused.keys()):
        if stalled.get(series) != caused[series]:
            yield Difference(
                series=series, expected=exactly(caused[series]), got=stalled.get(series)
            )


def samples(text: str) -> Iterator[tuple[Series, float]]:
    """Yield the samples of a scrape that are compared."""
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


def _is_allowed(series: Series, expected: Allowed | None, got: float | None) -> bool:
    if expected is None:
        return got is None
    return expected.includes(got, AGE_PRECISION if series[0].endswith(_AGES) else 0.0)


def _text(value: Allowed | float | None) -> str:
    return "nothing" if value is None else str(value)
