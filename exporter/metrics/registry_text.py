"""Writes what is counted as prometheus_client does, whose text of a family serves as a pattern.

The library writes every label anew at each scrape, though only values change. Here it writes a
family once for each set of its series, and from then on values are put into that text.
"""

from collections.abc import Callable, Iterable

from msgspec import Struct
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from exporter.metrics.text_format import go_floats

Encode = Callable[[Collector], bytes]

# As a scraper may name any version, patterns are kept for the formats that Prometheus asks for.
_FORMATS = frozenset(
    choose_encoder(accept)[1]
    for accept in (
        "",
        "text/plain;version=1.0.0;escaping=allow-utf-8",
        "application/openmetrics-text;version=1.0.0",
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
    )
)


class _Pattern(Struct, frozen=True, kw_only=True):
    """A family without its values: its series in order, and the texts around the values."""

    series: list[tuple[str, dict[str, str]]]
    texts: list[bytes]


class _Just(Collector):
    """Some families, for the library to write."""

    def __init__(self, *families: Metric) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


class RegistryText:
    """Writes a registry of metrics that have no time stamps and no exemplars."""

    def __init__(self, registry: Collector) -> None:
        self._registry = registry
        self._formats: dict[str, dict[str, _Pattern]] = {}

    def text(self, encode: Encode, content_type: str) -> tuple[bytes, bytes]:
        """Return what an encoder of the library writes, but for its end, and that end.

        ``content_type`` tells the encoders apart.
        """
        end = encode(_Just())
        if content_type not in _FORMATS:
            return encode(self._registry).removesuffix(end), end
        patterns = self._formats.setdefault(content_type, {})
        parts = []
        for family in self._registry.collect():
            series = [(sample.name, sample.labels) for sample in family.samples]
            pattern = patterns.get(family.name)
            if pattern is None or pattern.series != series:
                text = encode(_Just(family)).removesuffix(end)
                pattern = _Pattern(series=series, texts=_around_values(text))
                if _filled(pattern.texts, _values(family.samples)) == text:
                    patterns[family.name] = pattern
                parts.append(text)
            else:
                parts.append(_filled(pattern.texts, _values(family.samples)))
        return b"".join(parts), end


def _values(samples: Iterable[Sample]) -> list[bytes]:
    return go_floats([sample.value for sample in samples])


def _filled(texts: list[bytes], values: list[bytes]) -> bytes:
    """Put values between texts, of which there is one more."""
    parts = [b""] * (len(texts) + len(values))
    parts[::2] = texts
    parts[1::2] = values
    return b"".join(parts)


def _around_values(text: bytes) -> list[bytes]:
    """Cut the values out of a family's text, each of which ends its line."""
    texts: list[bytes] = []
    before = b""
    for line in text.split(b"\n")[:-1]:
        if line.startswith(b"#"):
            before += line + b"\n"
        else:
            head, space, _ = line.rpartition(b" ")
            texts.append(before + head + space)
            before = b"\n"
    return [*texts, before]
