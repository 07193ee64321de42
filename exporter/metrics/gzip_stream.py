"""A gzip stream joined from pieces, some of which were compressed much earlier.

A piece that ends with a full flush does not refer to earlier data. Such pieces can be joined
without change into one deflate stream, and their checksums can be combined. Every client sees one
ordinary gzip member. Sources: RFC 1951 (deflate), RFC 1952 (gzip), zlib's crc32_combine.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Self

from isal import isal_zlib
from msgspec import Struct

_LEVEL = 1
_RAW = -15  # deflate without a header
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_END = b"\x03\x00"  # an empty last block
_KEEP_FROM_BYTES = 2048  # Less text compresses badly on its own.


class Piece(Struct, frozen=True, gc=False):
    """Text that is kept compressed."""

    deflated: bytes
    crc: int
    length: int

    @classmethod
    def of(cls, text: bytes) -> Self:
        """Compress a text."""
        compressor = _compressor()
        deflated = compressor.compress(text) + compressor.flush(zlib.Z_FULL_FLUSH)
        return cls(deflated, isal_zlib.crc32(text), len(text))

    def text(self) -> bytes:
        """Return the text."""
        return isal_zlib.decompressobj(_RAW).decompress(self.deflated)


def kept(text: bytes) -> bytes | Piece:
    """Compress a text that will be kept, unless it is too short to compress well."""
    return Piece.of(text) if len(text) > _KEEP_FROM_BYTES else text


Part = bytes | Piece
"""Text, plain or kept compressed."""


def plain(parts: Iterable[Part]) -> Iterator[bytes]:
    """Yield the text of parts."""
    for part in parts:
        yield part.text() if isinstance(part, Piece) else part


def gzipped(parts: Iterable[Part]) -> Iterator[bytes]:
    """Yield parts as one gzip stream.

    Plain parts between two compressed ones are compressed together, since small ones compress
    badly alone.
    """
    yield _HEADER
    crc = length = 0
    compressor = None
    for part in parts:
        if isinstance(part, Piece):
            if compressor is not None:
                yield compressor.flush(zlib.Z_FULL_FLUSH)
                compressor = None
            crc = isal_zlib.crc32_combine(crc, part.crc, part.length)
            length += part.length
            yield part.deflated
        else:
            compressor = compressor or _compressor()
            crc = isal_zlib.crc32(part, crc)
            length += len(part)
            yield compressor.compress(part)
    if compressor is not None:
        yield compressor.flush(zlib.Z_FULL_FLUSH)
    yield _END + struct.pack("<II", crc, length & 0xFFFFFFFF)


def _compressor() -> isal_zlib.Compress:
    return isal_zlib.compressobj(_LEVEL, wbits=_RAW)
