"""The provider of one source of access keys, for tests that need no projects."""

import threading
from collections.abc import Mapping

import pytest

from exporter.base.clock import SYSTEM_CLOCK, Clock
from exporter.config.credentials import CredentialsConfig
from exporter.credentials.providers import Provider, Providers
from exporter.model.credentials import CredentialsUnavailableError
from tests.support.credential_servers import SECRET


def provider(
    config: CredentialsConfig | None,
    environ: Mapping[str, str],
    *,
    clock: Clock = SYSTEM_CLOCK,
    cancelled: threading.Event | None = None,
    use_proxies: bool = False,
) -> Provider:
    """Return a provider of the current credentials. Raises CredentialsError."""
    providers = Providers(environ, clock=clock, cancelled=cancelled)
    return providers.get(config, use_proxies=use_proxies).provider


def failure_of(credentials: Provider) -> str:
    """Return the error of a provider that has no credentials. It contains no secret."""
    with pytest.raises(CredentialsUnavailableError) as raised:
        credentials()
    assert SECRET not in str(raised.value)
    return str(raised.value)


def describe(config: CredentialsConfig | None, environ: Mapping[str, str]) -> str:
    """Return the description of the source. Raises CredentialsError."""
    return Providers(environ).get(config).description
