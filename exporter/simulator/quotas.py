"""Quotas of the service: requests per second of a project and a shard, by the kind of operation."""

import threading
from collections import defaultdict

from msgspec import Struct

from exporter.simulator.calls import Call
from exporter.simulator.errors import ServiceError

READS = frozenset({"GetCursor", "GetCursorTime", "PullLogs"})
"""The operations that count as reads."""
WRITES = frozenset({"PutLogs"})
"""The operations that count as writes, without a quota; all others are operations on metadata."""

_PROJECT = ("ReadQuotaExceed", "Read QPS Exceed")
_SHARD = ("ShardReadQuotaExceed", "shard read qps exceed quota limits")
_METADATA = ("MetaOperationQpsLimitExceeded", "too many operations on metadata")


class Quotas(Struct, frozen=True, kw_only=True):
    """Limits in requests per second, None for no limit."""

    reads_per_project: int | None = None
    reads_per_shard: int | None = None
    metadata_per_project: int | None = None


NO_QUOTAS = Quotas()


class QuotaCounter:
    """A counter of the requests in each second, safe to use from any thread."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas
        self._lock = threading.Lock()
        self._second = 0
        self._counts: dict[tuple[object, ...], int] = defaultdict(int)

    def check(self, call: Call, now: float) -> None:
        """Count a request. Raises ServiceError if it is over a quota."""
        quotas = self._quotas
        project = call.project
        if call.operation in WRITES:
            return
        if call.operation not in READS:
            self._count(now, (project,), quotas.metadata_per_project, _METADATA)
            return
        self._count(now, (project, "reads"), quotas.reads_per_project, _PROJECT)
        shard = (project, call.logstore, call.shard)
        self._count(now, shard, quotas.reads_per_shard, _SHARD)

    def _count(
        self, now: float, key: tuple[object, ...], limit: int | None, error: tuple[str, str]
    ) -> None:
        if limit is None:
            return
        with self._lock:
            if int(now) > self._second:  # Requests at the end of a second may be counted late.
                self._second = int(now)
                self._counts.clear()
            self._counts[key] += 1
            is_over = self._counts[key] > limit
        if is_over:
            code, message = error
            raise ServiceError(403, code, message)
