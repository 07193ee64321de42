"""An explanation of the configuration without network access.

It lists the polled targets, their settings and the number of requests.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from exporter.base.durations import format_duration
from exporter.base.text import counted
from exporter.commands.check_groups import (
    explain_groups,
    explain_project,
    explain_shared,
    name_of,
)
from exporter.commands.flags import Flags
from exporter.commands.source import loader
from exporter.config.overlaps import overlaps, shared_series
from exporter.config.patterns import Pattern, any_matches
from exporter.config.problems import ConfigError, Problem
from exporter.config.schema import Config, LogstoreConfig, PollingConfig, ProjectConfig
from exporter.config.selectors import Selectors
from exporter.config.settings import ProjectSettings
from exporter.credentials.chain import SOURCE_VARIABLES
from exporter.credentials.providers import Providers
from exporter.model.credentials import CredentialsError
from exporter.model.endpoint import requires_v4
from exporter.polling.capacity import (
    BUSY_PER_GROUP,
    BUSY_PER_SHARD,
    COLD_PER_GROUP,
    COLD_PER_SHARD,
    SHARE_OF_OTHERS,
    most_shards,
)
from exporter.sls.operations import (
    GET_CHECKPOINT,
    GET_CURSOR,
    GET_CURSOR_TIME,
    GET_LOGSTORE,
    LIST_CONSUMER_GROUPS,
    LIST_LOGSTORES,
    LIST_PROJECTS,
    LIST_SHARDS,
    Operation,
)

_TERMS = {
    "G": "consumer groups",
    "N": "shards of the selected owners",
    "S": "shards",
}
_OF_LAG = (LIST_SHARDS, GET_CURSOR, GET_CURSOR_TIME, GET_LOGSTORE)


def run_check(flags: Flags) -> int:
    """Validate the configuration and print its explanation, with that of a web configuration.

    Raises ConfigError with the problems of both.
    """
    lines: list[str] = []
    problems: list[Problem] = []
    explanations: Sequence[Callable[[], Iterable[str]]] = (
        lambda: explain(loader(flags, os.environ)(), os.environ),
        lambda: explain_web(flags.web_config_file),
    )
    for explanation in explanations:
        try:
            lines.extend(explanation())
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(tuple(problems))
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def explain_web(path: Path | None) -> Iterator[str]:
    """Yield human-readable lines about a web configuration, or none without one."""
    if path is None:
        return
    from exporter.web.config_file import WatchedWebConfig  # noqa: PLC0415  most checks have none

    config = WatchedWebConfig(path, lambda _part, _error: None)
    yield ""
    tls = "on" if config.has_tls else "off"
    yield f"web configuration: TLS {tls}, {counted(config.users, 'user')}"
    yield from (f"  warning: {warning}" for warning in config.warnings)


def explain(config: Config, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield human-readable lines without secrets."""
    providers = Providers(environ)
    selectors = Selectors(config)
    found, shared = dict(overlaps(selectors)), dict(shared_series(selectors))
    for number, owner in enumerate(selectors.projects):
        project, settings = owner.project, owner.settings
        if number:
            yield ""
        yield f"project {name_of(project.project)} at {settings.endpoint}"
        yield from _excluded("  ", project.project, config.exclude_projects)
        yield from _credentials(settings, providers)
        yield from _signature(config, project, settings)
        yield from _polling(settings.polling)
        yield from explain_project(config, project, lag=settings.lag)
        rights = dict.fromkeys(each.action for each in needed_operations(project, settings))
        yield f"  permissions needed: {', '.join(rights)}"
        yield from _fit(project, settings)
        for selector in owner.all:
            yield from _logstore(selector.logstore, project, settings)
            yield from explain_groups(selector, found[selector])
            if selector in shared:
                yield from explain_shared(shared[selector])
    yield from _unused_credentials(config, selectors, environ)


def _signature(config: Config, project: ProjectConfig, settings: ProjectSettings) -> Iterator[str]:
    """Yield the signature version with the reason, and warnings about ignored keys."""
    is_configured = project.signature is not None or "signature" in config.model_fields_set
    if settings.signature == "v1":
        yield f"  signature: v1, {'as configured' if is_configured else 'the default'}"
        if project.region is not None:
            yield "  warning: region is ignored, because only signature v4 contains the region"
        return
    is_required = requires_v4(settings.region)
    reason = "which the region requires" if is_required else "as configured"
    source = "the endpoint's name" if project.region is None else "the configuration"
    yield f"  signature: v4, {reason}; region {settings.region}, from {source}"
    if is_required and (project.signature or config.signature) == "v1" and is_configured:
        yield "  warning: signature v1 is ignored, because the region accepts only v4"


def _polling(polling: PollingConfig) -> Iterator[str]:
    yield (
        f"  each logstore is polled every {format_duration(polling.interval)}, with up to"
        f" {counted(polling.workers, 'request')} at the same time"
    )
    yield (
        f"  a request may take {format_duration(polling.timeout)}; at most "
        f"{polling.requests_per_second:g} are sent per second"
    )
    yield f"  series are dropped after {format_duration(polling.stale_after)} of failures"


def _logstore(
    entry: LogstoreConfig, project: ProjectConfig, settings: ProjectSettings
) -> Iterator[str]:
    yield f"  logstore {name_of(entry.logstore)}"
    yield from _excluded("    ", entry.logstore, project.exclude_logstores)
    yield f"    consumer groups: {_names(entry.group_names)}"
    if entry.exclude_consumer_groups:
        yield f"    but not: {_names(entry.exclude_consumer_groups)}"
    if entry.shards is not None:
        yield f"    only shards: {', '.join(map(str, entry.shards))}"
    if entry.consumers:
        yield f"    only shards owned by: {_names(entry.consumers)}"
    if entry.exclude_consumers:
        yield f"    no shards owned by: {_names(entry.exclude_consumers)}"
    if _is_filtered(entry):
        yield "    but also any shard that is stalled, expired, unconsumed or unknown"
    cost = _cost(entry, settings)
    yield f"    requests per poll: {cost}"
    terms = [f"{name}: {meaning}" for name, meaning in _TERMS.items() if name in cost.split()]
    if terms:
        yield f"      {', '.join(terms)}"


