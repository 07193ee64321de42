"""Four judges of the recording of a group, and whether each of them was right.

Each of them must find the shards that have data without a consumer, and how long this has lasted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.simulation.truth import alerts
from tests.simulation.truth.alerts import Firing, Rule
from tests.simulation.truth.burrow import Partition
from tests.simulation.truth.stage import POLL_SECONDS, SCRAPE_SECONDS, START, Look, Recording

STALL_AFTER = 300.0
EVALUATION_SECONDS = SCRAPE_SECONDS
IN_TIME = STALL_AFTER + POLL_SECONDS + SCRAPE_SECONDS + EVALUATION_SECONDS

AGE = "sls_consumer_group_checkpoint_age_seconds"

OURS = "sls-exporter"
NAIVE = "age > 300 s"
SERVICE = "lag > 300 s"
BURROW = "Burrow"


class Verdict(StrEnum):
    """The rating of a judge."""

    RIGHT = "right"
    FALSE_ALARM = "false alarm"
    LATE = "late"
    MISSED = "missed"


_WORST_FIRST = (Verdict.FALSE_ALARM, Verdict.MISSED, Verdict.LATE, Verdict.RIGHT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """The shards that no consumer reads, when this began, and the alert that must fire for it.

    ``since`` is the later of the last move and the receipt of the oldest unread log group.
    ``also`` are alerts that may fire in addition, for the same reason.
    """

    since: float
    shards: frozenset[str]
    alert: str = alerts.SHARD_STALLED
    also: frozenset[str] = frozenset({alerts.GROUP_STALLED})
    in_time: float = IN_TIME
    behind: "Trouble | None" = None
    """The trouble of shards behind an alert that names no shard; the other judges must find it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The rating of a judge, and the number of seconds until its alarm, if there was one.

    For a false alarm they count from the start of the watch, otherwise from that of the trouble.
    """

    verdict: Verdict
    seconds: float | None = None

    def rank(self) -> tuple[int, float]:
        """Return a sort key that puts the worst outcome first."""
        seconds = float("inf") if self.seconds is None else self.seconds
        return _WORST_FIRST.index(self.verdict), seconds

    def __str__(self) -> str:
        after = "" if self.seconds is None else f", {self.seconds:.0f} s"
        return f"{self.verdict}{after}"


def true_stalls(recording: Recording) -> Mapping[str, float]:
    """Return the shards that stall for longer than ``STALL_AFTER``, and the start of each stall.

    The result depends on the simulated world only. Checkpoints that cannot be read do not count.
    """
    moves: dict[int, tuple[int, float]] = {}
    found: dict[str, float] = {}
    for look in recording.looks:
        for number, shard in look.shards.items():
            if shard.checkpoint is None or shard.updated_at is None:
                continue
            if number not in moves or moves[number][0] != shard.checkpoint:
                moves[number] = shard.checkpoint, shard.updated_at
            if shard.oldest_unread_at is not None:
                since = max(moves[number][1], shard.oldest_unread_at) - START
                if look.at - since > STALL_AFTER:
                    found.setdefault(str(number), since)
    return found


def worst(found: Iterable[Outcome]) -> Outcome:
    """Return the worst outcome, or the earlier one of two with the same rating."""
    return min(found, key=Outcome.rank)


def outcomes(
    recording: Recording, trouble: Trouble | None, *, rules: Iterable[Rule]
) -> Mapping[str, Outcome]:
    """Return the outcome of each judge for a recording."""
    watched_from = recording.frames[0].at
    ours = alerts.firings(rules, recording.frames)
    of_shards = (trouble and trouble.behind) or trouble
    return {
        OURS: judge_firings(ours, trouble, watched_from=watched_from),
        NAIVE: _outcome(_above(recording, AGE), of_shards, watched_from),
        SERVICE: _outcome(_above(recording, alerts.LAG), of_shards, watched_from),
        BURROW: _outcome(_burrow(recording), of_shards, watched_from),
    }


def judge_firings(
    ours: Iterable[Firing], trouble: Trouble | None, *, watched_from: float
) -> Outcome:
    """Return the outcome for the alerts that fired."""
    if trouble is None:
        return _outcome([(each.shard, each.since) for each in ours], None, watched_from)
    spoke = []
    for each in ours:
        if each.alert == trouble.alert:
            spoke.append((each.shard, each.since))
        elif each.alert not in trouble.also or each.since < trouble.since:
            return Outcome(verdict=Verdict.FALSE_ALARM, seconds=each.since - watched_from)
    return _outcome(spoke, trouble, watched_from)


def _outcome(
    spoke: Iterable[tuple[str, float]], trouble: Trouble | None, watched_from: float
) -> Outcome:
    """Return the outcome for the shards that a judge reported, by the time of each first report."""
    first: dict[str, float] = {}
    for shard, at in spoke:
        first[shard] = min(at, first.get(shard, at))
    false = [
        at
        for shard, at in first.items()
        if trouble is None or shard not in trouble.shards or at < trouble.since
    ]
    if false:
        return Outcome(verdict=Verdict.FALSE_ALARM, seconds=min(false) - watched_from)
    if trouble is None:
        return Outcome(verdict=Verdict.RIGHT)
    if first.keys() != trouble.shards:
        return Outcome(verdict=Verdict.MISSED)
    # A trouble that began before the watch can be reported only from the start of the watch.
    seconds = max(first.values()) - max(trouble.since, watched_from)
    verdict = Verdict.RIGHT if seconds <= trouble.in_time else Verdict.LATE
    return Outcome(verdict=verdict, seconds=seconds)


def _above(recording: Recording, metric: str) -> list[tuple[str, float]]:
    return [
        (shard, frame.at)
        for frame in recording.frames
        for shard, value in frame.by_shard(metric).items()
        if value > STALL_AFTER
    ]


def _burrow(recording: Recording) -> list[tuple[str, float]]:
    """Let Burrow read each commit immediately and the ends every 10 s, even if the API fails.

    A status of WARN is not counted. It means that the consumer is slow, not that it stopped.
    """
    partitions: dict[int, Partition] = {}
    spoke: list[tuple[str, float]] = []
    for look in recording.looks:
        _feed(partitions, look)
        spoke += [
            (str(shard), look.at)
            for shard, partition in partitions.items()
            if partition.status(START + look.at).is_error
        ]
    return spoke


def _feed(partitions: dict[int, Partition], look: Look) -> None:
    for gone in partitions.keys() - look.shards.keys():
        del partitions[gone]
    for number, shard in look.shards.items():
        partition = partitions.setdefault(number, Partition())
        if not partition.knows_ends:
            partition.add_end(shard.end)
        # A commit meets the end that was read before it.
        if shard.checkpoint is not None and shard.updated_at is not None:
            partition.add_commit(shard.checkpoint, shard.updated_at)
        partition.add_end(shard.end)
