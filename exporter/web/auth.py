"""Basic authentication against bcrypt hashes.

bcrypt is slow on purpose. It runs in one worker thread, and its results are cached.
"""

import base64
import binascii
import hashlib
import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

import bcrypt

from exporter.web.workers import Workers

_HASH: Final = re.compile(r"\$2[abxy]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_KEPT: Final = 128
_BCRYPT_BYTES: Final = 72  # bcrypt ignores the rest of a password


def is_bcrypt_hash(text: str) -> bool:
    """Return whether the text has the form of a bcrypt hash."""
    return _HASH.fullmatch(text) is not None


class Authenticator:
    """A checker of Authorization headers.

    The caller passes users and hashes with each header, because a reload can change them.
    """

    def __init__(self, threads: Workers) -> None:
        self._one_at_a_time = threads.pool("bcrypt", 1)
        self._key = secrets.token_bytes(32)
        # Two caches, so that a flood of wrong passwords does not evict the correct ones.
        self._accepted: OrderedDict[bytes, None] = OrderedDict()
        self._refused: OrderedDict[bytes, None] = OrderedDict()

    async def accepts(self, users: Mapping[str, str], header: bytes | None) -> bool:
        """Return whether the header contains a user with the correct password."""
        given = _credentials(header)
        if given is None:
            return False
        user, password = given
        known = users.get(user)
        # An unknown user takes as long as a known one, so the time does not reveal user names.
        hashed = (known or _fake_hash(users)).encode()
        entry = self._entry(user, hashed if known else b"", password)
        if _kept(self._accepted, entry):
            return True
        if _kept(self._refused, entry):
            return False
        matches = await self._one_at_a_time.run(_matches, password, hashed)
        accepted = matches and known is not None
        _keep(self._accepted if accepted else self._refused, entry)
        return accepted

    def _entry(self, user: str, hashed: bytes, password: bytes) -> bytes:
        digest = hashlib.blake2b(key=self._key, digest_size=32)
        for part in (user.encode(), hashed, password):
            digest.update(len(part).to_bytes(8))
            digest.update(part)
        return digest.digest()


def _credentials(header: bytes | None) -> tuple[str, bytes] | None:
    scheme, _, encoded = (header or b"").partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        user, separator, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if separator else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _matches(password: bytes, hashed: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:_BCRYPT_BYTES], hashed)
    except ValueError:
        return False  # bcrypt rejects this password, so no hash of it exists


def _fake_hash(users: Mapping[str, str]) -> str:
    """Return a hash that in practice no password matches, with the highest cost of all users."""
    cost = max((hashed.split("$")[2] for hashed in users.values()), default="10")
    return f"$2b${cost}${'.' * 53}"


def _kept(entries: OrderedDict[bytes, None], entry: bytes) -> bool:
    if entry not in entries:
        return False
    entries.move_to_end(entry)
    return True


def _keep(entries: OrderedDict[bytes, None], entry: bytes) -> None:
    entries[entry] = None
    if len(entries) > _KEPT:
        entries.popitem(last=False)
