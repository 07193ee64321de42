"""Log groups as PullLogs returns them: protocol buffers, in the block format of LZ4.

Each log group has one log. Its only field is the cursor of the log group.
"""

from collections.abc import Iterable

from exporter.simulator.views import LogGroupRow

_SOURCE = "simulator"
_LITERALS = 15
_BYTE = 0xFF


def encode_log_groups(rows: Iterable[LogGroupRow]) -> bytes:
    """Return a LogGroupList message."""
    return b"".join(_bytes(1, _log_group(row)) for row in rows)


def compress_lz4(data: bytes) -> bytes:
    """Return data as an LZ4 block of literals, which is valid but not smaller."""
    length = len(data)
    if length < _LITERALS:
        return bytes([length << 4]) + data
    rest, last = divmod(length - _LITERALS, _BYTE)
    return bytes([_LITERALS << 4]) + bytes([_BYTE]) * rest + bytes([last]) + data


def _log_group(row: LogGroupRow) -> bytes:
    content = _bytes(1, b"cursor") + _bytes(2, str(row.cursor).encode())
    log = _number(1, int(row.received_at)) + _bytes(2, content)
    return _bytes(1, log) + _bytes(3, b"") + _bytes(4, _SOURCE.encode())


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:  # noqa: PLR2004  # seven bits per byte
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)
