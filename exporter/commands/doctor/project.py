"""The examination of one project: its listings, a few of its logstores, and the cost of polls."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from exporter.commands.check import needed_operations
from exporter.commands.doctor import access
from exporter.commands.doctor.assumptions import assumption_findings
from exporter.commands.doctor.findings import Examined, Finding, Item
from exporter.commands.doctor.observations import (
    UNKNOWN_NAME,
    LogstoreReplies,
    observe_logstore,
)
from exporter.commands.doctor.recording import Reply, document_of
from exporter.commands.doctor.sampling import MAX_LISTED, First, Sample
from exporter.commands.doctor.session import Session
from exporter.config.selectors import ProjectSelectors
from exporter.logs.logger import get_logger
from exporter.model.snapshot import EntryStatus
from exporter.polling.capacity import NONE, REQUEST_SECONDS, Demand, poll_requests
from exporter.polling.discovery import Discovery
from exporter.polling.listings import Listings
from exporter.polling.targets import Target
from exporter.sls.client import SlsClient
from exporter.sls.operations import (
    GET_CHECKPOINT,
    LIST_CONSUMER_GROUPS,
    LIST_LOGSTORES,
    LIST_PROJECTS,
)

MAX_LOGSTORES = 3
"""The number of logstores of a project that are examined."""
_LISTINGS = (LIST_PROJECTS, LIST_LOGSTORES, LIST_CONSUMER_GROUPS)


def examine_project(
    session: Session,
    owner: ProjectSelectors,
    item: Item,
    found: Sequence[Finding],
    opening: Reply[Any],
) -> Sequence[Examined]:
    """Return the findings about the project of an entry, which begin with ``found``.

    ``opening`` is the response to the first request: about a logstore that does not exist, if the
    name of the project is not a pattern. If the entry has nothing in the scope, nothing is
    returned.
    """
    first, entries = First(), list[EntryStatus]()
    targets = _discover(session, owner, first, entries)
    has_failed = any(entry.failure for entry in entries)
    if not targets and session.is_narrowed and not has_failed:
        return []
    session.redactor.add("project", first.projects)
    session.redactor.add("logstore", (key.logstore for key in first.logstores))
    item = Item(endpoint=item.endpoint, project=(*first.projects, item.project)[0])
    findings = [*found, *_listing_findings(entries)]
    selection = access.selection_finding(
        examined=len(targets[:MAX_LOGSTORES]),
        selected=len(targets),
        matching=len(first.logstores),
    )
    if not targets:
        last = access.skipped("selection") if has_failed else selection
        return [Examined(item=item, findings=(*findings, last))]
    findings.append(selection)
    client = session.client(owner.settings, targets[0].key.project)
    if not owner.project.project.literal:
        opening = session.recorder(client)(
            GET_CHECKPOINT, lambda: client.get_checkpoints(UNKNOWN_NAME, UNKNOWN_NAME)
        )
    observed = [
        (target, _observe(session, client, target, opening)) for target in targets[:MAX_LOGSTORES]
    ]
    unlisted = max(0, len(first.logstores) - MAX_LISTED)
    demand = _demand(observed, client, logstores=len(targets) + unlisted)
    findings += [
        access.rate_finding(
            sent=session.notes.sent,
            limit=client.rate.limit,
            ceiling=owner.settings.polling.requests_per_second,
            is_lowered=session.notes.is_lowered,
            latency=client.latency,
        ),
        access.cost_finding(demand, examined=len(observed)),
    ]
    return [
        Examined(item=item, findings=tuple(findings)),
        *(_examined(owner, item, *each) for each in observed),
    ]


def _discover(
    session: Session, owner: ProjectSelectors, first: First, entries: list[EntryStatus]
) -> Sequence[Target]:
    """Resolve the names of an entry; ``entries`` gets the results of its listings."""
    scope = session.scope
    discovery = Discovery(
        session.config.model_copy(update={"projects": [owner.project]}),
        client_for=session.client,
        listings=Listings(
            lambda _key, _code: None, get_logger("exporter.polls"), clock=session.clock
        ),
        on_entry=entries.append,
        scope=Sample(
            first=first,
            project=scope.project,
            logstore=scope.logstore,
            consumer_group=scope.consumer_group,
        ),
    )
    return discovery.resolve().targets


def _listing_findings(entries: Sequence[EntryStatus]) -> Iterator[Finding]:
    """Yield a finding per listing operation that was needed: a failure if there is one."""
    for operation in _LISTINGS:
        found = [entry for entry in entries if _operation_of(entry) is operation]
        if found:
            failure = next((entry.failure for entry in found if entry.failure), None)
            yield access.listing_finding(operation, failure)


def _operation_of(entry: EntryStatus) -> object:
    if entry.key.logstore:
        return LIST_CONSUMER_GROUPS
    return LIST_LOGSTORES if entry.key.project else LIST_PROJECTS


def _observe(
    session: Session, client: SlsClient, target: Target, opening: Reply[Any]
) -> LogstoreReplies:
    logstore = target.key.logstore
    path = f"/logstores/{quote(logstore, safe='')}/consumergroups"
    listings = [each.response for each in session.exchanges if each.target == path]
    replies = observe_logstore(
        client,
        session.recorder(client),
        logstore,
        {
            group.name: None if group.listing is None else group.listing.timeout_seconds
            for group in target.groups
        },
        unknown_logstore=opening,
        group_listing=document_of(listings[-1]) if listings else None,
        lag=target.settings.lag,
    )
    session.redactor.add("group", (group.name for group in target.groups))
    session.redactor.add("consumer", (entry.consumer for entry in replies.entries))
    return replies


def _examined(
    owner: ProjectSelectors, item: Item, target: Target, replies: LogstoreReplies
) -> Examined:
    operations = [
        each for each in needed_operations(owner.project, owner.settings) if each not in _LISTINGS
    ]
    return Examined(
        item=Item(endpoint=item.endpoint, project=item.project, logstore=target.key.logstore),
        findings=(
            *access.permission_findings(operations, replies.all),
            *assumption_findings(replies),
        ),
    )


def _demand(
    observed: Sequence[tuple[Target, LogstoreReplies]], client: SlsClient, *, logstores: int
) -> Demand:
    """Return the demand of all logstores; those that are not examined count like the largest."""
    each = [poll_requests(target, replies.shard_counts) for target, replies in observed]
    largest = max(each, key=lambda requests: requests.busy)
    others = [largest] * (logstores - len(each))
    return Demand(
        project=observed[0][0].key.project,
        settings=observed[0][0].settings,
        logstores=logstores,
        requests=sum([*each, *others], NONE),
        seconds=client.latency or REQUEST_SECONDS,
    )
