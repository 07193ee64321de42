"""Lines of the exposition format, byte for byte as prometheus_client writes them."""

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.utils import floatToGoString

from exporter.metrics.catalogue import Metric
from exporter.metrics.pieces import Piece

_PLAIN_BELOW = 1e6  # from here on Go writes an exponent where Python does not
_TEN_DIGITS_FROM, _TEN_DIGITS_BELOW = 1e9, 1e10


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
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


def go_float(value: float) -> bytes:
    """Write a number as Go does."""
    if -_PLAIN_BELOW < value < _PLAIN_BELOW:
        return repr(float(value)).encode()
    if _TEN_DIGITS_FROM <= value < _TEN_DIGITS_BELOW:
        # A timestamp, of which there are many; all other numbers are left to prometheus_client.
        text = repr(float(value))
        digits = f"{text[1:10]}{text[11:]}".rstrip("0")
        return f"{text[0]}.{digits}e+09".encode() if digits else f"{text[0]}e+09".encode()
    return str(floatToGoString(value)).encode()  # type: ignore[no-untyped-call]  # theirs
