"""The likely causes that the exporter shows in a recording, compared with the true ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exporter.model.progress import Cause
from tests.simulation.truth.judges import Verdict
from tests.simulation.truth.stage import SCRAPE_SECONDS, Frame, Recording

STALLED_SHARDS = "sls_consumer_group_stalled_shards"


@dataclass(frozen=True, slots=True, kw_only=True)
class Likely:
    """The true causes of the stalls of a scene, and the evidence that distinguishes them.

    A cause comes with the number of its shards.
    """

    causes: tuple[tuple[Cause, int], ...]
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The rating of the causes that were shown, and for how long a cause was unknown."""

    verdict: Verdict
    unknown_seconds: float = 0.0

    def __str__(self) -> str:
        if not self.unknown_seconds:
            return str(self.verdict)
        return f"{self.verdict}, `unknown` for {self.unknown_seconds:.0f} s"


def causes_in(frame: Frame) -> Mapping[Cause, int]:
    """Return the causes in a scrape, with their numbers of shards."""
    found = frame.samples.get(STALLED_SHARDS, {})
    return {Cause(dict(labels)["cause"]): int(value) for labels, value in found.items() if value}


def judge_causes(recording: Recording, likely: Likely | None) -> Shown:
    """Compare all causes that were shown with the true ones.

    A cause that is unknown for a while is not wrong. One that is never right is missed.
    """
    expected = dict(likely.causes) if likely else {}
    found = [causes for frame in recording.frames if (causes := causes_in(frame))]
    known = [_without_unknown(causes) for causes in found]
    unknown = sum(causes != certain for causes, certain in zip(found, known, strict=True))
    if any(_is_wrong(causes, expected) for causes in known):
        verdict = Verdict.FALSE_ALARM
    elif expected and expected not in found:
        verdict = Verdict.MISSED
    else:
        verdict = Verdict.RIGHT
    return Shown(verdict=verdict, unknown_seconds=unknown * SCRAPE_SECONDS)


def worst_shown(found: Iterable[Shown]) -> Shown:
    """Return the worst rating of several groups."""
    order = list(Verdict)
    return max(found, key=lambda shown: (order.index(shown.verdict), shown.unknown_seconds))


def _without_unknown(causes: Mapping[Cause, int]) -> dict[Cause, int]:
    return {cause: count for cause, count in causes.items() if cause is not Cause.UNKNOWN}


def _is_wrong(causes: Mapping[Cause, int], expected: Mapping[Cause, int]) -> bool:
    return any(count > expected.get(cause, 0) for cause, count in causes.items())
