"""Lower bounds of the counters in the responses of a race."""

import heapq
from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

from tests.process.race.history import (
    JOINED_SECONDS,
    NARROW,
    OF_SHAPE,
    OF_TARGETS,
    STABLE,
    Answer,
)
from tests.process.race.oracle import ERRORS, LAST_SUCCESS, UPDATED, key_of


class Floor:
    """Lower bounds of counters: the highest values of responses that ended before a request."""

    def __init__(self) -> None:
        self._ended: list[tuple[float, int, Mapping[tuple[str, ...], float]]] = []
        self._highest: dict[tuple[str, ...], float] = {}

    def check(self, answer: Answer, found: Sequence[Metric]) -> None:
        """Compare a response. Responses must come in the order of the starts of their requests."""
        while self._ended and self._ended[0][0] <= answer.began - JOINED_SECONDS:
            for series, value in heapq.heappop(self._ended)[2].items():
                self._highest[series] = max(value, self._highest.get(series, value))
        values = dict(self._growing(found))
        for series, value in values.items():
            assert value >= self._highest.get(series, value), f"went back: {series}"
        heapq.heappush(self._ended, (answer.ended, id(answer), values))

    @staticmethod
    def _growing(found: Sequence[Metric]) -> Iterator[tuple[tuple[str, ...], float]]:
        for family in found:
            for sample in family.samples:
                labels = dict(sample.labels)
                labels.pop("consumer", None)
                counts = (
                    family.type not in {"gauge", "info"}
                    and sample.name != ERRORS
                    and is_always_configured(sample)
                )
                if counts or (
                    sample.name in {UPDATED, LAST_SUCCESS} and key_of(sample) in set(STABLE)
                ):
                    pairs = (text for pair in sorted(labels.items()) for text in pair)
                    yield (sample.name, *pairs), sample.value


def is_always_configured(sample: Sample) -> bool:
    """Return whether every configuration names the object of a sample, if it has one.

    The counters of a project or a group start again at 0 after a configuration without it.
    """
    if "consumer_group" not in sample.labels:
        return sample.labels.get("project", "") in {"", *NARROW.projects}
    key = key_of(sample)
    return key in STABLE and all(variant.wants(key) for variant in (*OF_SHAPE, *OF_TARGETS))
