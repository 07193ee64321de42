"""Providers of access keys from the configuration, the environment or a role.

The module ``chain`` chooses a source. ``sources`` and ``assume_role`` fetch temporary credentials,
``refreshing`` renews them, and ``key_files`` reads keys again when files change.
docs/credentials.md describes all sources for operators.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from exporter.base.clock import SYSTEM_CLOCK, Clock
from exporter.config.credentials import CredentialsConfig
from exporter.config.settings import ProjectSettings
from exporter.credentials.assume_role import AssumedRole
from exporter.credentials.chain import choose
from exporter.credentials.key_files import KeyFiles
from exporter.credentials.refreshing import RefreshingCredentials
from exporter.credentials.sources import FixedKey, OidcRole, Source
from exporter.credentials.variables import CA_FILE, Environ, session_name, sts_endpoint
from exporter.logs.logger import get_logger
from exporter.model.credentials import Credentials

if TYPE_CHECKING:  # a check of the configuration needs no HTTP client
    from exporter.credentials.fetcher import Fetcher

Provider = Callable[[], Credentials]
"""A function that returns the current credentials.

It raises CredentialsUnavailableError while there are none.
"""


class Provided(Struct, frozen=True, kw_only=True, eq=False):
    """A provider with an explanation for people, which contains no secret."""

    provider: Provider
    description: str
    assumed: tuple[str, ...] = ()
    """The roles that AssumeRole assumes, the first one with the key of the source."""
    ignored: tuple[str, ...] = ()
    """The environment variables that have no effect."""


class Providers:
    """The providers of all projects, one per source. Thread-safe.

    Nothing is fetched before the first call of a provider. Setting ``cancelled`` ends every wait.
    """

    def __init__(
        self,
        environ: Environ,
        *,
        clock: Clock = SYSTEM_CLOCK,
        cancelled: threading.Event | None = None,
    ) -> None:
        self._environ = environ
        self._clock = clock
        self._cancelled = cancelled or threading.Event()
        self._lock = threading.Lock()
        self._known: dict[tuple[CredentialsConfig | None, bool], Provided] = {}

    def of_project(self, settings: ProjectSettings) -> Provided:
        """Return the provider of a project, whose requests to STS use the proxies of the project.

        Raises CredentialsError if no source is configured or its settings are not valid.
        """
        return self.get(settings.credentials, use_proxies=settings.http.proxy_from_environment)

    def get(self, config: CredentialsConfig | None, *, use_proxies: bool = False) -> Provided:
        """Return the provider of a section. Raises CredentialsError."""
        with self._lock:
            return self._get(config, use_proxies=use_proxies)

    def _get(self, config: CredentialsConfig | None, *, use_proxies: bool) -> Provided:
        found = self._known.get((config, use_proxies))
        if found is None:
            if config is None or config.role_arn is None:
                found = self._of_source(config, use_proxies=use_proxies)
            else:
                found = self._of_role(config, config.role_arn, use_proxies=use_proxies)
            self._known[config, use_proxies] = found
        return found

    def _of_source(self, config: CredentialsConfig | None, *, use_proxies: bool) -> Provided:
        found = choose(config, self._environ)
        source = found.source
        return Provided(
            provider=self._provider(source, use_proxies=use_proxies),
            description=found.description,
            assumed=(source.role_arn,) if isinstance(source, AssumedRole) else (),
            ignored=found.ignored,
        )

    def _of_role(self, config: CredentialsConfig, role_arn: str, *, use_proxies: bool) -> Provided:
        keys = self._get(config.source, use_proxies=use_proxies)
        external_id = config.external_id
        role = AssumedRole(
            sts=config.sts_endpoint or sts_endpoint(self._environ),
            role_arn=role_arn,
            session_name=config.role_session_name or session_name(self._environ),
            keys=keys.provider,
            external_id=external_id.get_secret_value() if external_id else None,
        )
        return Provided(
            provider=self._provider(role, use_proxies=use_proxies),
            description=f"{role.description}, assumed with the key {keys.description}",
            assumed=(*keys.assumed, role_arn),
            ignored=keys.ignored,
        )

    def _provider(self, source: FixedKey | KeyFiles | Source, *, use_proxies: bool) -> Provider:
        if isinstance(source, FixedKey | KeyFiles):
            return source
        ca_file = self._environ.get(CA_FILE)
        # Only STS is reached through a proxy. Metadata and helpers are close to this process.
        use_proxies = use_proxies and isinstance(source, AssumedRole | OidcRole)

        def make_fetcher() -> "Fetcher":
            from exporter.credentials.fetcher import Fetcher  # noqa: PLC0415  only needed for a fetch

            return Fetcher(
                cancelled=self._cancelled,
                ca_file=Path(ca_file) if ca_file else None,
                proxy_from_environment=use_proxies,
            )

        return RefreshingCredentials(
            source,
            make_fetcher=make_fetcher,
            clock=self._clock,
            cancelled=self._cancelled,
            log=get_logger("exporter.credentials"),
        )
