"""Where access keys come from: the configuration, the environment, or a role's temporary ones.

``chain`` chooses, ``sources`` fetch temporary credentials, ``refreshing`` keeps them fresh and
``files`` re-reads what is in files. docs/credentials.md has it for operators.
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
"""Gives the current credentials; raises CredentialsUnavailableError while there are none."""

CA_FILE = "SSL_CERT_FILE"


def provider(
    config: CredentialsConfig | None,
    environ: Mapping[str, str],
    *,
    clock: Clock = SYSTEM_CLOCK,
    cancelled: threading.Event | None = None,
) -> Provider:
    """Return what gives the current credentials, and what ``describe`` says of them.

    Nothing is fetched yet: a source that cannot be reached is an error of the call that needs it.
    Setting ``cancelled`` ends every wait. Raises CredentialsError where no source is configured, or
    not rightly.
    """
    found = choose(config, environ)
    if isinstance(found, FixedKey | KeyFiles):
        return found
    ca_file = environ.get(CA_FILE)
    stop = cancelled or threading.Event()

    def make_fetcher() -> "Fetcher":
        from exporter.credentials.fetcher import Fetcher  # noqa: PLC0415  check fetches nothing

        return Fetcher(cancelled=stop, ca_file=Path(ca_file) if ca_file else None)

    return RefreshingCredentials(
        found,
        make_fetcher=make_fetcher,
        clock=clock,
        cancelled=stop,
        log=get_logger("exporter.credentials"),
    )


def describe(config: CredentialsConfig | None, environ: Mapping[str, str]) -> str:
    """Say where keys come from, never what they are; raises CredentialsError as provider does."""
    found = choose(config, environ)
    if isinstance(found, FixedKey | KeyFiles):
        return found.description
    return f"from the environment: {found.description}"
