"""The jobs in the schedule: a poll per target, the discovery and the heartbeat."""

import socket
import threading
from collections.abc import Callable, Mapping

from exporter.app.assembly import Parts
from exporter.logs.logger import Logger
from exporter.model.names import TargetKey
from exporter.polling.failures import first_read_seconds
from exporter.polling.manager import pool_of
from exporter.polling.scheduler import BACKGROUND, Job, Scheduler
from exporter.polling.targets import Target

_DISCOVERY = "discovery"
_HEARTBEAT_SECONDS = 5.0
_TRY_AGAIN_SECONDS = 1.0


class Jobs:
    """The scheduler and its jobs, which are updated when the targets change.

    ``heartbeat_at`` is the monotonic time of the last heartbeat.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        total_shards: int,
        log: Logger,
        on_error: Callable[[str, BaseException], None],
    ) -> None:
        self._total_shards = total_shards
        self._parts = parts
        self._log = log
        self._lock = threading.Lock()
        self._listings_due = threading.Event()
        self._is_retry_due = False
        self._warned: frozenset[str] = frozenset()
        self._reported: list[dict[str, object]] = []
        self._is_capacity_due = False
        self._targets: Mapping[TargetKey, Target] = {}
        self.heartbeat_at = parts.clock.monotonic()
        self.scheduler = Scheduler(
            stopping=parts.cancelled,
            on_skip=self._skipped,
            on_error=on_error,
            workers=parts.workers,
            replica=socket.gethostname(),
        )
        parts.manager.on_targets = self.update
        parts.manager.on_progress = lambda key: self.scheduler.note_progress(_job_key(key))

    def update(self) -> None:
        """Schedule the current targets, and warn if their polls do not fit in the interval.

        A target with new groups is polled soon.
        """
        # A reload and a discovery can run concurrently. The last one must use the newest targets.
        with self._lock:
            targets = self._parts.manager.targets
            self.scheduler.set_jobs([*self._background(), *map(self._poll, targets)])
            known, self._targets = self._targets, {target.key: target for target in targets}
            for key, target in self._targets.items():
                if _has_new_groups(known.get(key, target), target):
                    self.scheduler.run_early(_job_key(key))
            self._is_capacity_due = True
        self._warn()

    def report_capacity(self) -> None:
        """Log the number of requests of each project, once after all targets have been polled.

        A project whose numbers are the same as before is left out.
        """
        if not self._is_capacity_due or self._parts.store.view().pending:
            return
        self._is_capacity_due = False
        known = self._reported
        self._reported = [
            {
                "sls_endpoint": str(demand.settings.endpoint),
                "project": demand.project,
                "logstores": demand.logstores,
                "interval_seconds": demand.settings.polling.interval,
                "at_rest": demand.requests.at_rest,
                "busy": demand.requests.busy,
                "after_start": demand.requests.cold,
            }
            for demand in self._parts.manager.demands()
        ]
        for fields in self._reported:
            if fields not in known:
                self._log.info("requests of the polls", **fields)
        self._warn()

    def _warn(self) -> None:
        warnings = [
            warning
            for demand in self._parts.manager.demands()
            for warning in demand.warnings(total_shards=self._total_shards)
        ]
        known, self._warned = self._warned, frozenset(warnings)
        for warning in warnings:
            if warning not in known:
                self._log.warning(warning)

    def configuration_changed(self) -> None:
        """Update the jobs after a reload, and resolve the names of the configuration soon."""
        self.update()
        self._listings_due.set()
        self.scheduler.run_soon(_DISCOVERY)

    def _background(self) -> list[Job]:
        heartbeat = Job(
            key="heartbeat",
            interval=_HEARTBEAT_SECONDS,
            run=self._beat,
            pool=BACKGROUND,
            spread=0.0,
        )
        discovery = Job(
            key=_DISCOVERY,
            interval=self._parts.manager.config.discovery.interval,
            run=self._discover,
            pool=BACKGROUND,
            spread=0.0,
        )
        return [heartbeat, discovery] if self._parts.manager.needs_listings else [heartbeat]

    def _poll(self, target: Target) -> Job:
        key = target.key
        return Job(
            key=_job_key(key),
            interval=target.settings.polling.interval,
            run=lambda: self._poll_once(key),
            pool=pool_of(target),
        )

    def _poll_once(self, key: TargetKey) -> None:
        """Poll a target, and again soon if it has changed meanwhile or nothing was ever read."""
        if not self._parts.manager.poll(key):
            self.scheduler.run_early(_job_key(key))
            return
        status = self._parts.store.get(key)
        after = first_read_seconds(status, self._parts.clock.wall()) if status else None
        if after is not None:
            self.scheduler.run_by(_job_key(key), after=after)

    def _discover(self) -> None:
        """Read all listings, or in a run between two regular ones, those that never succeeded."""
        only_due = self._is_retry_due and not self._listings_due.is_set()
        self._listings_due.clear()
        has_changed = self._parts.manager.discover(only_due=only_due)
        if has_changed or not only_due:
            self.update()
        after = self._parts.manager.seconds_to_listing()
        self._is_retry_due = after is not None and self.scheduler.run_by(_DISCOVERY, after=after)

    def _beat(self) -> None:
        self.heartbeat_at = self._parts.clock.monotonic()

    def _skipped(self, key: str) -> None:
        if key == _DISCOVERY and self._listings_due.is_set():
            # The current listings belong to the previous configuration.
            self.scheduler.run_soon(key, after=_TRY_AGAIN_SECONDS)
        else:
            self._parts.self_metrics.poll_skipped()


def _has_new_groups(before: Target, after: Target) -> bool:
    if after is before:
        return False
    known = {group.name for group in before.groups}
    return any(group.name not in known for group in after.groups)


def _job_key(key: TargetKey) -> str:
    return f"{key.project}/{key.logstore} at {key.sls_endpoint}"
