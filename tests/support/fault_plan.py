"""A plan that assigns faults to requests. Tests change it while the server runs."""

import threading
from typing import TypedDict, Unpack

from msgspec import Struct, field

from exporter.simulator.calls import Call
from tests.support.exchange import Fault


class Scope(TypedDict, total=False):
    """The requests that meet a fault, by their subject; an empty scope covers all requests."""

    operation: str
    project: str
    logstore: str
    consumer_group: str
    shard: int
    cursor: str


class PlannedFault(Struct, kw_only=True, eq=False):
    """A fault in a plan, and the handle to remove it."""

    fault: Fault
    scope: Scope
    remaining: int | None
    released: threading.Event = field(default_factory=threading.Event)

    def matches(self, call: Call) -> bool:
        """Return whether a request meets this fault."""
        return self.remaining != 0 and all(
            getattr(call, name) == value for name, value in self.scope.items()
        )


class FaultPlan:
    """Faults in the order in which they were added; the first that matches a request applies."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: list[PlannedFault] = []
        self._closed = False

    def add(
        self, fault: Fault, *, times: int | None = None, **scope: Unpack[Scope]
    ) -> PlannedFault:
        """Let requests meet a fault, for a number of times or until it is removed."""
        planned = PlannedFault(fault=fault, scope=scope, remaining=times)
        with self._lock:
            self._planned.append(planned)
        return planned

    def remove(self, planned: PlannedFault) -> None:
        """End a fault, also for requests that are held by it."""
        with self._lock:
            if planned in self._planned:
                self._planned.remove(planned)
        planned.released.set()

    def clear(self) -> None:
        """End all faults."""
        with self._lock:
            ended, self._planned = self._planned, []
        for planned in ended:
            planned.released.set()

    def close(self) -> None:
        """End all faults and apply none from now on."""
        with self._lock:
            self._closed = True
        self.clear()

    def match(self, call: Call) -> PlannedFault | None:
        """Return the fault that a request meets, and count the request."""
        with self._lock:
            if self._closed:
                return None
            for planned in self._planned:
                if planned.matches(call):
                    if planned.remaining is not None:
                        planned.remaining -= 1
                    return planned
        return None
