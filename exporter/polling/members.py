"""The targets, each with its poller. A change of targets affects only those that differ."""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from exporter.base.clock import Clock
from exporter.logs.logger import Logger
from exporter.model.names import GroupKey, ProjectKey, TargetKey
from exporter.polling.logstore_reader import LogstoreReader
from exporter.polling.outages import Outages
from exporter.polling.poller import Poller
from exporter.polling.project_load import ProjectLoad
from exporter.polling.targets import Target
from exporter.sls.client import SlsClient
from exporter.sls.clients import Clients

_Loads = Mapping[ProjectKey, ProjectLoad]


class Member(Struct, frozen=True, kw_only=True, eq=False):
    """A target with its poller and its client."""

    target: Target
    poller: Poller
    logstore: LogstoreReader
    outages: Outages
    client: SlsClient
    load: ProjectLoad


class Members:
    """The members of all targets. An update replaces ``by_key``, so readers need no lock.

    ``loads`` has the load of each project. ``count`` gets the group and the
    code of each failure.
    """

    def __init__(
        self, clients: Clients, *, count: Callable[[GroupKey, str], None], log: Logger, clock: Clock
    ) -> None:
        self._clients = clients
        self._count = count
        self._log = log
        self._clock = clock
        self.by_key: Mapping[TargetKey, Member] = {}
        self.loads: _Loads = {}

    def update(self, targets: Iterable[Target]) -> bool:
        """Apply a new set of targets, and return whether it differs. Updates must not overlap.

        Unchanged targets keep their pollers.
        """
        before = self.by_key
        loads: dict[ProjectKey, ProjectLoad] = {}
        members = {target.key: self._member(target, loads) for target in targets}
        self.by_key, self.loads = members, loads
        for load in loads.values():
            load.keep_only({key.logstore for key, member in members.items() if member.load is load})
        return members != before

    def _member(self, target: Target, loads: dict[ProjectKey, ProjectLoad]) -> Member:
        known = self.by_key.get(target.key)
        load = self._load(target, loads)
        if known is not None and known.target == target:
            return known
        outages = known.outages if known else Outages(self._count, self._log, clock=self._clock)
        client = self._clients.get(target.settings, target.key.project)
        if known is not None and _same_logstore(known.target, target):
            logstore = known.logstore
        else:
            logstore = LogstoreReader(target, client, clock=self._clock, observer=outages)
        poller = Poller(target, client, logstore=logstore, clock=self._clock, observer=outages)
        client.rate.needed = load.needed
        return Member(
            target=target,
            poller=poller,
            logstore=logstore,
            outages=outages,
            client=client,
            load=load,
        )

    def _load(self, target: Target, loads: dict[ProjectKey, ProjectLoad]) -> ProjectLoad:
        key = target.key.project_key
        load = loads.get(key)
        if load is None:
            load = loads[key] = self.loads.get(key) or ProjectLoad(monotonic=self._clock.monotonic)
        load.expect(target)
        return load


def _same_logstore(one: Target, other: Target) -> bool:
    """Return whether targets differ at most in groups and labels, which a reader does not use."""
    return replace(one, groups=other.groups, labels=other.labels) == other
