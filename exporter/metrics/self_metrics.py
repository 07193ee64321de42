"""The metrics of the exporter itself, as counters, gauges and histograms."""

import contextlib
import platform
import threading
from collections.abc import Collection, Mapping, Sequence

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from exporter import __version__
from exporter.metrics import self_catalogue
from exporter.metrics.error_counts import ErrorCounts, bounded_code
from exporter.metrics.family import Family
from exporter.model.names import GroupKey, ProjectKey
from exporter.model.snapshot import Labels

_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_POLL_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_MAX_CODES_OF_PROJECT = 20  # each is a series per operation


class SelfMetrics:
    """Counters, histograms and gauges of the exporter itself, in their own registry.

    The series of each of the ``operations`` exist from the start.
    """

    def __init__(self, registry: CollectorRegistry, *, operations: Sequence[str]) -> None:
        # The creation times would double the number of series without a known use.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # has no types
        self._requests = _counter(self_catalogue.REQUESTS, registry)
        self._request_errors = _counter(self_catalogue.REQUEST_ERRORS, registry)
        self._retries = _counter(self_catalogue.RETRIES, registry)
        self._request_duration = _histogram(
            self_catalogue.REQUEST_DURATION, registry, buckets=_REQUEST_BUCKETS
        )
        self._poll_errors = ErrorCounts(self_catalogue.POLL_ERRORS)
        registry.register(self._poll_errors)
        self._polls = _counter(self_catalogue.POLLS, registry)
        self._poll_duration = _histogram(
            self_catalogue.POLL_DURATION, registry, buckets=_POLL_BUCKETS
        )
        self._skipped = _counter(self_catalogue.POLLS_SKIPPED, registry)
        self._skew = _gauge(self_catalogue.CLOCK_SKEW, registry)
        self._ignored_times = _counter(self_catalogue.IGNORED_SERVER_TIMES, registry)
        self._handshake_errors = _counter(self_catalogue.TLS_HANDSHAKE_ERRORS, registry)
        self._usage = _gauge(self_catalogue.INTERVAL_USAGE, registry)
        self._limit = _gauge(self_catalogue.REQUEST_LIMIT, registry)
        self._shard = _gauge(self_catalogue.SHARD, registry)
        self._total_shards = _gauge(self_catalogue.TOTAL_SHARDS, registry)
        self._reload_successful = _gauge(self_catalogue.RELOAD_SUCCESSFUL, registry)
        self._reload_success_time = _gauge(self_catalogue.RELOAD_SUCCESS_TIME, registry)
        _info(self_catalogue.BUILD_INFO, registry).info(
            {"version": __version__, "python": platform.python_version()}
        )
        for operation in operations:
            self._retries.labels(operation)
            self._request_duration.labels(operation)
        # Known metrics are kept here, since looking them up takes longer than counting.
        self._skew_of: dict[str, Gauge] = {}
        self._of_request: dict[tuple[ProjectKey, str], tuple[Counter, Histogram]] = {}
        prometheus_client.ProcessCollector(registry=registry)
        prometheus_client.PlatformCollector(registry=registry)
        self._lock = threading.Lock()
        self._failed_requests: dict[ProjectKey, set[tuple[str, str]]] = {}
        self._ignored_at: set[str] = set()
        self._projects: set[ProjectKey] = set()

    def request_ended(
        self, project: ProjectKey, operation: str, seconds: float, error_code: str | None
    ) -> None:
        """Count an attempt of a request, which failed if it has an error code."""
        requests, duration = self._of_request.get((project, operation)) or self._of(
            project, operation
        )
        requests.inc()
        duration.observe(seconds)
        if error_code is not None:
            self._request_failed(project, operation, error_code)

    def request_retried(self, operation: str) -> None:
        """Count a retry of a request."""
        self._retries.labels(operation=operation).inc()

    def clock_skew(self, endpoint: str, seconds: float) -> None:
        """Set the server's clock minus the exporter's, in seconds."""
        known = self._skew_of.get(endpoint)
        if known is None:
            with self._lock:
                known = self._skew_of[endpoint] = self._skew.labels(endpoint)
        known.set(seconds)

    def server_time_ignored(self, endpoint: str) -> None:
        """Count a response whose time is too far from the exporter's to be true."""
        with self._lock:
            self._ignored_at.add(endpoint)
            self._ignored_times.labels(endpoint).inc()

    def tls_handshake_failed(self, reason: str) -> None:
        """Count a TLS handshake with a client that failed."""
        self._handshake_errors.labels(reason=reason).inc()

    def request_limit(self, endpoint: str, project: str, limit: float) -> None:
        """Set the requests per second that a project is allowed."""
        with self._lock:
            self._projects.add(ProjectKey(endpoint, project))
            self._limit.labels(sls_endpoint=endpoint, project=project).set(limit)

    def interval_usage(self, endpoint: str, project: str, ratio: float) -> None:
        """Set the time that the polls of a project take, divided by their interval."""
        with self._lock:
            self._projects.add(ProjectKey(endpoint, project))
            self._usage.labels(sls_endpoint=endpoint, project=project).set(ratio)

    def poll_failed(self, key: GroupKey, code: str) -> None:
        """Count a failure of a part of a poll."""
        self._poll_errors.count(key, code)

    def poll_ended(self, seconds: float) -> None:
        """Count a poll that ended."""
        self._polls.inc()
        self._poll_duration.observe(seconds)

    def poll_skipped(self) -> None:
        """Count a poll that was skipped because the previous one had not ended."""
        self._skipped.inc()

    def sharded(self, shard: int, total: int) -> None:
        """Set the number of this exporter among those that share the targets."""
        self._shard.set(shard)
        self._total_shards.set(total)

    def config_loaded(self, *, at: float | None) -> None:
        """Set when the configuration was loaded (Unix seconds); None if the load failed."""
        self._reload_successful.set(0 if at is None else 1)
        if at is not None:
            self._reload_success_time.set(at)

    def keep_only(self, labels: Mapping[GroupKey, Labels]) -> None:
        """Forget the errors of all other groups and logstores; these have constant labels."""
        self._poll_errors.keep_only(labels)

    def keep_only_projects(self, projects: Collection[ProjectKey]) -> None:
        """Forget the limits of projects that are not polled any more."""
        with self._lock:
            for project in self._projects - set(projects):
                self._projects.discard(project)
                for gauge in (self._limit, self._usage):
                    with contextlib.suppress(KeyError):
                        gauge.remove(*project)

    def keep_only_requests(self, projects: Collection[ProjectKey]) -> None:
        """Forget the requests of other projects, and the clocks of their endpoints."""
        kept = set(projects)
        endpoints = {endpoint for endpoint, _ in kept}
        with self._lock:
            for project, operation in [key for key in self._of_request if key[0] not in kept]:
                del self._of_request[project, operation]
                self._requests.remove(*project, operation)
            for project in self._failed_requests.keys() - kept:
                for operation, code in self._failed_requests.pop(project):
                    self._request_errors.remove(*project, operation, code)
            for endpoint in self._skew_of.keys() - endpoints:
                del self._skew_of[endpoint]
                self._skew.remove(endpoint)
            for endpoint in self._ignored_at - endpoints:
                self._ignored_at.discard(endpoint)
                self._ignored_times.remove(endpoint)

    def _of(self, project: ProjectKey, operation: str) -> tuple[Counter, Histogram]:
        with self._lock:
            counter = self._requests.labels(*project, operation)
            known = counter, self._request_duration.labels(operation)
            self._of_request[project, operation] = known
            return known

    def _request_failed(self, project: ProjectKey, operation: str, code: str) -> None:
        with self._lock:
            failed = self._failed_requests.setdefault(project, set())
            known = {code for _, code in failed}
            code = bounded_code(code, known, most=_MAX_CODES_OF_PROJECT)
            failed.add((operation, code))
            self._request_errors.labels(*project, operation, code).inc()


def _counter(metric: Family, registry: CollectorRegistry) -> Counter:
    return Counter(metric.name, metric.help, metric.labels, unit=metric.unit, registry=registry)


def _gauge(metric: Family, registry: CollectorRegistry) -> Gauge:
    return Gauge(metric.name, metric.help, metric.labels, unit=metric.unit, registry=registry)


def _info(metric: Family, registry: CollectorRegistry) -> Info:
    return Info(metric.name.removesuffix("_info"), metric.help, registry=registry)


def _histogram(
    metric: Family, registry: CollectorRegistry, *, buckets: tuple[float, ...]
) -> Histogram:
    return Histogram(
        metric.name,
        metric.help,
        metric.labels,
        unit=metric.unit,
        registry=registry,
        buckets=buckets,
    )
