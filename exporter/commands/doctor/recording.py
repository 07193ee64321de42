"""Requests through the exporter's client, recorded with the raw responses.

The typed values of the client hide forms that differ between deployments, such as the unit of a
time or the spelling of a code.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from msgspec import Struct

from exporter.http.response import Response
from exporter.sls.errors import Cancelled, SlsError
from exporter.sls.json_values import ShapeError, load_json
from exporter.sls.operations import Operation

T = TypeVar("T")

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Exchange(Struct, frozen=True, kw_only=True):
    """A request target and its response."""

    target: str
    response: Response


class Reply(Struct, Generic[T], frozen=True, kw_only=True):
    """The result of one operation, and its last response as it was received."""

    operation: Operation[Any]
    value: T | None = None
    error: SlsError | None = None
    status: int | None = None
    """The HTTP status; None without a response."""
    document: object = None
    """The body; None if it is not JSON."""
    headers: Mapping[str, str] = _NO_HEADERS
    now: float = 0.0
    """The server's time after the response, in Unix seconds."""

    @property
    def code(self) -> str | None:
        """The code of the error, None after success."""
        return None if self.error is None else self.error.code


class Recorder:
    """A sender of requests, one at a time, that returns errors as values.

    The transport appends its responses to ``exchanges``. ``now`` returns the server's time.
    """

    def __init__(self, exchanges: list[Exchange], now: Callable[[], float]) -> None:
        self._exchanges = exchanges
        self._now = now

    def __call__(self, operation: Operation[Any], request: Callable[[], T]) -> Reply[T]:
        """Send the request of an operation. Raises Cancelled when the process stops."""
        before = len(self._exchanges)
        value: T | None = None
        error: SlsError | None = None
        try:
            value = request()
        except Cancelled:
            raise
        except SlsError as caught:
            error = caught
        last = self._exchanges[-1].response if len(self._exchanges) > before else None
        return Reply(
            operation=operation,
            value=value,
            error=error,
            status=None if last is None else last.status,
            document=None if last is None else document_of(last),
            headers=_NO_HEADERS if last is None else last.headers,
            now=self._now(),
        )


def document_of(response: Response) -> object:
    """Return the JSON in a response, None if there is none."""
    try:
        document: object = load_json(response.body)
    except ShapeError:
        return None
    return document
