"""The failure of an HTTP exchange, regardless of the library or socket that reported it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

FailureKind = Literal["timeout", "connection", "invalid_response", "cancelled"]
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class HttpFailure(Exception):  # noqa: N818  as in the error tree of sls
    """An exchange without a complete response; ``str()`` is the reason.

    The reason contains no secret of the request, but it can contain any text from the server. If a
    response was rejected after its head, ``status`` and ``headers`` (lower-case names) are set.
    """

    def __init__(
        self,
        kind: FailureKind,
        reason: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> None:
        super().__init__(reason)
        self.kind = kind
        self.status = status
        self.headers = headers
