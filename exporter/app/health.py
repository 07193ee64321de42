"""Health and readiness of the process. Neither depends on SLS."""

from msgspec import Struct

from exporter.app.assembly import Parts
from exporter.app.jobs import Jobs
from exporter.base.text import bounded


class StuckAfter(Struct, frozen=True, kw_only=True):
    """The time without progress in seconds after which a thread counts as stuck."""

    heartbeat: float = 60.0
    poll: float = 900.0
    """The limit for a worker. Each request that ends, successfully or not, counts as progress."""


DEFAULT_STUCK_AFTER = StuckAfter()

_LISTINGS_SECONDS = 60.0
"""Time after the start for which readiness waits for listings that fail for a passing reason."""


class Health:
    """The liveness and readiness checks. Each returns None if it succeeds, otherwise the reason.

    The checks run on the event loop of the HTTP server, so they never block.
    """

    def __init__(self, parts: Parts, jobs: Jobs, stuck_after: StuckAfter) -> None:
        self._parts = parts
        self._jobs = jobs
        self._stuck_after = stuck_after
        self._started = parts.clock.monotonic()

    def unhealthy(self) -> str | None:
        """Return the reason why the process is not alive; None if it is alive."""
        if self._parts.clock.monotonic() - self._jobs.heartbeat_at > self._stuck_after.heartbeat:
            return "the scheduler does not run"
        longest = self._jobs.scheduler.longest_silence()
        if longest is not None and longest[1] > self._stuck_after.poll:
            return f"a worker is stuck in {bounded(longest[0])} for {longest[1]:.0f} s"
        return None

    def unready(self) -> str | None:
        """Return the reason why the metrics are not complete yet; None if they are complete."""
        if self._parts.cancelled.is_set():
            return "stopping"
        if not self._parts.manager.discovered:
            return "the names in the configuration are not resolved yet"
        unread = self._parts.manager.unread_listings
        if unread and self._parts.clock.monotonic() - self._started < _LISTINGS_SECONDS:
            return f"listings not read yet: {unread}"
        pending = len(self._parts.store.view().pending)
        return f"targets not polled yet: {pending}" if pending else None
