"""HTTP to a source of credentials: bounded in time and size, no proxy, no redirect, no retry.

Credentials are asked for about once an hour, so each request has a connection of its own. The
client of SLS, with its pools and its pace, is made for something else.
"""

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import certifi

from exporter import __version__
from exporter.base.text import without_tokens
from exporter.model.endpoint import METADATA_ADDRESS, Endpoint

BUDGET_SECONDS = 5.0
"""For all that one fetch of credentials asks; only the name resolution is not bounded."""
MAX_BODY_BYTES = 64 * 2**10

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class FetchError(Exception):
    """A source did not give credentials this time. The text is bounded and holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A whole HTTP answer."""

    status: int
    body: bytes = field(repr=False)


class Connector:
    """Sends requests that all end before one deadline, which starts to run when it is made.

    ``ca_file`` replaces the bundled authorities.
    """

    def __init__(self, *, ca_file: Path | None = None, seconds: float = BUDGET_SECONDS) -> None:
        self._ca_file = ca_file
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds

    def send(
        self,
        endpoint: Endpoint,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: bytes | None = None,
        within: float = BUDGET_SECONDS,
    ) -> Response:
        """Return the answer, whatever its status; raises FetchError, and nothing else.

        ``within`` are seconds for this request, where they end before the deadline.
        """
        deadline = min(self._deadline, time.monotonic() + within)
        connection = http.client.HTTPConnection(endpoint.host)
        try:
            connection.sock = self._open(endpoint, deadline)
            fields = {
                "Host": endpoint.host_header(None),
                "User-Agent": f"sls-exporter/{__version__}",
                "Connection": "close",
                **headers,
            }
            connection.request(method, target, body=body, headers=fields)
            return _read(connection.getresponse(), endpoint)
        except TimeoutError as error:
            message = f"{endpoint}: no whole answer within {self._seconds:g} s"
            raise FetchError(message) from error
        except (OSError, http.client.HTTPException) as error:
            raise FetchError(
                f"{endpoint}: {without_tokens(f'{type(error).__name__}: {error}')}"
            ) from error
        except ValueError:
            # Its text, and those of what it was raised from, may hold a header with a token.
            raise FetchError(f"{endpoint}: the request cannot be sent") from None
        finally:
            connection.close()

    def _open(self, endpoint: Endpoint, deadline: float) -> socket.socket:
        sock = _connect(endpoint, deadline)
        if endpoint.scheme != "https":
            return sock
        try:
            context = ssl.create_default_context(cafile=str(self._ca_file or certifi.where()))
            context.sslsocket_class = _TLSSocket
            sock.settimeout(_left(deadline))
            secured = cast("_TLSSocket", context.wrap_socket(sock, server_hostname=endpoint.host))
        except BaseException:
            sock.close()
            raise
        secured.deadline = deadline
        return secured


def may_be_plain(host: str) -> bool:
    """Tell whether credentials may travel to a host without TLS: not beyond this machine."""
    if host == "localhost" or host.endswith(".localhost") or host == METADATA_ADDRESS:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_link_local


class _Socket(socket.socket):
    """A socket whose reads end at a deadline in sum; http.client bounds each of them only."""

    deadline = 0.0

    def recv_into(self, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401  any buffer, as socket
        self.settimeout(_left(self.deadline))
        return super().recv_into(*args, **kwargs)


class _TLSSocket(ssl.SSLSocket):
    """The same with TLS."""

    deadline = 0.0

    def recv_into(self, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401  any buffer, as socket
        self.settimeout(_left(self.deadline))
        return super().recv_into(*args, **kwargs)


def _connect(endpoint: Endpoint, deadline: float) -> _Socket:
    """Try each address of a host; one that swallows packets leaves time for the others."""
    port = endpoint.port or {"http": 80, "https": 443}[endpoint.scheme]
    found = socket.getaddrinfo(endpoint.host, port, type=socket.SOCK_STREAM)
    failure: OSError = TimeoutError()
    for number, (family, kind, protocol, _, address) in enumerate(found):
        sock = _Socket(family, kind, protocol)
        try:
            sock.settimeout(_left(deadline) / (len(found) - number))
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            sock.deadline = deadline
            return sock
    raise failure


def _read(response: http.client.HTTPResponse, endpoint: Endpoint) -> Response:
    body = response.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise FetchError(f"{endpoint}: the answer is larger than {MAX_BODY_BYTES} bytes")
    if response.length:
        raise FetchError(f"{endpoint}: the answer is cut off")
    return Response(status=response.status, body=body)


def _left(deadline: float) -> float:
    """Return the seconds left; TimeoutError if there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
