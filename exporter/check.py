"""Explains a configuration without asking the network: what is polled, how, and at what cost."""

from collections.abc import Iterable, Iterator, Mapping

from exporter.config import Config, LogstoreConfig, ProjectConfig, ProjectSettings, format_duration
from exporter.keychain import CredentialsError, provider

_READS = ("log:GetConsumerGroupCheckPoint",)
_LAG_READS = ("log:ListShards", "log:GetCursorOrData", "log:GetLogStore")


def explain(config: Config, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield lines for people."""
    yield f"projects: {len(config.projects)}"
    for project in config.projects:
        settings = config.effective(project)
        yield f"  {project.project} at {settings.endpoint}"
        yield f"    credentials: {_credentials(settings, environ)}"
        yield f"    signature: {settings.signature}" + (
            f", region {settings.region}" if settings.signature == "v4" else ""
        )
        yield (
            f"    every {format_duration(settings.interval)}, a request within "
            f"{format_duration(settings.timeout)}, at most {settings.requests_per_second:g} "
            "requests a second"
        )
        yield f"    rights: {', '.join(_rights(project, settings))}"
        for logstore in project.logstores:
            yield from _logstore(logstore, settings)


def _logstore(entry: LogstoreConfig, settings: ProjectSettings) -> Iterator[str]:
    yield f"    logstore {entry.logstore}"
    yield f"      consumer groups: {_names(entry.consumer_groups)}"
    if entry.exclude_consumer_groups:
        yield f"      but not: {_names(entry.exclude_consumer_groups)}"
    if entry.shards is not None:
        yield f"      shards: {', '.join(map(str, entry.shards))}"
    if entry.consumers:
        yield f"      only shards owned by: {_names(entry.consumers)}"
    groups = len(entry.consumer_groups)
    if entry.logstore.literal and all(name.literal for name in entry.consumer_groups):
        cost = f"1 + {groups} + one a shard" if settings.lag else str(groups)
    else:
        cost = "1 + one a group + one a shard" if settings.lag else "one a group"
    yield f"      requests a poll and logstore at rest: {cost}"


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
        provider(settings.credentials, environ)
    except CredentialsError as error:
        return f"none yet ({error})"
    return "from the environment" if settings.credentials is None else "from the configuration"


def _names(patterns: Iterable[object]) -> str:
    return ", ".join(map(str, patterns))
