"""Lines of the exposition format, byte for byte as prometheus_client writes them."""

from collections.abc import Mapping, Sequence

import orjson
from msgspec import Struct
from prometheus_client.utils import floatToGoString

from exporter.metrics.family import Family
from exporter.metrics.gzip_stream import Part

_PLAIN_BELOW = 1e6  # from here on Go writes an exponent where Python does not
_TEN_DIGITS_FROM, _TEN_DIGITS_BELOW = 1e9, 1e10
_EXACT_BELOW = 4e9


class Block(Struct, frozen=True, kw_only=True, gc=False):
    """Lines of one family, and how many."""

    text: Part = b""
    count: int = 0


EMPTY = Block()


def label_text(labels: Mapping[str, str]) -> bytes:
    """Write labels in the order of their names."""
    written = (f'{name}="{escaped(value)}"' for name, value in sorted(labels.items()))
    return ",".join(written).encode()


def escaped(value: str) -> str:
    """Escape the value of a label."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def one_line(metric: Family, labels: bytes, value: float | None) -> Block:
    """Write a family's only line of a kind; none where the value is not known."""
    return EMPTY if value is None else Block(text=line(metric, labels, value), count=1)


def line(metric: Family, labels: bytes, value: float) -> bytes:
    """Write one line."""
    braced = b"{%b}" % labels if labels else b""
    return b"%b%b %b\n" % (metric.name.encode(), braced, go_float(value))


def header(metric: Family) -> bytes:
    """Write what stands above a family."""
    return f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n".encode()


def lines_of(metric: Family, heads: Sequence[bytes], values: Sequence[bytes]) -> bytes:
    """Write lines; ``heads`` are what stands between the name and each value."""
    start = metric.name.encode()
    parts = [b"\n" + start] * (3 * len(heads) + 1)
    parts[0], parts[1::3], parts[2::3], parts[-1] = start, heads, values, b"\n"
    return b"".join(parts)


def go_float(value: float) -> bytes:
    """Write a number as Go does."""
    if -_PLAIN_BELOW < value < _PLAIN_BELOW:
        return repr(float(value)).encode()
    if _TEN_DIGITS_FROM <= value < _TEN_DIGITS_BELOW:
        return _ten_digits(repr(float(value)).encode())
    return str(floatToGoString(value)).encode()  # type: ignore[no-untyped-call]  # theirs


def go_floats(values: Sequence[float]) -> list[bytes]:
    """Write numbers as Go does; those that are alike together, in a fraction of the time."""
    if not values:
        return []
    least, most, total = min(values), max(values), sum(values)
    together = None
    if total != total:  # noqa: PLR0124  as one of them is NaN, which is not found by its size
        pass
    elif least > -_PLAIN_BELOW and most < _PLAIN_BELOW:
        together = _plain(values)
    elif least >= _TEN_DIGITS_FROM and most < _EXACT_BELOW:
        together = _timestamps(values)
    return [*map(go_float, values)] if together is None else together


def _plain(values: Sequence[float]) -> list[bytes] | None:
    """Write numbers that need no exponent.

    orjson writes a number as Python does, but for those with an exponent, which it writes in
    another way or, from 0.00001 to 0.0001, without one.
    """
    text = orjson.dumps([*map(float, values)])[1:-1]
    return None if b"e" in text or b"0.0000" in text else text.split(b",")


def _timestamps(values: Sequence[float]) -> list[bytes] | None:
    """Write timestamps between 1e9 and 4e9, if they are whole microseconds.

    Such a one has sixteen digits, and so has its 10**9th part. Floats lie closer there than a unit
    of the last digit, so the float next to either has those digits as its shortest form.
    """
    microseconds = [round(value * 1e6) for value in values]
    if [each / 1e6 for each in microseconds] != [*values]:
        return None
    text = orjson.dumps([each / 1e15 for each in microseconds])[1:-1]
    if b".0," in text or text.endswith(b".0"):
        return None  # Go leaves that out
    return (text.replace(b",", b"e+09,") + b"e+09").split(b",")


def _ten_digits(text: bytes) -> bytes:
    """Move the point of a number of ten digits, a timestamp, to where Go writes it."""
    digits = (text[1:10] + text[11:]).rstrip(b"0")
    return text[:1] + b"." + digits + b"e+09" if digits else text[:1] + b"e+09"
