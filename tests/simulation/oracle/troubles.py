"""Random troubles of the service: the affected requests, the failure, and its duration."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from exporter.simulator.server import RequestRecord
from tests.simulation.oracle.deck import Deck
from tests.simulation.oracle.fates import Fate, Fates, Trouble
from tests.simulation.oracle.listings import Place, Watch
from tests.support import faults
from tests.support.exchange import Fault
from tests.support.fault_plan import PlannedFault, Scope
from tests.support.faults import ErrorAnswer
from tests.support.faulty_simulator import FaultySimulator

_MOST_AT_ONCE = 4
_MOST_REFUSALS = 3  # of a project
_STEPS = (0, 1, 1, 2, 3, 9)  # possible numbers of further steps that a trouble lasts


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of failure. Failures that are retried and missing responses cost real time.

    A request that is refused for a ``quota`` is sent again for a whole interval of real time, so
    such a refusal always passes here. Each one halves the request rate of its project.
    """

    name: str
    fault: Fault
    code: str
    fate: Fate = Fate.FAILS
    retried: bool = False
    answered: bool = True
    quota: bool = False


def _error(status: int, code: str, *, fate: Fate = Fate.FAILS, retried: bool = False) -> Kind:
    return Kind(
        name=f"{status} {code}",
        fault=ErrorAnswer(status=status, code=code),
        code=code,
        fate=fate,
        retried=retried,
    )


def _quota(status: int, code: str) -> Kind:
    return replace(_error(status, code, retried=True), quota=True)


def _broken(name: str, fault: Fault, *, retried: bool = True) -> Kind:
    return Kind(name=name, fault=fault, code="invalid_response", retried=retried)


def _cut(name: str, fault: Fault) -> Kind:
    return Kind(name=name, fault=fault, code="connection", retried=True, answered=False)


KINDS = (
    _error(404, "ConsumerGroupNotExist", fate=Fate.GONE),
    _error(404, "LogStoreNotExist", fate=Fate.GONE),
    _error(404, "ProjectNotExist", fate=Fate.GONE),
    _error(404, "ShardNotExist"),
    _error(400, "InvalidCursor"),  # as from a server that does not know new log groups yet
    _error(400, "ParameterInvalid"),
    _error(401, "Unauthorized", fate=Fate.DENIED),
    _error(403, "SignatureNotMatch", fate=Fate.DENIED),
    _quota(403, "ShardReadQuotaExceed"),
    _quota(429, "ExceedQuota"),
    _error(500, "InternalServerError", retried=True),
    _quota(503, "ServerBusy"),
    _broken("HTML with 200", faults.Html(status=200), retried=False),
    _broken("HTML with 502", faults.Html(status=502)),
    _broken("empty", faults.Body(), retried=False),
    _broken("another shape", faults.Body(text='{"total": {}}'), retried=False),
    _broken("truncated", faults.Truncated()),
    _broken("garbled chunks", faults.GarbledChunks()),
    _broken("not HTTP", faults.GarbageStatusLine()),
    _cut("reset", faults.Reset()),
    _cut("closed", faults.Close()),
)
AIMS = (
    "GetCheckPoint of a group",
    "GetCheckPoint of a logstore",
    "GetCheckPoint of a project",
    "GetCursor of a shard",
    "GetCursor of a logstore",
    "GetCursor of the account",
    "GetCursorTime of a shard",
    "GetCursorTime of a logstore",
    "GetLogStore of a logstore",
    "ListConsumerGroup of a logstore",
    "ListLogStores of a project",
    "ListShards of a logstore",
)
_MANY_REQUESTS = frozenset(
    {"GetCheckPoint of a project", "GetCursor of a logstore", "GetCursorTime of a logstore"}
)


@dataclass(slots=True, kw_only=True)
class _Active:
    trouble: Trouble
    aim: str
    kind: Kind | None
    planned: PlannedFault | None
    steps: int
    was_met: bool = False


