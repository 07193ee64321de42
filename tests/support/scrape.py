"""Samples of a registry, found by name and labels in a form that keeps tests readable."""

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from exporter.app.assembly import Parts


@dataclass(frozen=True, slots=True)
class Scrape:
    """All samples of one scrape."""

    samples: tuple[Sample, ...]

    def find(self, name: str, **labels: str) -> list[Sample]:
        """Return the samples of a name whose labels include those given."""
        return [
            sample
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]

    def value(self, name: str, **labels: str) -> float:
        """Return the value of the only sample that matches."""
        found = self.find(name, **labels)
        assert len(found) == 1, f"{len(found)} samples of {name} with {labels}"
        return float(found[0].value)

    def labels(self, name: str) -> list[dict[str, str]]:
        """Return the labels of every sample of a name."""
        return [dict(sample.labels) for sample in self.find(name)]


def scrape(source: Parts | CollectorRegistry) -> Scrape:
    """Scrape an engine or a registry, as Prometheus would."""
    if isinstance(source, Parts):
        return parsed(b"".join(source.scrape().body).decode())
    return parsed(generate_latest(source).decode())


def parsed(text: str) -> Scrape:
    """Read the text format."""
    return Scrape(tuple(_samples(text)))


def _samples(text: str) -> Iterable[Sample]:
    for family in text_string_to_metric_families(text):
        yield from family.samples
