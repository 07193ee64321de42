"""The examination of a configuration, entry by entry of ``projects``, at each endpoint.

A step whose failure makes all later ones impossible ends the examination of the entry. Other
modules evaluate the responses.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from exporter.commands.doctor import access
from exporter.commands.doctor.findings import Examined, Finding, Item
from exporter.commands.doctor.network import network_findings
from exporter.commands.doctor.observations import UNKNOWN_NAME
from exporter.commands.doctor.project import examine_project
from exporter.commands.doctor.recording import Reply
from exporter.commands.doctor.session import Session
from exporter.config.patterns import any_matches
from exporter.config.selectors import ProjectSelectors, Selectors
from exporter.config.settings import ProjectSettings
from exporter.credentials.refreshing import RefreshingCredentials
from exporter.http.probe import probe
from exporter.model.credentials import CredentialsError, CredentialsUnavailableError
from exporter.sls.operations import GET_CHECKPOINT, LIST_PROJECTS


def selected_entries(session: Session) -> Sequence[ProjectSelectors]:
    """Return the entries that can have a project in the scope, in the order of the file."""
    return [each for each in Selectors(session.config).projects if _is_selected(session, each)]


def _is_selected(session: Session, owner: ProjectSelectors) -> bool:
    pattern = owner.project.project
    is_out = any_matches(session.config.exclude_projects, pattern.text)
    return not pattern.literal or (session.scope.has_project(pattern.text) and not is_out)


def examine_entry(session: Session, owner: ProjectSelectors) -> Sequence[Examined]:
    """Return the findings about an entry, or none if nothing of it is in the scope.

    Raises Cancelled when the process stops.
    """
    session.begin_entry()
    settings, pattern = owner.settings, owner.project.project
    item = Item(endpoint=str(settings.endpoint), project=pattern.text)
    _add_names(session, owner)
    found = [*_reach(session, owner)]
    if any(each.result == "failed" for each in found):
        return [_examined(item, found, access.skipped("signature"))]
    opening = _open(session, owner)
    found += [
        access.clock_finding(session.notes.skew, session.notes.codes),
        access.signature_finding(settings.signature, opening),
    ]
    if opening.error and access.is_blocking(opening.error):
        return [_examined(item, found, access.skipped("permissions"))]
    if opening.error and opening.code in access.NO_PROJECT_CODES:
        return [_examined(item, found, access.missing_project(opening.error))]
    return examine_project(session, owner, item, found, opening)


def _examined(item: Item, found: Sequence[Finding], last: Finding) -> Examined:
    return Examined(item=item, findings=(*found, last))


def _add_names(session: Session, owner: ProjectSelectors) -> None:
    """Let the redactor know the names in an entry."""
    endpoint, pattern = owner.settings.endpoint, owner.project.project
    session.redactor.add("project" if pattern.literal else "pattern", [pattern.text])
    if endpoint.region is None:  # The name of a region is not private.
        session.redactor.add("endpoint", [str(endpoint), endpoint.host])


def _reach(session: Session, owner: ProjectSelectors) -> Iterator[Finding]:
    """Yield the findings about the keys and the path to the service."""
    settings, pattern = owner.settings, owner.project.project
    yield access.keys_finding(_keys(session, settings), now=session.clock.wall())
    project = pattern.text if pattern.literal else None
    found = probe(
        settings.endpoint.base_url(project),
        ca_file=settings.http.ca_file,
        proxy_from_environment=settings.http.proxy_from_environment,
        seconds=settings.polling.timeout,
        cancelled=session.cancelled,
    )
    if found.server is not None:
        session.redactor.add("host", [found.server.name])
    yield from network_findings(
        found, now=session.clock.wall(), is_confidential=settings.endpoint.is_confidential
    )


def _keys(session: Session, settings: ProjectSettings) -> access.Keys:
    """Use the source of keys once, which fetches temporary ones."""
    try:
        source = session.providers.of_project(settings)
        keys = source.provider()
    except (CredentialsError, CredentialsUnavailableError) as error:
        return access.Keys(error=str(error))
    session.redactor.add("key", [keys.access_key_id])
    provider = source.provider
    return access.Keys(
        description=source.description,
        roles=source.assumed,
        is_temporary=keys.security_token is not None,
        expires_at=provider.expires_at if isinstance(provider, RefreshingCredentials) else None,
    )


def _open(session: Session, owner: ProjectSelectors) -> Reply[Any]:
    """Send the first signed request: to the project, or if that is a pattern, to the endpoint."""
    pattern = owner.project.project
    client = session.client(owner.settings, pattern.text if pattern.literal else None)
    ask = session.recorder(client)
    if not pattern.literal:
        return ask(LIST_PROJECTS, client.list_projects)
    return ask(GET_CHECKPOINT, lambda: client.get_checkpoints(UNKNOWN_NAME, UNKNOWN_NAME))
