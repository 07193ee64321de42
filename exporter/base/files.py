"""Files: their content, read within bounds, and whether it has changed."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

KIB = 1024
MIB = 1024 * KIB

Stamp = tuple[int, ...]


def read(path: Path, limit: int, *, regular: bool = True) -> bytes:
    """Return the content of a file that has at most ``limit`` bytes.

    Only a regular file is read unless ``regular`` is false. Raises OSError, whose ``strerror`` is
    the reason, for everything that prevents it.
    """
    try:
        # Opening a pipe would block until another process writes into it.
        if regular and not stat.S_ISREG(path.stat().st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except ValueError:  # a NUL or half a surrogate pair
        raise OSError(errno.EINVAL, "not the name of a file", str(path)) from None
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"larger than {_size(limit)}", str(path))
    return content


class FileWatch:
    """Files that are observed for changes of their content. Not thread-safe.

    A look costs one stat per file. Only a file that looks different is read and hashed, because a
    touched file, and one of the same content in another place, is not a change.
    """

    def __init__(self, paths: Iterable[Path], limit: int) -> None:
        """Note the current content. No more than ``limit`` bytes of a file are read."""
        self._paths = tuple(paths)
        self._limit = limit
        self._stamps: tuple[Stamp | None, ...] = ()
        self._digests: tuple[bytes, ...] = ()
        self.changed()

    def changed(self) -> bool:
        """Return whether a file has another content than at the previous call.

        A file that cannot be read differs from one that can.
        """
        # The stamps are older than the digests, so no change between them is missed.
        stamps = tuple(map(_stamp, self._paths))
        if stamps == self._stamps:
            return False
        digests = tuple(_digest(path, self._limit) for path in self._paths)
        changed = digests != self._digests
        self._stamps, self._digests = stamps, digests
        return changed


def _stamp(path: Path) -> Stamp | None:
    try:
        found = os.stat(path)  # noqa: PTH116  called for every request, and Path.stat costs twice
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
