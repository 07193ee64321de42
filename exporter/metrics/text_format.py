"""Lines of the exposition format, byte for byte as prometheus_client writes them."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from prometheus_client.utils import floatToGoString

from exporter.metrics.gzip_stream import Part


class Block(Struct, frozen=True, kw_only=True, gc=False):
    """Lines of one family, and their number."""

    text: Part = b""
    count: int = 0


EMPTY = Block()


def label_text(labels: Mapping[str, str]) -> bytes:
    """Write labels in the order of their names."""
    return ",".join(
        [f'{name}="{escaped(value)}"' for name, value in sorted(labels.items())]
    ).encode()


def escaped(value: str) -> str:
    """Escape the value of a label."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def header(name: str, kind: str, text: str, *, unit: str = "") -> bytes:
    """Write the lines above a family; ``text`` is its help, already escaped.

    Only OpenMetrics has a unit.
    """
    of_unit = f"# UNIT {name} {unit}\n" if unit else ""
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n{of_unit}".encode()


def line(name: str, labels: bytes, value: float) -> bytes:
    """Write one line."""
    braced = b"{%b}" % labels if labels else b""
    return b"%b%b %b\n" % (name.encode(), braced, go_float(value))


def lines_of(name: str, heads: Sequence[bytes], values: Sequence[bytes]) -> bytes:
    """Write lines; ``heads`` are the texts between the name and each value."""
    start = name.encode()
    parts = [b"\n" + start] * (3 * len(heads) + 1)
    parts[0], parts[1::3], parts[2::3], parts[-1] = start, heads, values, b"\n"
    return b"".join(parts)


def go_float(value: float) -> bytes:
    """Write a number as Go does."""
    return str(floatToGoString(value)).encode()  # type: ignore[no-untyped-call]  # has no types
