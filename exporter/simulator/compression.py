"""The compressions of the API: blocks of LZ4, deflate, Zstandard, in the formats of the vendor."""

import zlib

_LITERALS = 15
_BYTE = 0xFF
_LEAST_MATCH = 4
_OFFSET_BYTES = 2
_ZSTD_HEAD = bytes.fromhex("28b52ffda0")  # one segment, with its length in four bytes
_ZSTD_BLOCK = 1 << 17


def compress_lz4(data: bytes) -> bytes:
    """Return data as an LZ4 block of literals, which is valid but not smaller."""
    length = len(data)
    if length < _LITERALS:
        return bytes([length << 4]) + data
    rest, last = divmod(length - _LITERALS, _BYTE)
    return bytes([_LITERALS << 4]) + bytes([_BYTE]) * rest + bytes([last]) + data


def decompress_lz4(block: bytes, size: int) -> bytes:
    """Return the data of an LZ4 block. Raises ValueError unless it has this size."""
    data = bytearray()
    at = 0
    try:
        while at < len(block):
            token = block[at]
            length, at = _length(block, at + 1, token >> 4)
            data += _slice(block, at, length, size - len(data))
            at += length
            if at == len(block):
                break
            offset = int.from_bytes(_slice(block, at, _OFFSET_BYTES, len(block)), "little")
            length, at = _length(block, at + _OFFSET_BYTES, token & _LITERALS)
            _repeat(data, offset, length + _LEAST_MATCH, size)
    except IndexError:
        raise ValueError("the block is incomplete") from None
    return _of_size(bytes(data), size)


def inflate(data: bytes, size: int) -> bytes:
    """Return the data of a zlib stream. Raises ValueError unless it has this size."""
    try:
        return _of_size(zlib.decompressobj().decompress(data, size + 1), size)
    except zlib.error as error:
        raise ValueError(str(error)) from None


def compress_zstd(data: bytes) -> bytes:
    """Return data as a Zstandard frame of raw blocks, which is valid but not smaller."""
    blocks = [
        _zstd_block(data[start : start + _ZSTD_BLOCK], is_last=start + _ZSTD_BLOCK >= len(data))
        for start in range(0, max(len(data), 1), _ZSTD_BLOCK)
    ]
    return b"".join([_ZSTD_HEAD, len(data).to_bytes(4, "little"), *blocks])


def _zstd_block(data: bytes, *, is_last: bool) -> bytes:
    return (len(data) << 3 | is_last).to_bytes(3, "little") + data


def _length(block: bytes, at: int, first: int) -> tuple[int, int]:
    """Return a length whose first four bits are known, and the position behind it."""
    length = first
    if first == _LITERALS:
        while True:
            length += block[at]
            at += 1
            if block[at - 1] != _BYTE:
                break
    return length, at


def _slice(block: bytes, at: int, length: int, limit: int) -> bytes:
    if length > limit or at + length > len(block):
        raise ValueError("the block has wrong lengths")
    return block[at : at + length]


def _repeat(data: bytearray, offset: int, length: int, size: int) -> None:
    """Append bytes from an offset before the end, which can include those that it appends."""
    if not 0 < offset <= len(data) or len(data) + length > size:
        raise ValueError("the block repeats bytes that it does not have")
    repeated = bytes(data[-offset:])
    data += (repeated * (length // offset + 1))[:length]


def _of_size(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise ValueError("the data has another size")
    return data
