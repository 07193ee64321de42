"""Reading of files up to a maximum size, and detection of changes."""

import contextlib
import errno
import hashlib
import os
import select
import stat
from collections.abc import Iterable
from pathlib import Path

KIB = 1024
MIB = 1024 * KIB

_WRITER_SECONDS = 10

Stamp = tuple[int, ...]


def read(path: Path, limit: int, *, regular: bool = True) -> bytes:
    """Return the content of a file that has at most ``limit`` bytes.

    Only a regular file is read unless ``regular`` is false. A pipe must then have a writer within
    some seconds, which may take its time. Raises OSError with the reason as its ``strerror`` if the
    file cannot be read or is too large.
    """
    try:
        if regular and not stat.S_ISREG(path.stat().st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        with open(path, "rb", opener=_open) as file:
            number = file.fileno()
            start = b"" if stat.S_ISREG(os.fstat(number).st_mode) else _start(number, path)
            content = start + file.read(limit + 1)
    except ValueError:  # a NUL or half a surrogate pair
        raise OSError(errno.EINVAL, "not the name of a file", str(path)) from None
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"larger than {_size(limit)}", str(path))
    return content


def _open(path: str, flags: int) -> int:
    """Open a file without waiting for the writer of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _start(file: int, path: Path) -> bytes:
    """Wait for the writer of a pipe, make reads blocking, and return what was read meanwhile."""
    ready = select.poll()
    ready.register(file, select.POLLIN)
    start = b""
    if not ready.poll(_WRITER_SECONDS * 1000):
        with contextlib.suppress(BlockingIOError):  # there is a writer, but no data yet
            start = os.read(file, 1)
            if not start:
                raise OSError(
                    errno.ETIMEDOUT,
                    f"a pipe that no process has opened to write within {_WRITER_SECONDS} s; start"
                    " its writer first, or use a regular file",
                    str(path),
                )
    os.set_blocking(file, True)
    return start


class FileWatch:
    """A watch for changes of the content of files. Not thread-safe.

    A check needs one stat call per file. A file is read and hashed only if its stat result differs.
    A file with a new timestamp or inode but the same content does not count as changed.
    """

    def __init__(self, paths: Iterable[Path], limit: int) -> None:
        """Record the current content. No more than ``limit`` bytes of a file are read."""
        self._paths = tuple(paths)
        self._limit = limit
        self._stamps: tuple[Stamp | None, ...] = ()
        self._digests: tuple[bytes, ...] = ()
        self._unsettled = False
        self.changed()

    def changed(self) -> bool:
        """Return whether the content of a file has changed since the previous call.

        A file that becomes readable or unreadable counts as changed.
        """
        # Take the stamps before the digests, so that no change in between is missed.
        stamps = tuple(map(_stamp, self._paths))
        if stamps == self._stamps and not self._unsettled:
            return False
        digests = tuple(_digest(path, self._limit) for path in self._paths)
        changed = digests != self._digests
        self._stamps, self._digests = stamps, digests
        return changed

    def settled(self) -> bool:
        """Return whether the content has changed, and no file is being written any more.

        A file is regarded as written completely if its stat result and its content are those of
        the previous call. Each change is returned once.
        """
        before = self._stamps
        changed = self.changed()
        settled = self._unsettled and not changed and self._stamps == before
        self._unsettled = (self._unsettled or changed) and not settled
        return settled


def _stamp(path: Path) -> Stamp | None:
    try:
        found = os.stat(path)  # noqa: PTH116  called per request, and Path.stat takes twice as long
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev


def _digest(path: Path, limit: int) -> bytes:
    try:
        return hashlib.blake2b(read(path, limit)).digest()
    except OSError as error:
        return str(error.strerror).encode()


def _size(limit: int) -> str:
    return f"{limit // MIB} MiB" if limit % MIB == 0 else f"{limit // KIB} KiB"
