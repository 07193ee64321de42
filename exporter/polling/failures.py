"""Failures of requests as values, and the time of the next attempt.

A listing or logstore that was never read is read again soon. After that, the schedule applies.
"""

from exporter.model.snapshot import Failure, TargetStatus
from exporter.sls.errors import SlsError
from exporter.sls.remedies import remedy

_PASSING_SECONDS = 1.0, 10.0
_REFUSED_SECONDS = 30.0, 300.0


def failure_of(error: SlsError, *, since: float) -> Failure:
    """Return an error as a value. ``since`` is the time of the first failure in Unix seconds."""
    return Failure(
        code=error.code,
        message=str(error),
        since=since,
        remedy=remedy(error.code, error.operation),
        is_refusal=error.is_refusal,
    )


def retry_seconds(failure: Failure, now: float) -> float:
    """Return the seconds until the next attempt, given the Unix time of the last one.

    It is as long as the failure has lasted, within bounds, so it doubles from attempt to attempt.
    A refusal is tried less often, since it rarely passes by itself.
    """
    least, most = _REFUSED_SECONDS if failure.is_refusal else _PASSING_SECONDS
    return min(most, max(least, now - failure.since))


def first_read_seconds(status: TargetStatus, now: float) -> float | None:
    """Return the seconds until the next poll of a logstore of which nothing was ever read.

    Returns None if the schedule applies: a group has been read, or SLS refuses all of them.
    """
    if any(group.last_success is not None for group in status.groups):
        return None
    failures = [group.failure for group in status.groups if group.failure is not None]
    passing = [failure for failure in failures if not failure.is_refusal]
    return min((retry_seconds(failure, now) for failure in passing), default=None)
