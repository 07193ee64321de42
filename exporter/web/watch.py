"""The web configuration in force: read again when its file, or one that it names, changes.

There is no thread and no timer; whoever asks for the configuration pays a stat of each file.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from exporter.web.config_file import WebConfig, WebConfigError, load_web_config
from exporter.web.tls import TlsPolicy

_ATTEMPTS = 3
_Signature = tuple[tuple[int, ...] | None, ...]


class WatchedWebConfig:
    """Holds the newest good configuration. Not thread-safe: it belongs to the event loop.

    A new one that is not valid is reported once, and the old one stays. Whether TLS is on is
    settled by the first. Raises WebConfigError if the first is not valid.
    """

    def __init__(self, path: Path, on_error: Callable[[str, BaseException], None]) -> None:
        self._path = path
        self._on_error = on_error
        self._files: tuple[Path, ...] = (path,)
        self._seen: _Signature = ()
        outcome = self._read()
        if isinstance(outcome, WebConfigError):
            raise outcome
        self._config = outcome

    @property
    def has_tls(self) -> bool:
        """Whether the server speaks TLS."""
        return self._config.tls is not None

    def current(self) -> WebConfig:
        """Return the configuration in force now."""
        if _signature(self._files) != self._seen:
            self._replace(self._read())
        return self._config

    def tls(self) -> TlsPolicy | None:
        """Return how a connection made now is secured."""
        return self.current().tls

    def _read(self) -> WebConfig | WebConfigError:
        """Load, and note what the files looked like before that, so that no change is missed."""
        outcome: WebConfig | WebConfigError
        for _ in range(_ATTEMPTS):
            self._seen = _signature(self._files)
            try:
                outcome = load_web_config(self._path)
            except WebConfigError as exc:
                outcome = exc
            if outcome.files == self._files:
                break
            self._files = outcome.files  # other files than were looked at: once more
        return outcome

    def _replace(self, outcome: WebConfig | WebConfigError) -> None:
        try:
            if isinstance(outcome, WebConfigError):
                raise outcome
            self._check_successor(outcome)
        except WebConfigError as exc:
            self._on_error("web configuration", exc)
        else:
            self._config = outcome

    def _check_successor(self, config: WebConfig) -> None:
        if config.is_empty and not self._config.is_empty:
            # A file that is being written is empty for a moment; that must not open the door.
            raise WebConfigError(f"{self._path}: is empty now, the last one stays")
        if (config.tls is None) is self.has_tls:
            raise WebConfigError(f"{self._path}: TLS can only be switched on or off by a restart")


def _signature(files: Iterable[Path]) -> _Signature:
    return tuple(_look(file) for file in files)


def _look(file: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(file)  # noqa: PTH116 - called at every request, and Path.stat costs twice
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev
