"""Access keys in files, which are read again when a file changes.

Files that belong together are read together, so that a rotation takes effect as a whole.
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
    """Return the content of an ASCII file of at most 64 KiB. Raises OSError."""
    return read(path, _MAX_BYTES).decode("ascii", errors="replace")


def read_key(path: Path) -> str:
    """Return the key, secret or token in a file without surrounding whitespace.

    Raises OSError or ValueError.
    """
    content = read_text(path).strip()
    if not is_key(content):
        raise ValueError(
            f"cannot read {path}: it is empty or contains characters that keys do not have"
        )
    return content


def unreadable(error: OSError | ValueError) -> str:
    """Return a message with the file that cannot be read and the reason."""
    if isinstance(error, OSError):
        return bounded(f"cannot read {error.filename}: {error.strerror}", 1000)
    return bounded(str(error), 1000)


class KeyFiles:
    """A provider of the access key in some files. Thread-safe.

    ``read`` reads all files and raises OSError or ValueError. The constructor turns these into a
    CredentialsError. If a later read fails, as during a rotation, the previous access key is kept.
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
        """Return the latest access key that has been read successfully."""
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
            self._log.warning(
                "the access key cannot be read again, keeping the previous one", error=reason
            )
        elif changed:
            self._log.info("the access key can be read again")
        return current

    def _load(self) -> Credentials:
        """Read the files, again if one changed meanwhile, and return the access key.

        The number of repetitions is limited. If the files still change, the next call reads them
        again.
        """
        found = self._read()
        for _ in range(_REPEATS):
            if not self._watch.changed():
                break
            found = self._read()
        return found
