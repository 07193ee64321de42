"""The provider of one source of access keys, for tests that need no projects."""

import threading
from collections.abc import Mapping

from exporter.base.clock import SYSTEM_CLOCK, Clock
from exporter.config.credentials import CredentialsConfig
from exporter.credentials.providers import Provider, Providers


def provider(
    config: CredentialsConfig | None,
    environ: Mapping[str, str],
    *,
    clock: Clock = SYSTEM_CLOCK,
    cancelled: threading.Event | None = None,
) -> Provider:
    """Return a provider of the current credentials. Raises CredentialsError."""
    return Providers(environ, clock=clock, cancelled=cancelled).get(config).provider


def describe(config: CredentialsConfig | None, environ: Mapping[str, str]) -> str:
    """Return the description of the source. Raises CredentialsError."""
    return Providers(environ).get(config).description
