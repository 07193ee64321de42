"""What the routes need: the callables behind each page, and what is said between them."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct


class MetricsRequest(Struct, frozen=True, kw_only=True):
    """The headers that decide a scrape's format and compression; empty where not sent."""

    accept: str
    accept_encoding: str


class MetricsAnswer(Struct, frozen=True, kw_only=True):
    """A rendered scrape: its headers, and its body at once or in pieces of any size."""

    content_type: str
    content_encoding: str | None
    body: bytes | Iterable[bytes]


class Pages(Struct, frozen=True, kw_only=True):
    """The callables behind the routes.

    ``metrics``, ``status`` (HTML), ``groups`` (JSON) and ``reload`` run in worker threads.
    ``healthy`` and ``ready`` run on the event loop, so they must not wait; they return None when
    all is well, else the reason. ``reload`` returns its faults, none when it is done; where it is
    None, reloading over HTTP is switched off.
    """

    metrics: Callable[[MetricsRequest], MetricsAnswer]
    status: Callable[[Mapping[str, str]], bytes]
    groups: Callable[[Mapping[str, str]], bytes]
    healthy: Callable[[], str | None]
    ready: Callable[[], str | None]
    reload: Callable[[], Sequence[str]] | None
