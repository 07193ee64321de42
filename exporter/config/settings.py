"""The settings in force for a project: its own ones, then the global ones."""

from typing import TYPE_CHECKING

from msgspec import Struct

from exporter.model.endpoint import Endpoint

if TYPE_CHECKING:  # the schema makes these settings, so it imports this module
    from exporter.config.schema import CredentialsConfig, HttpConfig, Signature


class ProjectSettings(Struct, frozen=True, kw_only=True):
    """The settings in force for one project. Times are in seconds."""

    endpoint: Endpoint
    region: str | None
    credentials: "CredentialsConfig | None"
    signature: "Signature"
    interval: float
    timeout: float
    stale_after: float
    workers: int
    requests_per_second: float
    lag: bool
    stall_after: float
    http: "HttpConfig"
