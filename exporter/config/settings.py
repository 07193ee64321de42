"""The effective settings of a project and of a consumer group, whose own values hold."""

from collections.abc import Sequence
from typing import TypeVar

from msgspec import Struct

from exporter.config.credentials import ROLE_FIELDS, CredentialsConfig
from exporter.config.schema import (
    Config,
    GroupConfig,
    HttpConfig,
    LogstoreConfig,
    PollingConfig,
    ProjectConfig,
    Signature,
)
from exporter.config.validation import Section
from exporter.model.endpoint import Endpoint, requires_v4
from exporter.model.snapshot import GroupSettings, Labels

S = TypeVar("S", bound=Section)

_STALE_INTERVALS = 3
"""The minimum of the default of ``stale_after``, as a number of polling intervals."""


class ProjectSettings(Struct, frozen=True, kw_only=True):
    """The effective settings of one project."""

    endpoint: Endpoint
    region: str | None
    credentials: CredentialsConfig | None
    signature: Signature
    polling: PollingConfig
    lag: bool
    http: HttpConfig


def at_endpoints(project: ProjectConfig) -> Sequence[ProjectConfig]:
    """Return a project as one item per endpoint.

    Items of ``endpoints`` have a label with the region in the name of the endpoint, if the project
    has no label of this name.
    """
    if project.endpoints is None:
        return [project]
    return [
        project.model_copy(
            update={
                "endpoint": endpoint,
                "endpoints": None,
                "labels": _region_label(endpoint) | project.labels,
            }
        )
        for endpoint in project.endpoints
    ]


def _region_label(endpoint: Endpoint) -> dict[str, str]:
    return {} if endpoint.region is None else {"region": endpoint.region}


def project_settings(config: Config, project: ProjectConfig) -> ProjectSettings:
    """Return the settings of a project of a configuration at its only endpoint.

    Polling and HTTP are merged key by key. Credentials replace the global ones as a whole, except
    that a role without a key is assumed with the global key.
    """
    endpoint = project.endpoint
    if endpoint is None:
        raise ValueError("a project with several endpoints has settings for each of them")
    region = project.region or endpoint.region
    return ProjectSettings(
        endpoint=endpoint,
        region=region,
        credentials=_credentials(config.credentials, project.credentials),
        signature="v4" if requires_v4(region) else project.signature or config.signature,
        polling=_with_stale_after(_merged(config.polling, project.polling)),
        lag=config.lag if project.lag is None else project.lag,
        http=_merged(config.http, project.http),
    )


def _credentials(
    base: CredentialsConfig | None, own: CredentialsConfig | None
) -> CredentialsConfig | None:
    if base is None or own is None or own.source is not None:
        return own or base
    return base.model_copy(update={key: getattr(own, key) for key in ROLE_FIELDS})


def group_settings(
    config: Config, *levels: ProjectConfig | LogstoreConfig | GroupConfig
) -> GroupSettings:
    """Return the settings of consumer groups. The value of the last level that has one holds."""
    return GroupSettings(
        stall_after=_last([each.stall_after for each in levels], config.stall_after),
        lag_limit=_last([each.lag_limit for each in levels], config.lag_limit),
        labels=_labels(config, *levels),
    )


def _labels(*levels: Config | ProjectConfig | LogstoreConfig | GroupConfig) -> Labels:
    """Return the labels of all levels. The value of the last level that has one holds."""
    merged = {name: str(value) for each in levels for name, value in each.labels.items()}
    return tuple(sorted(merged.items()))


def _last(values: Sequence[float | None], default: float) -> float:
    return next((value for value in reversed(values) if value is not None), default)


def _merged(base: S, override: S) -> S:
    return base.model_copy(
        update={key: getattr(override, key) for key in override.model_fields_set}
    )


def _with_stale_after(polling: PollingConfig) -> PollingConfig:
    """Apply the default of ``stale_after``, which grows with the interval."""
    if "stale_after" in polling.model_fields_set:
        return polling
    stale_after = max(polling.stale_after, _STALE_INTERVALS * polling.interval)
    return polling.model_copy(update={"stale_after": stale_after})
