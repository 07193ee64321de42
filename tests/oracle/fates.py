"""What becomes of requests: faults of the simulator, and what each of them means to who asks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeVar

from exporter.simulator.errors import ServiceError
from tests.support.exchange import Fault
from tests.support.fault_plan import Scope

T = TypeVar("T")


class Fate(Enum):
    """What becomes of a request in the end, its retries included."""

    PASSES = auto()
    """A retry succeeds."""
    FAILS = auto()
    """Nothing was learned: what was known before still stands."""
    DENIED = auto()
    """The right to it is missing."""
    GONE = auto()
    """A definite answer that it does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A request without an answer that is of use; the code is what it is counted under."""

    fate: Fate
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A fault and the requests that meet it; without a fault the right to an operation is taken."""

    name: str
    fault: Fault | None
    fate: Fate
    code: str
    scope: Scope = field(default_factory=Scope)

    def __str__(self) -> str:
        place = " ".join(str(value) for value in self.scope.values())
        return f"{place}: {self.name}, {self.fate.name.lower()}"


class Fates:
    """The troubles of one round; the first that concerns a request decides."""

    def __init__(self, troubles: Iterable[Trouble] = ()) -> None:
        lasting = [trouble for trouble in troubles if trouble.fate is not Fate.PASSES]
        # A right is asked about only where no fault takes the place of the answer.
        self._lasting = sorted(lasting, key=lambda trouble: trouble.fault is None)

    def of(
        self,
        operation: str,
        project: str,
        logstore: str = "",
        consumer_group: str = "",
        shard: int | None = None,
    ) -> Refused | None:
        """Return what becomes of a request; None if it is answered as it should be."""
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
    """Return what a request learns from the world, if it is answered."""
    if refused is not None:
        return refused
    try:
        return read()
    except ServiceError as error:
        gone = error.code in {"ProjectNotExist", "LogStoreNotExist", "ConsumerGroupNotExist"}
        return Refused(fate=Fate.GONE if gone else Fate.FAILS, code=error.code)
