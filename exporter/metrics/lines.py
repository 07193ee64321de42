"""Lines of the exposition format, byte for byte as prometheus_client writes them."""

from collections.abc import Mapping, Sequence

import orjson
from msgspec import Struct
from prometheus_client.utils import floatToGoString

from exporter.metrics.catalogue import Metric
from exporter.metrics.pieces import Piece

_PLAIN_BELOW = 1e6  # from here on Go writes an exponent where Python does not
_TEN_DIGITS_FROM, _TEN_DIGITS_BELOW = 1e9, 1e10


class Block(Struct, frozen=True, kw_only=True, gc=False):
    """Lines of one family, and how many."""

    text: bytes | Piece = b""
    count: int = 0


EMPTY = Block()


def label_text(labels: Mapping[str, str]) -> bytes:
    """Write labels in the order of their names."""
    written = (f'{name}="{escaped(value)}"' for name, value in sorted(labels.items()))
    return ",".join(written).encode()


def escaped(value: str) -> str:
    """Escape the value of a label."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def one_line(metric: Metric, labels: bytes, value: float | None) -> Block:
    """Write a family's only line of a kind; none where the value is not known."""
    return EMPTY if value is None else Block(text=line(metric, labels, value), count=1)


def line(metric: Metric, labels: bytes, value: float) -> bytes:
    """Write one line."""
    braced = b"{%b}" % labels if labels else b""
    return b"%b%b %b\n" % (metric.name.encode(), braced, go_float(value))


def header(metric: Metric) -> bytes:
    """Write what stands above a family."""
    return f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n".encode()


def around(metric: Metric, heads: Sequence[bytes]) -> list[bytes]:
    """Return what stands around the values of lines: one text more than there are values.

    ``heads`` are what stands between the name and each value.
    """
    start = b"\n" + metric.name.encode()
    return [(start if number else start[1:]) + head for number, head in enumerate(heads)] + [b"\n"]


def filled(texts: Sequence[bytes], values: Sequence[bytes]) -> bytes:
    """Put values between texts, of which there is one more."""
    parts = [b""] * (len(texts) + len(values))
    parts[::2] = texts
    parts[1::2] = values
    return b"".join(parts)


def go_float(value: float) -> bytes:
    """Write a number as Go does."""
    if -_PLAIN_BELOW < value < _PLAIN_BELOW:
        return repr(float(value)).encode()
    if _TEN_DIGITS_FROM <= value < _TEN_DIGITS_BELOW:
        return _ten_digits(repr(float(value)).encode())
    return str(floatToGoString(value)).encode()  # type: ignore[no-untyped-call]  # theirs


def go_floats(values: Sequence[float]) -> list[bytes]:
    """Write numbers as Go does; those that are alike together, in a fraction of the time.

    orjson writes a number as Python does, but for those with an exponent, which it writes in
    another way or, from 0.00001 to 0.0001, without one, and what is no number.
    """
    if not values:
        return []
    least, most = min(values), max(values)
    is_plain = least > -_PLAIN_BELOW and most < _PLAIN_BELOW
    if is_plain or (least >= _TEN_DIGITS_FROM and most < _TEN_DIGITS_BELOW):
        text = orjson.dumps([*map(float, values)])
        if b"e" not in text and b"0.0000" not in text and b"null" not in text:
            written = text[1:-1].split(b",")
            return written if is_plain else [*map(_ten_digits, written)]
    return [*map(go_float, values)]


def _ten_digits(text: bytes) -> bytes:
    """Move the point of a number of ten digits, a timestamp, to where Go writes it."""
    digits = (text[1:10] + text[11:]).rstrip(b"0")
    return text[:1] + b"." + digits + b"e+09" if digits else text[:1] + b"e+09"
