"""Log groups as protocol buffers, for PullLogs and PutLogs.

Each log group that is returned has one log. Its only field is the cursor of the log group.
"""

from collections.abc import Iterable, Iterator

from exporter.simulator.views import LogGroupRow

_SOURCE = "simulator"
_LOGS = 1
_TIME = 1
_CONTENTS = 2
_KEY, _VALUE = 1, 2
_VARINT_BYTES = 10


def encode_log_groups(rows: Iterable[LogGroupRow]) -> bytes:
    """Return a LogGroupList message."""
    return b"".join(_bytes(1, _log_group(row)) for row in rows)


def check_log_group(message: bytes) -> None:
    """Raise ValueError unless a message is a LogGroup that SLS accepts.

    It has logs, and each log has a time and fields. UnicodeDecodeError is for a text not in UTF-8.
    """
    logs = [value for field, value in _fields(message) if field == _LOGS]
    if not logs:
        raise ValueError("the log group has no logs")
    for log in logs:
        _check_log(_message(log))


def _check_log(message: bytes) -> None:
    found = list(_fields(message))
    contents = [_message(value) for field, value in found if field == _CONTENTS]
    if not contents or _TIME not in {field for field, _ in found}:
        raise ValueError("the log has no time or no fields")
    for content in contents:
        texts = dict(_fields(content))
        for part in (_KEY, _VALUE):
            _message(texts.get(part)).decode()


def _message(value: bytes | int | None) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a field is missing or has another type")  # noqa: TRY004  # of the data
    return value


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield the numbers and values of the fields of a message. Raises ValueError."""
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        match tag & 7:
            case 0:
                value, at = _read_varint(message, at)
                yield tag >> 3, value
                continue
            case 1 | 5 as kind:
                length = 8 if kind == 1 else 4
            case 2:
                length, at = _read_varint(message, at)
            case _:
                raise ValueError("the message has an unknown type")
        if at + length > len(message):
            raise ValueError("the message is incomplete")
        yield tag >> 3, message[at : at + length]
        at += length


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for position, byte in enumerate(message[at : at + _VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * position
        if byte < 0x80:  # noqa: PLR2004  # the last byte of a number
            return value, at + position + 1
    raise ValueError("the message has an incomplete number")


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
