"""Providers of access keys from the configuration, the environment or a role.

The module ``chain`` chooses a source. ``sources`` fetches temporary credentials, ``refreshing``
renews them, and ``key_files`` reads keys again when files change. docs/credentials.md describes
all sources for operators.
"""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.base.clock import SYSTEM_CLOCK, Clock
from exporter.config.schema import CredentialsConfig
from exporter.credentials.chain import FixedKey, choose
from exporter.credentials.key_files import KeyFiles
from exporter.credentials.refreshing import RefreshingCredentials
from exporter.logs.logger import get_logger
from exporter.model.credentials import Credentials, CredentialsError

if TYPE_CHECKING:  # a check of the configuration needs no HTTP client
    from exporter.credentials.fetcher import Fetcher

__all__ = ["CredentialsError", "Provider", "describe", "provider"]

Provider = Callable[[], Credentials]
"""A function that returns the current credentials.

It raises CredentialsUnavailableError while there are none.
"""

CA_FILE = "SSL_CERT_FILE"


def provider(
    config: CredentialsConfig | None,
    environ: Mapping[str, str],
    *,
    clock: Clock = SYSTEM_CLOCK,
    cancelled: threading.Event | None = None,
) -> Provider:
    """Return a provider of the current credentials.

    The provider fetches nothing before its first call, so that call raises an error if the source
    cannot be reached. Setting ``cancelled`` ends every wait. Raises CredentialsError if no source
    is configured or its settings are not valid.
    """
    found = choose(config, environ)
    if isinstance(found, FixedKey | KeyFiles):
        return found
    ca_file = environ.get(CA_FILE)
    stop = cancelled or threading.Event()

    def make_fetcher() -> "Fetcher":
        from exporter.credentials.fetcher import Fetcher  # noqa: PLC0415  only needed for a fetch

        return Fetcher(cancelled=stop, ca_file=Path(ca_file) if ca_file else None)

    return RefreshingCredentials(
        found,
        make_fetcher=make_fetcher,
        clock=clock,
        cancelled=stop,
        log=get_logger("exporter.credentials"),
    )


def describe(config: CredentialsConfig | None, environ: Mapping[str, str]) -> str:
    """Return the source of the access keys, without the keys themselves.

    Raises CredentialsError under the same conditions as ``provider``.
    """
    found = choose(config, environ)
    if isinstance(found, FixedKey | KeyFiles):
        return found.description
    return f"from the environment: {found.description}"
