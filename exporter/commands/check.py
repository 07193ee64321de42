"""An explanation of the configuration without the network: what is polled, how, at what cost."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping

from exporter.base.durations import format_duration
from exporter.commands.flags import Flags
from exporter.config.patterns import Pattern, any_matches
from exporter.config.reader import load
from exporter.config.schema import Config, LogstoreConfig, ProjectConfig
from exporter.config.settings import ProjectSettings
from exporter.credentials.providers import describe
from exporter.model.credentials import CredentialsError

_READS = ("log:GetConsumerGroupCheckPoint",)
_LAG_READS = ("log:ListShards", "log:GetCursorOrData", "log:GetLogStore")


def run_check(flags: Flags) -> int:
    """Validate the configuration and print its explanation."""
    config = load(flags.config_file, environ=os.environ)
    sys.stdout.writelines(f"{line}\n" for line in explain(config, os.environ))
    return 0


def explain(config: Config, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield lines for people; no secret is in them."""
    for number, project in enumerate(config.projects):
        settings = config.effective(project)
        if number:
            yield ""
        yield f"project {_name(project.project)} at {settings.endpoint}"
        yield from _excluded("  ", project.project, config.exclude_projects)
        yield f"  credentials: {_credentials(settings, environ)}"
        yield f"  signature: {settings.signature}" + (
            f", region {settings.region}" if settings.signature == "v4" else ""
        )
        yield (
            f"  each logstore is polled every {format_duration(settings.interval)}, up to"
            f" {settings.workers} at a time"
        )
        yield (
            f"  a request may take {format_duration(settings.timeout)}; at most "
            f"{settings.requests_per_second:g} are sent a second"
        )
        yield f"  series are withdrawn after {format_duration(settings.stale_after)} of failures"
        yield (
            f"  a shard is stalled once it is behind and has not moved for "
            f"{format_duration(settings.stall_after)}"
            if settings.lag
            else "  end cursors are not read: ages are known, but neither lag nor stalls"
        )
        yield f"  rights needed: {', '.join(_rights(project, settings))}"
        for logstore in project.logstores:
            yield from _logstore(logstore, project, settings)


def _logstore(
    entry: LogstoreConfig, project: ProjectConfig, settings: ProjectSettings
) -> Iterator[str]:
    yield f"  logstore {_name(entry.logstore)}"
    yield from _excluded("    ", entry.logstore, project.exclude_logstores)
    yield f"    consumer groups: {_names(entry.consumer_groups)}"
    if entry.exclude_consumer_groups:
        yield f"    but not: {_names(entry.exclude_consumer_groups)}"
    if entry.shards is not None:
        yield f"    only shards: {', '.join(map(str, entry.shards))}"
    if entry.consumers:
        yield f"    only shards owned by: {_names(entry.consumers)}"
    if entry.exclude_consumers:
        yield f"    no shards owned by: {_names(entry.exclude_consumers)}"
    yield f"    requests a poll while nothing moves: {_cost(entry, settings)}"


def _excluded(indent: str, name: Pattern, exclusions: Iterable[Pattern]) -> Iterator[str]:
    """Yield what is left out of the names that a pattern selects, or that a plain name is."""
    if name.literal and any_matches(exclusions, name.text):
        yield f"{indent}left out, because it is excluded"
    elif exclusions and not name.literal:
        yield f"{indent}but not: {_names(exclusions)}"


def _cost(entry: LogstoreConfig, settings: ProjectSettings) -> str:
    """Count the requests of a poll: a group's checkpoints, the shards, the end of each shard."""
    fixed = 1 if settings.lag else 0
    terms = []
    if all(name.literal for name in entry.consumer_groups):
        fixed += len(entry.consumer_groups)
    else:
        terms.append("1 a consumer group")
    if settings.lag:
        terms.append("1 a shard")
    return " + ".join([str(fixed), *terms] if fixed else terms)


def _rights(project: ProjectConfig, settings: ProjectSettings) -> Iterator[str]:
    yield from _READS
    if settings.lag:
        yield from _LAG_READS
    if not project.project.literal:
        yield "log:ListProject"
    if not all(entry.logstore.literal for entry in project.logstores):
        yield "log:ListLogStores"
    if not all(name.literal for entry in project.logstores for name in entry.consumer_groups):
        yield "log:ListConsumerGroup"


def _credentials(settings: ProjectSettings, environ: Mapping[str, str]) -> str:
    """Say where keys come from, never what they are."""
    try:
        return describe(settings.credentials, environ)
    except CredentialsError as error:
        return f"none yet ({error})"


def _names(patterns: Iterable[Pattern]) -> str:
    return ", ".join(map(_name, patterns))


def _name(pattern: Pattern) -> str:
    return pattern.text if pattern.literal else f"like {pattern.text}"
