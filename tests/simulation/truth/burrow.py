"""Burrow's rules for one partition, as pure functions.

Source: linkedin/Burrow, commit d327a3e2, core/internal/evaluator/caching.go (the rules and their
order), and commit 62a851a1, core/internal/storage/inmemory.go (the stored data). Burrow stores the
latest ten commits, each with the lag at the time of its receipt, and the latest ten ends of the
partition.
"""

import itertools
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

INTERVALS = 10  # Burrow's default length of both memories


class Status(StrEnum):
    """The status of a partition; all but OK and WARN make the group's status ERR."""

    OK = "OK"
    WARN = "WARN"
    STOP = "STOP"
    STALL = "STALL"
    REWIND = "REWIND"

    @property
    def is_error(self) -> bool:
        """True if Burrow reports that the consumer does not work, rather than that it is slow."""
        return self not in {Status.OK, Status.WARN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A committed offset: when it was written, and the lag as it was known when it came in."""

    offset: int
    at: float
    lag: int


class Partition:
    """Data that Burrow stores about one partition and one group."""

    def __init__(self) -> None:
        self._commits: deque[Commit] = deque(maxlen=INTERVALS)
        self._ends: deque[int] = deque(maxlen=INTERVALS)

    def add_commit(self, offset: int, at: float) -> None:
        """Store a commit, unless it is known or no end was read yet."""
        if not self._ends or (self._commits and self._commits[-1].at >= at):
            return
        lag = max(0, self._ends[-1] - offset)
        self._commits.append(Commit(offset=offset, at=at, lag=lag))

    def add_end(self, end: int) -> None:
        """Store the current end of the partition."""
        self._ends.append(end)

    @property
    def knows_ends(self) -> bool:
        """True if the end was read before."""
        return bool(self._ends)

    def status(self, now: float) -> Status:
        """Evaluate the partition; one without commits is OK."""
        if not self._commits:
            return Status.OK
        return evaluate(tuple(self._commits), tuple(self._ends), now)


def evaluate(commits: tuple[Commit, ...], ends: tuple[int, ...], now: float) -> Status:
    """Apply the rules in Burrow's order."""
    if commits[-1].offset >= ends[-1]:
        return Status.OK
    if has_stopped(commits, now) and not was_recently_at_end(commits, ends):
        return Status.STOP
    if any(commit.lag == 0 for commit in commits):
        return Status.OK
    return evaluate_movement(commits)


def evaluate_movement(commits: tuple[Commit, ...]) -> Status:
    """Apply the rules for commits that never reached the end."""
    offsets = [commit.offset for commit in commits]
    if any(later < earlier for earlier, later in itertools.pairwise(offsets)):
        return Status.REWIND
    if len(set(offsets)) == 1:
        return Status.STALL
    lags = [commit.lag for commit in commits]
    slow = all(later >= earlier for earlier, later in itertools.pairwise(lags))
    return Status.WARN if slow else Status.OK


def has_stopped(commits: tuple[Commit, ...], now: float) -> bool:
    """Return whether the last commit is older than the time span of the stored commits."""
    return now - commits[-1].at > commits[-1].at - commits[0].at


def was_recently_at_end(commits: tuple[Commit, ...], ends: tuple[int, ...]) -> bool:
    """Return whether the last commit had reached any of the stored ends."""
    return any(end <= commits[-1].offset for end in ends)
