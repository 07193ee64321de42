"""Colors and limits of the dashboards. Limits that alert rules also have are the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models.dashboard import (
    Threshold,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

from exporter.status.wording import STATE_NAMES
from tools.dashboards.queries import NEVER, RANKS

GREEN, ORANGE, RED = "green", "orange", "red"
STATE_COLOURS = {
    "expired": "dark-red",
    "stalled": RED,
    "unknown": "#8e8e8e",
    "unconsumed": ORANGE,
    "consuming": "blue",
    "caught_up": GREEN,
    "finished": "dark-green",
}
_STATE_TEXTS = {state.value: text for state, text in STATE_NAMES.items()}


@dataclass(frozen=True, slots=True)
class Step:
    """A color from a value on. Values below the first step are green."""

    value: float
    colour: str


STALL_SECONDS = (Step(120, ORANGE), Step(300, RED))
LAG_SECONDS = (Step(300, ORANGE), Step(600, RED))
POLL_AGE_SECONDS = (Step(300, ORANGE), Step(900, RED))
SKEW_SECONDS = (Step(10, ORANGE), Step(60, RED))
RETENTION_SHARE = (Step(0.5, ORANGE), Step(0.8, RED))
LOSS_SECONDS = (Step(0, RED), Step(86_400, ORANGE), Step(7 * 86_400, GREEN))
CATCH_UP_SECONDS = (Step(3600, ORANGE), Step(NEVER, RED))
USED_SHARE = (Step(0.8, ORANGE), Step(1, RED))
ERROR_SHARE = (Step(0.01, ORANGE), Step(0.02, RED))
SKIPPED_SHARE = (Step(0.05, RED),)
OPEN_FILES_SHARE = (Step(0.8, ORANGE),)
ONE_IS_BAD = (Step(1, RED),)
ONE_IS_ODD = (Step(1, ORANGE),)


def thresholds(steps: Sequence[Step]) -> ThresholdsConfig:
    """Return the steps in the form that Grafana uses."""
    first = Threshold(value=None, color=GREEN)
    return ThresholdsConfig().steps(
        [first, *(Threshold(value=step.value, color=step.colour) for step in steps)]
    )


def state_mappings() -> list[ValueMapping]:
    """Return the mappings of ranks to states."""
    named = {
        str(rank): ValueMappingResult(
            text=_STATE_TEXTS[state], color=STATE_COLOURS[state], index=place
        )
        for place, (state, rank) in enumerate(RANKS.items())
    }
    named["0"] = ValueMappingResult(text="no shards", color="transparent", index=len(RANKS))
    return [ValueMap(options=named)]


def never_mappings() -> list[ValueMapping]:
    """Return the mapping of the time to catch up of a group that never does."""
    return [ValueMap(options={str(NEVER): ValueMappingResult(text="never", color=RED, index=0)})]
