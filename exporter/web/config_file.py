"""The current web configuration, which is reloaded when one of its files changes.

Loading also reads every file that the configuration names and creates the TLS context. Errors in
them are therefore found during loading. docs/web-configuration.md describes the keys, which are
those of exporter-toolkit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from exporter.base.files import FileWatch, read
from exporter.config.problems import ConfigError, Problem
from exporter.config.validation import Format, unread, whole
from exporter.web.config_schema import (
    MAX_FILE_BYTES,
    NamedFiles,
    RateLimitConfig,
    WebFile,
    check,
    warnings,
)
from exporter.web.tls import TlsError, TlsPolicy, tls_policy

_ATTEMPTS: Final = 3
_FORMAT: Final = Format(
    model=WebFile,
    check=check,
    secret_keys=frozenset({"basic_auth_users", "cert", "key", "client_ca"}),
    max_bytes=MAX_FILE_BYTES,
    max_values=20_000,
    merge_keys=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """A loaded configuration that is ready for use."""

    tls: TlsPolicy | None
    headers: Mapping[str, str]
    users: Mapping[str, str] = field(repr=False)
    rate_limit: RateLimitConfig | None
    is_empty: bool
    warnings: tuple[str, ...]
    """Settings that have less effect than they seem to have."""


class WatchedWebConfig:
    """The newest valid configuration. Not thread-safe: only the event loop uses it.

    There is no thread and no timer: each call checks the files for changes. If a new configuration
    is invalid, the error is reported once and the previous configuration remains in use. The first
    configuration decides whether TLS is on. Raises ConfigError if the first one is invalid.
    """

    def __init__(self, path: Path, on_error: Callable[[str, BaseException], None]) -> None:
        self._path = path
        self._on_error = on_error
        self._files: tuple[Path, ...] = (path,)
        self._watch = FileWatch(self._files, MAX_FILE_BYTES)
        self._watches_all = False
        outcome = self._read()
        if isinstance(outcome, ConfigError):
            raise outcome
        self._config = outcome

    @property
    def has_tls(self) -> bool:
        """True if the server uses TLS."""
        return self._config.tls is not None

    @property
    def users(self) -> int:
        """The number of users."""
        return len(self._config.users)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings about the configuration."""
        return self._config.warnings

    def current(self) -> WebConfig:
        """Return the current configuration, after a reload if a file has changed."""
        if self._watch.changed() or not self._watches_all:
            self._replace(self._read())
        return self._config

    def tls(self) -> TlsPolicy | None:
        """Return the TLS policy for a new connection; None without TLS."""
        return self.current().tls

    def _read(self) -> WebConfig | ConfigError:
        """Return the configuration, or the error if it is invalid.

        The watch must begin before the files are read, so that no change is missed. If loading
        finds that the configuration names other files than the watched ones, load it again.
        """
        outcome: WebConfig | ConfigError
        for _ in range(_ATTEMPTS):
            named = NamedFiles(directory=self._path.parent)
            try:
                outcome = _load(self._path, named)
            except ConfigError as error:
                outcome = error
            files = (self._path, *named.found)
            self._watches_all = files == self._files
            if self._watches_all:
                break
            self._files, self._watch = files, FileWatch(files, MAX_FILE_BYTES)
        return outcome

    def _replace(self, outcome: WebConfig | ConfigError) -> None:
        if isinstance(outcome, WebConfig):
            reason = self._objection(outcome)
            if reason is None:
                self._config = outcome
                return
            outcome = _FORMAT.error(str(self._path), [whole(reason)])
        self._on_error("web configuration", outcome)

    def _objection(self, config: WebConfig) -> str | None:
        if config.is_empty and not self._config.is_empty:
            # A file can be empty for a moment while it is written. Authentication must stay on.
            return "the file is empty now"
        if (config.tls is None) is self.has_tls:
            return "TLS can only be switched on or off by a restart"
        return None


def _load(path: Path, named: NamedFiles) -> WebConfig:
    name = str(path)
    try:
        content = read(path, MAX_FILE_BYTES)
    except OSError as error:
        raise _FORMAT.error(name, [unread(error)]) from None
    reading = _FORMAT.read(content, environ=None, context=named)
    model, tls = reading.model, None
    if model is not None and not reading.problems:
        try:
            tls = tls_policy(model.tls_server_config)
        except TlsError as error:
            in_file = getattr(model.tls_server_config, f"{error.key}_file", None) is not None
            key = f"{error.key}_file" if in_file else error.key
            reading.add(Problem(path=("tls_server_config", key), message=str(error)))
    if model is None or reading.problems:
        raise _FORMAT.error(name, reading.problems)
    headers = model.http_server_config.headers.model_dump(by_alias=True)
    return WebConfig(
        tls=tls,
        headers={key: value for key, value in headers.items() if value},
        users=model.basic_auth_users,
        rate_limit=model.rate_limit if model.rate_limit.interval > 0 else None,
        is_empty=reading.document.is_empty,
        warnings=() if tls is None else tuple(warnings(model.tls_server_config)),
    )