def _excluded(indent: str, name: Pattern, exclusions: Iterable[Pattern]) -> Iterator[str]:
    """Yield a line on the names that are excluded, if there are any.

    For a pattern, the line lists the exclusions. For a plain name, it states that the name itself
    is excluded.
    """
    if name.literal and any_matches(exclusions, name.text):
        yield f"{indent}left out, because it is excluded"
    elif exclusions and not name.literal:
        yield f"{indent}but not: {_names(exclusions)}"


def _cost(entry: LogstoreConfig, settings: ProjectSettings) -> str:
    """Return the number of requests of a poll as text.

    G and S in it are the numbers of consumer groups and of shards, if they are unknown here. N is
    the number of shards whose owners a filter names; the other shards are rarely read.
    """
    groups = len(entry.consumer_groups) if _is_literal(entry) else None
    shards = None if entry.shards is None else len(entry.shards)
    if not settings.lag:
        return "G" if groups is None else str(groups)
    share = SHARE_OF_OTHERS if _is_filtered(entry) else 1.0
    return ", ".join(
        _sum(
            fixed,
            (
                (per_group, groups, "G"),
                (per_shard * (1 - share), None, "N"),
                (per_shard * share, shards, "S"),
            ),
        )
        + f" {when}"
        for when, fixed, per_group, per_shard, share in (
            ("at rest", 1, 1.0, 1.0, share),
            ("busy", 1, BUSY_PER_GROUP, BUSY_PER_SHARD, share),
            ("after a start", 2, COLD_PER_GROUP, COLD_PER_SHARD, 1.0),
        )
    )


def _sum(fixed: float, terms: Sequence[tuple[float, int | None, str]]) -> str:
    """Return the sum of the known terms, followed by the unknown terms."""
    unknown = [f"{each:g} {name}" for each, count, name in terms if count is None and each]
    known = fixed + sum(each * count for each, count, _ in terms if count is not None)
    return " + ".join([f"{ceil(known)}", *(term.removeprefix("1 ") for term in unknown)])


def _fit(project: ProjectConfig, settings: ProjectSettings) -> Iterator[str]:
    """Yield the number of shards that the polls of a project can read in their interval."""
    entries = project.logstores
    is_known = all(entry.logstore.literal and _is_literal(entry) for entry in entries)
    if not (is_known and settings.lag):
        return
    groups = sum(len(entry.consumer_groups) for entry in entries)
    most = most_shards(settings, logstores=len(entries), groups=groups)
    if most < len(entries):
        yield (
            f"  warning: the polls of {counted(len(entries), 'logstore')} with"
            f" {counted(groups, 'consumer group')} do not fit in"
            f" {format_duration(settings.polling.interval)}; raise polling.interval,"
            " polling.requests_per_second or polling.workers"
        )
    else:
        is_filtered = any(map(_is_filtered, entries))
        others = ", where five of other consumers count as one" if is_filtered else ""
        yield f"  busy polls fit in the interval with up to {most} shards in all logstores{others}"


def _is_filtered(entry: LogstoreConfig) -> bool:
    return bool(entry.consumers or entry.exclude_consumers)


def _is_literal(entry: LogstoreConfig) -> bool:
    return all(name.literal for name in entry.group_names)


def needed_operations(
    project: ProjectConfig, settings: ProjectSettings
) -> Iterator[Operation[Any]]:
    """Yield the operations that a project of a configuration needs."""
    yield GET_CHECKPOINT
    if settings.lag:
        yield from _OF_LAG
    if not project.project.literal:
        yield LIST_PROJECTS
    if not all(entry.logstore.literal for entry in project.logstores):
        yield LIST_LOGSTORES
    if not all(map(_is_literal, project.logstores)):
        yield LIST_CONSUMER_GROUPS


def _credentials(settings: ProjectSettings, providers: Providers) -> Iterator[str]:
    """Yield the source of the access keys, never the keys themselves, and ignored variables."""
    try:
        found = providers.of_project(settings)
    except CredentialsError as error:
        yield f"  credentials: none yet ({error})"
        return
    yield f"  credentials: {found.description}"
    for role in found.assumed:
        yield f"  permission needed to assume the role: sts:AssumeRole on {role}"
    if found.ignored:
        yield f"  warning: {_without_effect(found.ignored)}, because another source comes first"


def _unused_credentials(
    config: Config, selectors: Selectors, environ: Mapping[str, str]
) -> Iterator[str]:
    """Yield warnings about sources of access keys that no project uses."""
    every = [owner.settings.credentials for owner in selectors.projects]
    own = [project.credentials for project in config.projects]
    if config.credentials is not None and all(each and each.source for each in own):
        yield "warning: the global credentials have no effect, because each project has its own"
    unused = tuple(name for name in SOURCE_VARIABLES if environ.get(name))
    if unused and all(each and each.source and not each.profile for each in every):
        yield (
            f"warning: {_without_effect(unused)}, because the configuration has credentials for"
            " each project"
        )


def _without_effect(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {'has' if len(names) == 1 else 'have'} no effect"


def _names(patterns: Iterable[Pattern]) -> str:
    return ", ".join(map(name_of, patterns))
