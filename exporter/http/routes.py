"""Routes to servers: direct, or through a proxy that the environment defines."""

import base64
import ssl
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Literal, Self
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Struct

from exporter.http.failure import HttpFailure
from exporter.http.proxies import environment_proxy
from exporter.http.request import encode_request
from exporter.http.response import read_head
from exporter.http.sockets import NestedTLS, SocketStream, Stream, Watch, connect

_PORTS = {"http": 80, "https": 443}
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})

Step = Literal["connect", "proxy_tls", "tunnel", "tls"]
"""A step of opening a stream."""


class Host(Struct, frozen=True, kw_only=True):
    """The address of a server or a proxy."""

    name: str
    port: int
    has_tls: bool

    @classmethod
    def of(cls, parts: SplitResult) -> Self:
        """Return the host of a URL. Raises ValueError if it has none."""
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("expected an http or https URL with a host")
        port = parts.port or _PORTS[parts.scheme]
        return cls(name=parts.hostname, port=port, has_tls=parts.scheme == "https")

    @property
    def certified_name(self) -> str:
        """The name that the certificate must contain."""
        return self.name.rstrip(".")

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


class Route(Struct, frozen=True, kw_only=True):
    """A server, and the proxy in front of it if there is one."""

    server: Host
    proxy: Host | None = None
    proxy_headers: Mapping[str, str] = _NO_HEADERS

    @property
    def is_read_by_proxy(self) -> bool:
        """True if the proxy reads each request, because the server does not use TLS."""
        return self.proxy is not None and not self.server.has_tls


def find_route(base_url: str, *, proxy_from_environment: bool) -> Route:
    """Return the route to the server of a URL.

    Raises ValueError if it or the proxy is invalid, and HttpFailure if the proxy uses SOCKS.
    """
    server = Host.of(urlsplit(base_url))
    scheme = "https" if server.has_tls else "http"
    address = None
    if proxy_from_environment:
        address = environment_proxy(scheme, server.name, server.port)
    if not address:
        return Route(server=server)
    parts = urlsplit(address if "://" in address else f"http://{address}")
    if parts.scheme.startswith("socks"):
        raise HttpFailure(
            "connection",
            f"SOCKS proxies are not supported; set {scheme.upper()}_PROXY to an http proxy",
        )
    headers = {}
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode("latin-1")
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(login).decode()}"
    return Route(server=server, proxy=Host.of(parts), proxy_headers=headers)


def open_stream(
    route: Route,
    watch: Watch,
    context: Callable[[], ssl.SSLContext],
    on_step: Callable[[Step], None] = lambda _: None,
) -> Stream:
    """Connect to a server, through a tunnel of the proxy if the server has TLS.

    ``on_step`` is called before each step. Raises OSError, HttpFailure, or ValueError if a name is
    not valid.
    """
    server, first = route.server, route.proxy or route.server
    on_step("connect")
    stream = SocketStream(connect(first.name, first.port, watch), watch)
    try:
        if first.has_tls:
            on_step("tls" if route.proxy is None else "proxy_tls")
            stream.start_tls(context(), first.certified_name)
        if route.proxy is None or route.is_read_by_proxy:
            return stream
        on_step("tunnel")
        _open_tunnel(stream, route)
        on_step("tls")
        if first.has_tls:
            return NestedTLS(stream, context(), server.certified_name)
        stream.start_tls(context(), server.certified_name)
    except BaseException:
        stream.close()
        raise
    return stream


def _open_tunnel(stream: Stream, route: Route) -> None:
    server = str(route.server)
    stream.send(encode_request("CONNECT", server, {"Host": server, **route.proxy_headers}))
    status = read_head(stream.receive).status
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        raise HttpFailure("connection", f"proxy refused the tunnel with status {status}")
