"""The certificate authorities that connections trust, loaded again when their file changes."""

import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import certifi

from exporter.base.files import MIB, FileWatch, read
from exporter.base.text import pem_text

MAX_CA_BYTES = 16 * MIB

OnCaChange = Callable[[Path, str | None], None]
"""A function that gets the file, and the reason if it cannot be loaded again, or None."""


def ignore_change(ca_file: Path, reason: str | None) -> None:
    """Do nothing."""


class Authorities:
    """The TLS context that trusts the authorities in a file, or the bundled ones. Thread-safe.

    If the file becomes invalid, its previous content stays in use. ``on_change`` is called when
    the file is loaded again and when it becomes invalid.
    """

    def __init__(
        self, ca_file: Path | None = None, *, on_change: OnCaChange = ignore_change
    ) -> None:
        self.version = 0
        """The number of changes. A connection with another version has outdated authorities."""
        self._ca_file = ca_file
        self._on_change = on_change
        self._lock = threading.Lock()
        self._watch = FileWatch((ca_file,) if ca_file else (), MAX_CA_BYTES)
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """Return the context that all connections share. Raises OSError.

        It is created once, because reading all authorities takes longer than a poll.
        """
        with self._lock:
            if self._context is None:
                self._context = _load(self._ca_file)
            return self._context

    def refresh(self) -> None:
        """Load the file again if it has changed."""
        if self._ca_file is None:
            return
        with self._lock:
            if not self._watch.changed():
                return
            reason = None
            try:
                self._context = _load(self._ca_file)
                self.version += 1
            except ssl.SSLError:
                reason = "no certificates in PEM form"
            except OSError as error:
                reason = str(error.strerror)
        self._on_change(self._ca_file, reason)


def _load(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file is None:
        context = ssl.create_default_context(cafile=certifi.where())
    else:
        pem = pem_text(read(ca_file, MAX_CA_BYTES))
        if not pem:  # ssl would trust the authorities of the system.
            raise ssl.SSLError("the file is empty")
        context = ssl.create_default_context(cadata=pem)
    context.set_alpn_protocols(["http/1.1"])
    return context
