"""Bytes from a fuzzer, read as choices, numbers, texts and JSON; any bytes are valid."""

import json
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_LONG = 2**20
TEXTS = (
    "",
    "\x00",
    "a\nb\r\tc",
    'a"b\\c\\n',
    "\ud800",
    "\udfff\ud800",
    "\u202eevil",  # overrides the direction of the following text
    "\u200b\u2028\u0085",
    "\U000e0041\U0010ffff",
    "主机-1",
    "é" * 300,
    "a" * _LONG,
    "\ud800" * 400_000,
    "%s%n%d{}{0}%%b",
    "</script><script>alert(1)</script>",
    "${A}",
    "\x1b[31mred\x1b]0;title\x07",
    '"} 1\nup 0',
    "evil.example/",
    "x@evil.example#",
    "..",
)
NUMBERS: tuple[object, ...] = (
    0,
    -1,
    1,
    7.0,
    0.5,
    1_524_224_984,
    1_524_224_984_800_922,
    2**31,
    2**53,
    2**63 - 1,
    2**63,
    10**400,
    1e308,
    5e-324,
    "7",
    "9" * 5000,
    "\u0661",
    True,
    None,
)
_DEEPEST = 4
_WIDEST = 4


class Reader:
    """A reader that takes values from the front of some bytes, and first values after their end.

    The values do not depend on the engine, so that a failing case stays reproducible.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_empty(self) -> bool:
        """True if all data has been taken."""
        return self._at >= len(self._data)

    def rest(self) -> bytes:
        """Take all remaining bytes."""
        return self.take(len(self._data))

    def take(self, size: int) -> bytes:
        """Take at most some bytes."""
        taken = self._data[self._at : self._at + size]
        self._at += len(taken)
        return taken

    def below(self, bound: int) -> int:
        """Take a number from 0, smaller than a bound of at most 256."""
        return (self.take(1) or b"\0")[0] % bound

    def pick(self, options: Sequence[T]) -> T:
        """Choose one of the values."""
        return options[self.below(len(options))]

    def chunk(self) -> bytes:
        """Take up to 255 bytes; the first byte is their number."""
        return self.take(self.below(256))

    def text(self) -> str:
        """Take a text: a crafted one, UTF-8, or any code points, lone surrogates too."""
        kind = self.below(4)
        if kind == 0:
            return self.pick(TEXTS)
        if kind == 1:
            return self.chunk().decode("latin-1")
        if kind == 2:
            return self.chunk().decode("utf-8", errors="surrogateescape")
        data = self.chunk()
        return "".join(chr(int.from_bytes(data[at : at + 2])) for at in range(0, len(data), 2))

    def json(self, keys: Sequence[str], depth: int = 0) -> object:
        """Take a JSON value whose objects mostly have the given keys."""
        kind = self.below(8)
        if kind >= 4 and depth < _DEEPEST:
            members = range(self.below(_WIDEST + 1))
            if kind >= 6:
                return [self.json(keys, depth + 1) for _ in members]
            return {self._key(keys): self.json(keys, depth + 1) for _ in members}
        return self.text() if kind % 2 else self.pick(NUMBERS)

    def body(self, keys: Sequence[str]) -> bytes:
        """Take the body of a response: any bytes, or JSON."""
        if self.below(4) == 0:
            return self.rest()
        return json.dumps(self.json(keys)).encode()

    def _key(self, keys: Sequence[str]) -> str:
        return self.pick(keys) if self.below(8) else self.text()
