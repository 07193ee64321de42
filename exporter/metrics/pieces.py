"""A gzip stream put together from pieces of which some were compressed long before.

A piece that ends with a full flush needs nothing of what stands before it, so pieces can be joined
as they are into one deflate stream, and their checksums combined: it is one plain gzip member for
every client. Sources: RFC 1951 (deflate), RFC 1952 (gzip), zlib's crc32_combine.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from isal import isal_zlib

_LEVEL = 1
_RAW = -15  # deflate without a header
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_END = b"\x03\x00"  # an empty last block
_GATHER_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that is kept compressed."""

    deflated: bytes
    crc: int
    length: int

    @classmethod
    def of(cls, *texts: bytes) -> Self:
        """Compress some texts as one."""
        compressor = isal_zlib.compressobj(_LEVEL, wbits=_RAW)
        crc = length = 0
        deflated: list[bytes] = []
        for text in texts:
            # Not joined before: one after the other they stay near at hand for the processor.
            deflated.append(compressor.compress(text))
            crc = isal_zlib.crc32(text, crc)
            length += len(text)
        deflated.append(compressor.flush(zlib.Z_FULL_FLUSH))
        return cls(b"".join(deflated), crc, length)

    def text(self) -> bytes:
        """Return the text."""
        return isal_zlib.decompressobj(_RAW).decompress(self.deflated)


def plain(parts: Iterable[bytes | Piece]) -> Iterator[bytes]:
    """Yield the text of parts."""
    return (part.text() if isinstance(part, Piece) else part for part in parts)


def gzipped(parts: Iterable[bytes | Piece]) -> Iterator[bytes]:
    """Yield parts as one gzip stream; plain ones are compressed on the way."""
    yield _HEADER
    crc = length = 0
    for piece in _gathered(parts):
        crc = isal_zlib.crc32_combine(crc, piece.crc, piece.length)
        length += piece.length
        yield piece.deflated
    yield _END + struct.pack("<II", crc, length & 0xFFFFFFFF)


def _gathered(parts: Iterable[bytes | Piece]) -> Iterator[Piece]:
    """Join plain parts that follow each other, since many small ones compress badly."""
    waiting: list[bytes] = []
    size = 0
    for part in parts:
        if isinstance(part, Piece):
            if waiting:
                yield Piece.of(*waiting)
                waiting, size = [], 0
            yield part
            continue
        waiting.append(part)
        size += len(part)
        if size > _GATHER_BYTES:
            yield Piece.of(*waiting)
            waiting, size = [], 0
    if waiting:
        yield Piece.of(*waiting)