class Troubles:
    """Random troubles. ``met`` counts those that affected requests: kinds, aims and fates."""

    def __init__(self, simulator: FaultySimulator, chance: random.Random) -> None:
        self._simulator = simulator
        self._chance = chance
        self._aims = Deck(AIMS, chance)
        # Retries take real time.
        self._kinds = Deck((*KINDS, *(kind for kind in KINDS if not kind.retried)), chance)
        self._active: list[_Active] = []
        self._refusals: Counter[str] = Counter()
        self.met: Counter[str] = Counter()

    @property
    def told(self) -> list[str]:
        """Those at work, in words."""
        return [f"trouble: {each.trouble}" for each in self._active]

    def step(self, watched: Mapping[Place, Watch], likely: float) -> Fates:
        """End some troubles, begin others, and return the outcomes of requests from now on."""
        for each in self._active:
            each.steps -= 1
        for each in [each for each in self._active if each.steps < 0]:
            self._active.remove(each)
            if not each.was_met:
                self._aims.put_back(each.aim)
                if each.kind is not None:
                    self._kinds.put_back(each.kind)
            if each.planned is not None:
                self._simulator.faults.remove(each.planned)
            else:
                self._simulator.allow(each.trouble.scope["operation"])
        while len(self._active) < _MOST_AT_ONCE and self._chance.random() < likely:
            self._begin(watched)
        return Fates(each.trouble for each in self._active)

    def look(self, records: Sequence[RequestRecord]) -> None:
        """Count the troubles that requests have met since the last look."""
        for each in self._active:
            scope = each.trouble.scope
            if any(
                all(getattr(record, name) == value for name, value in scope.items())
                for record in records
            ):
                if each.kind is not None and each.kind.quota and not each.was_met:
                    self._refusals[scope["project"]] += 1
                each.was_met = True
                fate = f"{each.trouble.fate.name.lower()} in the end"
                self.met.update((each.trouble.name, each.aim, fate))

    def _begin(self, watched: Mapping[Place, Watch]) -> None:
        scopes = {aim: self._scope(aim, watched) for aim in AIMS}
        aim = self._aims.draw(lambda aim: scopes[aim] is not None)
        scope = scopes[aim] if aim is not None else None
        if aim is None or scope is None:
            return
        if aim.endswith("account"):
            trouble = Trouble(
                name="right taken",
                fault=None,
                fate=Fate.DENIED,
                code="Unauthorized",
                scope=scope,
            )
            self._simulator.deny(scope["operation"])
            steps = self._chance.randint(1, 3)
            self._active.append(
                _Active(trouble=trouble, aim=aim, kind=None, planned=None, steps=steps)
            )
            return
        kind = self._kinds.draw(lambda kind: self._fits(kind, aim, scope))
        if kind is None:
            return
        passes = kind.quota or (
            kind.retried and (aim == "GetCheckPoint of a logstore" or self._chance.random() < 0.5)
        )
        times = 1 if kind.quota else self._chance.choice((1, 1, 1, 2)) if passes else None
        trouble = Trouble(
            name=kind.name,
            fault=kind.fault,
            fate=Fate.PASSES if passes else kind.fate,
            code=kind.code,
            scope=scope,
        )
        is_met_rarely = passes or "List" in aim or "GetLogStore" in aim
        steps = self._chance.choice(_STEPS if is_met_rarely or not kind.retried else (0,))
        planned = self._simulator.faults.add(kind.fault, times=times, **scope)
        self._active.append(
            _Active(trouble=trouble, aim=aim, kind=kind, planned=planned, steps=steps)
        )

    def _fits(self, kind: Kind, aim: str, scope: Scope) -> bool:
        if kind.retried and aim in _MANY_REQUESTS:
            return False  # that would take long
        if kind.code == "InvalidCursor":
            return aim.startswith("GetCursorTime")
        if kind.quota:
            return self._refusals[scope["project"]] < _MOST_REFUSALS
        if kind.answered:
            return True
        # After too many requests without a response, the exporter would skip healthy requests.
        project = scope["project"]
        return aim != "GetCursorTime of a shard" and not any(
            each.trouble.code == "connection" and each.trouble.scope.get("project") == project
            for each in self._active
        )

    def _scope(self, aim: str, watched: Mapping[Place, Watch]) -> Scope | None:
        """Choose the affected requests. Return None if they are in trouble already."""
        operation, level = aim.split(" of ")
        scope = Scope(operation=operation)
        if level == "the account":
            return scope if all(each.planned for each in self._active) else None
        needs_lag = operation not in {"GetCheckPoint", "ListConsumerGroup"}
        project, logstore = self._chance.choice(
            [place for place in sorted(watched) if place[0] != "yard" or not needs_lag]
        )
        if level == "a project":
            project = self._chance.choice(("bank", "shop"))
            logstore = ""
        for each in self._active:
            theirs = each.trouble.scope.get("project"), each.trouble.scope.get("logstore", "")
            if theirs[0] == project and (not theirs[1] or not logstore or theirs[1] == logstore):
                return None
        scope["project"] = project
        if logstore:
            scope["logstore"] = logstore
        if level == "a group":
            scope["consumer_group"] = self._chance.choice(sorted(watched[project, logstore]))
        if level == "a shard":
            scope["shard"] = self._chance.randint(0, 3)
        return scope
