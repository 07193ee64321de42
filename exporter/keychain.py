"""Where access keys come from: the configuration first, then the environment.

The variables are those of the vendor's own tools.
"""

import contextlib
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import SecretStr

from exporter.config import CredentialsConfig
from exporter.credentials import Credentials

KEY_ID = "ALIBABA_CLOUD_ACCESS_KEY_ID"
KEY_SECRET = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"  # noqa: S105  the name of a variable
TOKEN = "ALIBABA_CLOUD_SECURITY_TOKEN"  # noqa: S105  the same

Provider = Callable[[], Credentials]

# Keys and tokens travel in headers.
_PRINTABLE = re.compile(r"[!-~]+")
_MAX_BYTES = 64 * 1024


class CredentialsError(Exception):
    """No credentials can be had; the message says where they were looked for."""


def provider(config: CredentialsConfig | None, environ: Mapping[str, str]) -> Provider:
    """Return what gives the current credentials; raises CredentialsError if there are none.

    Files are read again when they change; while one cannot be read its last content stands.
    """
    if config is None:
        return from_environment(environ)
    key_id = _source(config.access_key_id, config.access_key_id_file)
    secret = _source(config.access_key_secret, config.access_key_secret_file)
    token = _source(config.security_token, config.security_token_file)

    def credentials() -> Credentials:
        return Credentials(
            access_key_id=key_id() or "",
            access_key_secret=secret() or "",
            security_token=token(),
        )

    return credentials


def from_environment(environ: Mapping[str, str]) -> Provider:
    """Return what gives the credentials of the environment, as it is now."""
    key_id, secret = environ.get(KEY_ID), environ.get(KEY_SECRET)
    if not key_id or not secret:
        raise CredentialsError(
            f"no credentials: set `credentials` in the configuration file, or {KEY_ID} and "
            f"{KEY_SECRET} in the environment"
        )
    token = environ.get(TOKEN) or None
    for name, value in ((KEY_ID, key_id), (KEY_SECRET, secret), (TOKEN, token)):
        if value is not None and not _PRINTABLE.fullmatch(value):
            raise CredentialsError(f"{name} holds spaces or characters beyond printable ASCII")
    found = Credentials(access_key_id=key_id, access_key_secret=secret, security_token=token)
    return lambda: found


class SecretFile:
    """The content of a file, stripped, read again when the file changes.

    It must be what a key can be, one piece of printable ASCII; a change to anything else is not
    taken over.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._content = ""
        try:
            self._refresh()
        except (OSError, ValueError) as error:
            raise CredentialsError(f"cannot read {path}: {error}") from None

    def __call__(self) -> str:
        """Return the newest content that could be read."""
        with self._lock:
            # In the middle of a rotation the file may be away; the last content still counts.
            with contextlib.suppress(OSError, ValueError):
                self._refresh()
            return self._content

    def _refresh(self) -> None:
        stat = self._path.stat()
        seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if seen != self._seen:
            with self._path.open("rb") as file:
                content = file.read(_MAX_BYTES).decode("ascii", errors="replace").strip()
            if not _PRINTABLE.fullmatch(content):
                raise ValueError("it is empty, or holds spaces or characters no key has")
            self._content, self._seen = content, seen


def _source(value: SecretStr | str | None, path: Path | None) -> Callable[[], str | None]:
    if path is not None:
        return SecretFile(path)
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    return lambda: text
