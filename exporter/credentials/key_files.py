"""Access keys in files, read again when a file changes.

Files that belong together are read together, so that a rotation is taken over as a whole.
"""

import stat
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from exporter.base.text import bounded
from exporter.logs.logger import Logger
from exporter.model.credentials import Credentials, CredentialsError, is_key

MAX_BYTES = 64 * 2**10
_REPEATS = 2

Stamp = tuple[int, int, int, int]


def read_text(path: Path) -> str:
    """Return the content of a small ASCII file; raises OSError or ValueError."""
    # To open a pipe would block until somebody writes into it.
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"cannot read {path}: it is not a regular file")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"cannot read {path}: it is larger than {MAX_BYTES} bytes")
    return content.decode("ascii", errors="replace")


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
        self._paths = paths
        self._read = read
        self._log = log
        self._lock = threading.Lock()
        self._failing = False
        try:
            self._seen, self._current = self._load()
        except (OSError, ValueError) as error:
            raise CredentialsError(unreadable(error)) from None

    def __call__(self) -> Credentials:
        """Return the newest access key that could be read."""
        with self._lock:
            failing, reason = False, ""
            try:
                if self._stamps() != self._seen:
                    self._seen, self._current = self._load()
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

    def _load(self) -> tuple[tuple[Stamp, ...], Credentials]:
        """Read until nothing changes meanwhile; if that never happens, the next call reads on."""
        stamps, found = self._stamps(), self._read()
        for _ in range(_REPEATS):
            newer = self._stamps()
            if newer == stamps:
                break
            stamps, found = newer, self._read()
        return stamps, found

    def _stamps(self) -> tuple[Stamp, ...]:
        stats = [path.stat() for path in self._paths]
        return tuple((s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_size) for s in stats)
