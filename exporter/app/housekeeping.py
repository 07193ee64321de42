"""A thread for reloads, the watched file, jumps of the clock, and capacity reports."""

import threading
from collections.abc import Callable

from exporter.app.assembly import Parts
from exporter.app.jobs import Jobs
from exporter.app.reload import Reloader
from exporter.base.files import FileWatch
from exporter.logs.logger import Logger

_LATE_SECONDS = 30.0  # half of the time after which the process is unhealthy
_CLOCK_JUMP_SECONDS = 5.0
_PAUSE_SECONDS = 1.0
_WATCH_FILE_SECONDS = 5.0


class Housekeeping:
    """A loop that reloads the configuration and realigns the schedule as needed."""

    def __init__(
        self,
        parts: Parts,
        jobs: Jobs,
        reloader: Reloader,
        *,
        watched: FileWatch | None,
        log: Logger,
        on_error: Callable[[str, BaseException], None],
    ) -> None:
        self._clock = parts.clock
        self._cancelled = parts.cancelled
        self._manager = parts.manager
        self._jobs = jobs
        self._reloader = reloader
        self._watched = watched
        self._log = log
        self._on_error = on_error
        self._reload_requested = threading.Event()
        self._next_look_at_file = 0.0
        self._realigned_at = self._clock.monotonic()
        self._offset = self._clock.wall() - self._clock.monotonic()

    def request_reload(self) -> None:
        """Make the loop reload the configuration soon, or end if the process stops."""
        self._reload_requested.set()

    def run(self) -> None:
        """Run the loop until the process stops."""
        while not self._cancelled.is_set():
            requested = self._reload_requested.wait(_PAUSE_SECONDS)
            self._reload_requested.clear()
            if self._cancelled.is_set():
                return
            try:
                if requested or self._file_changed():
                    self._reloader.reload()
                self._check_clock()
                self._jobs.report_capacity()
                self._manager.report_usage()
            except Exception as error:  # noqa: BLE001  reported, and the loop must go on
                self._on_error("tend", error)

    def _file_changed(self) -> bool:
        if self._watched is None or self._clock.monotonic() < self._next_look_at_file:
            return False
        self._next_look_at_file = self._clock.monotonic() + _WATCH_FILE_SECONDS
        return self._watched.settled()

    def _check_clock(self) -> None:
        offset = self._clock.wall() - self._clock.monotonic()
        jump = offset - self._offset
        if abs(jump) > _CLOCK_JUMP_SECONDS:
            self._offset = offset
            self._log.warning("the system clock has jumped", seconds=round(jump, 1))
            self._jobs.scheduler.realign()
            return
        # If the clock jumped forward and back between two checks, the offset is unchanged, but the
        # next runs can be hours in the future. The late heartbeat reveals this.
        now = self._clock.monotonic()
        if now - max(self._jobs.heartbeat_at, self._realigned_at) > _LATE_SECONDS:
            self._realigned_at = now
            self._log.warning(
                "the scheduler is late, rescheduling all polls",
                seconds=round(now - self._jobs.heartbeat_at, 1),
            )
            self._jobs.scheduler.realign()
