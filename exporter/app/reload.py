"""Reloads of the configuration, regardless of the trigger: a signal, HTTP or a changed file.

If the new configuration is invalid, the exporter keeps the previous one and reports the errors.
"""

import threading
from collections.abc import Callable

from exporter.config.problems import ConfigError
from exporter.config.schema import Config
from exporter.logs.logger import Logger
from exporter.model.credentials import CredentialsError

Load = Callable[[], Config]


class Reloader:
    """A serializer of reloads, each of which loads a configuration and applies it."""

    def __init__(
        self,
        load: Load,
        *,
        apply: Callable[[Config], None],
        on_failure: Callable[[], None],
        log: Logger,
    ) -> None:
        self._load = load
        self._apply = apply
        self._on_failure = on_failure
        self._log = log
        self._lock = threading.Lock()

    def reload(self) -> tuple[str, ...]:
        """Reload the configuration and return the errors; empty if the new one is applied."""
        with self._lock:
            try:
                self._apply(self._load())
            except ConfigError as error:
                faults = tuple(str(fault) for fault in error.problems)
            except CredentialsError as error:
                faults = (str(error),)
            else:
                self._log.info("configuration reloaded")
                return ()
            self._on_failure()
            self._log.error(
                "configuration reload failed, keeping the previous configuration",
                faults=len(faults),
                first=faults[0],
            )
            return faults
