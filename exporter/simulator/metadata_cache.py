"""A cache in front of metadata, which is why the service can return lists that are not current."""

import threading
from collections.abc import Callable

from exporter.simulator.calls import Call
from exporter.simulator.wire import Request

CACHED = frozenset(
    {"GetLogStore", "ListConsumerGroup", "ListLogStores", "ListProject", "ListShards"}
)


class MetadataCache:
    """The documents of successful responses by request, safe to use from any thread.

    A document is kept for ``seconds``, so later changes appear late.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._documents: dict[tuple[object, ...], tuple[float, object]] = {}

    def get(self, call: Call, request: Request, now: float, read: Callable[[], object]) -> object:
        """Return the document of a response, from the cache or by ``read``."""
        if not self._seconds or call.operation not in CACHED:
            return read()
        key = (call.operation, call.project, call.logstore, tuple(sorted(request.query.items())))
        with self._lock:
            read_at, document = self._documents.get(key, (0.0, None))
            if document is None or now - read_at >= self._seconds:
                document = read()
                self._documents[key] = now, document
            return document
