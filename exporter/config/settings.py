"""The effective settings of a project, in which its own values override the global ones."""

from typing import TypeVar

from msgspec import Struct

from exporter.config.schema import (
    ROLE_FIELDS,
    Config,
    CredentialsConfig,
    HttpConfig,
    PollingConfig,
    ProjectConfig,
    Signature,
)
from exporter.config.validation import Section
from exporter.model.endpoint import Endpoint, requires_v4

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
    stall_after: float
    """The time in seconds after which a shard counts as stalled."""
    http: HttpConfig


def project_settings(config: Config, project: ProjectConfig) -> ProjectSettings:
    """Return the settings of one of the projects of a configuration.

    Polling and HTTP are merged key by key. Credentials replace the global ones as a whole, except
    that a role without a key is assumed with the global key.
    """
    region = project.region or project.endpoint.region
    return ProjectSettings(
        endpoint=project.endpoint,
        region=region,
        credentials=_credentials(config.credentials, project.credentials),
        signature="v4" if requires_v4(region) else project.signature or config.signature,
        polling=_with_stale_after(_merged(config.polling, project.polling)),
        lag=config.lag if project.lag is None else project.lag,
        stall_after=project.stall_after or config.stall_after,
        http=_merged(config.http, project.http),
    )


def _credentials(
    base: CredentialsConfig | None, own: CredentialsConfig | None
) -> CredentialsConfig | None:
    if base is None or own is None or own.source is not None:
        return own or base
    return base.model_copy(update={key: getattr(own, key) for key in ROLE_FIELDS})


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
