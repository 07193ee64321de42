"""Basic authentication against bcrypt hashes.

bcrypt is slow on purpose, so it runs in a worker thread, one at a time, and its results are kept.
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
_BCRYPT_BYTES: Final = 72  # bcrypt looks at no more of a password


def is_bcrypt_hash(text: str) -> bool:
    """Whether the text is a bcrypt hash, by its form."""
    return _HASH.fullmatch(text) is not None


class Authenticator:
    """Judges Authorization headers; users and hashes are handed in, as they may change."""

    def __init__(self, threads: Workers) -> None:
        self._one_at_a_time = threads.pool("bcrypt", 1)
        self._key = secrets.token_bytes(32)
        # Apart, so that a flood of wrong passwords does not push out the right ones.
        self._accepted: OrderedDict[bytes, None] = OrderedDict()
        self._refused: OrderedDict[bytes, None] = OrderedDict()

    async def accepts(self, users: Mapping[str, str], header: bytes | None) -> bool:
        """Whether the header names a user with the right password."""
        given = _credentials(header)
        if given is None:
            return False
        user, password = given
        known = users.get(user)
        # An unknown user costs the same time as a known one, so the time tells nothing.
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
        return False  # bcrypt takes no such password, so none such was hashed


def _fake_hash(users: Mapping[str, str]) -> str:
    """Return a hash that nothing matches in practice, as dear as the dearest of the users'."""
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
