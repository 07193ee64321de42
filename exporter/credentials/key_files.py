"""Access keys in files, read again when a file changes.

Files that belong together are read together, so that a rotation is taken over as a whole.
"""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from exporter.base.files import KIB, FileWatch, read
from exporter.base.text import bounded
from exporter.logs.logger import Logger
from exporter.model.credentials import Credentials, CredentialsError, is_key

_MAX_BYTES = 64 * KIB
_REPEATS = 2


def read_text(path: Path) -> str:
    """Return the content of a small ASCII file; raises OSError."""
    return read(path, _MAX_BYTES).decode("ascii", errors="replace")


def read_key(path: Path) -> str:
    """Return the key, secret or token in a file, stripped; raises OSError or ValueError."""
    content = read_text(path).strip()
    if not is_key(content):
        raise ValueError(
            f"cannot read {path}: it is empty, or holds spaces or characters no key has"
        )
    return content


def unreadable(error: OSError | ValueError) -> str:
    """Say which file cannot be read, and why."""
    if isinstance(error, OSError):
        return bounded(f"cannot read {error.filename}: {error.strerror}", 1000)
    return bounded(str(error), 1000)


class KeyFiles:
    """Gives the access key that is in some files; safe to share between threads.

    ``read`` reads them all and raises OSError or ValueError. At first that is a CredentialsError;
    later, as in the middle of a rotation, the last access key stands.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        read: Callable[[], Credentials],
        *,
        description: str,
        log: Logger,
    ) -> None:
        self.description = description
        self._read = read
        self._log = log
        self._lock = threading.Lock()
        self._failing = False
        self._watch = FileWatch(paths, _MAX_BYTES)
        try:
            self._current = self._load()
        except (OSError, ValueError) as error:
            raise CredentialsError(unreadable(error)) from None

    def __call__(self) -> Credentials:
        """Return the newest access key that could be read."""
        with self._lock:
            failing, reason = False, ""
            try:
                if self._watch.changed() or self._failing:
                    self._current = self._load()
            except (OSError, ValueError) as error:
                failing, reason = True, unreadable(error)
            changed = failing != self._failing
            self._failing = failing
            current = self._current
        if changed and failing:
            self._log.warning("the access key cannot be read again, the last stands", error=reason)
        elif changed:
            self._log.info("the access key can be read again")
        return current

    def _load(self) -> Credentials:
        """Read until nothing changes meanwhile; if that never happens, the next call reads on."""
        found = self._read()
        for _ in range(_REPEATS):
            if not self._watch.changed():
                break
            found = self._read()
        return found
