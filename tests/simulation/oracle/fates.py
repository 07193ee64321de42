"""Outcomes of requests: failures that the simulator injects, and their meaning for a client."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeVar

from exporter.simulator.errors import ServiceError
from tests.support.exchange import Fault
from tests.support.fault_plan import Scope

T = TypeVar("T")


class Fate(Enum):
    """The outcome of a request after all its retries."""

    PASSES = auto()
    """A retry succeeds."""
    FAILS = auto()
    """The request failed, and all earlier knowledge remains valid."""
    DENIED = auto()
    """Permission for the request is missing."""
    GONE = auto()
    """The response states that the object does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A request without a usable response, and the error code that it is counted under."""

    fate: Fate
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """An injected fault and the requests in its scope; without it, a missing permission."""

    name: str
    fault: Fault | None
    fate: Fate
    code: str
    scope: Scope = field(default_factory=Scope)

    def __str__(self) -> str:
        place = " ".join(str(value) for value in self.scope.values())
        return f"{place}: {self.name}, {self.fate.name.lower()}"


class Fates:
    """The troubles of one round. The first match decides the outcome of a request."""

    def __init__(self, troubles: Iterable[Trouble] = ()) -> None:
        lasting = [trouble for trouble in troubles if trouble.fate is not Fate.PASSES]
        # SLS checks a permission only if no injected fault replaces the response.
        self._lasting = sorted(lasting, key=lambda trouble: trouble.fault is None)

    def of(
        self,
        operation: str,
        project: str,
        logstore: str = "",
        consumer_group: str = "",
        shard: int | None = None,
    ) -> Refused | None:
        """Return the refusal of a request, or None if it gets its normal response."""
        about = {
            "operation": operation,
            "project": project,
            "logstore": logstore,
            "consumer_group": consumer_group,
            "shard": shard,
        }
        for trouble in self._lasting:
            if all(about[name] == value for name, value in trouble.scope.items()):
                return Refused(fate=trouble.fate, code=trouble.code)
        return None


def answer(read: Callable[[], T], refused: Refused | None) -> T | Refused:
    """Return the data that a request reads from the world, or its refusal."""
    if refused is not None:
        return refused
    try:
        return read()
    except ServiceError as error:
        gone = error.code in {"ProjectNotExist", "LogStoreNotExist", "ConsumerGroupNotExist"}
        return Refused(fate=Fate.GONE if gone else Fate.FAILS, code=error.code)
