"""A probe of the path to a server: its name, the connection, the proxy and TLS, one by one.

It opens one connection like a request, and sends no request over it.
"""

import socket
import ssl
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from exporter.http.authorities import Authorities
from exporter.http.failure import HttpFailure
from exporter.http.routes import Host, Step, find_route, open_stream
from exporter.http.sockets import Watch

ProbeStep = Literal["route", "dns"] | Step


class Probe(Struct, frozen=True, kw_only=True):
    """The results of the steps up to the one that failed."""

    server: Host | None = None
    proxy: Host | None = None
    """The proxy on the way to the server, None without one."""
    addresses: tuple[str, ...] = ()
    """The addresses of the proxy, or of the server if there is none."""
    tls_version: str | None = None
    certificate_expires_at: float | None = None
    """When the certificate of the server expires, in Unix seconds."""
    failed: ProbeStep | None = None
    """The step that failed, None if all succeeded."""
    reason: str = ""
    """The reason of the failure. It has no secret, but it can contain any text of a server."""


def probe(
    base_url: str,
    *,
    ca_file: Path | None,
    proxy_from_environment: bool,
    seconds: float,
    cancelled: threading.Event,
) -> Probe:
    """Connect to the server of a URL within some seconds, and disconnect.

    The parameters are those of ``Transport``.
    """
    watch = Watch(cancelled)
    watch.deadline = time.monotonic() + seconds
    steps: list[ProbeStep] = ["route"]
    found = Probe()
    try:
        route = find_route(base_url, proxy_from_environment=proxy_from_environment)
        found = replace(found, server=route.server, proxy=route.proxy)
        steps.append("dns")
        found = replace(found, addresses=_resolve(route.proxy or route.server))
        with closing(open_stream(route, watch, Authorities(ca_file).context, steps.append)) as peer:
            if peer.tls is not None:
                version, expires_at = peer.tls.version(), _expiry(peer.tls)
                found = replace(found, tls_version=version, certificate_expires_at=expires_at)
    except (OSError, ValueError, HttpFailure) as error:
        found = replace(found, failed=steps[-1], reason=_reason(error))
    return found


def _reason(error: OSError | ValueError | HttpFailure) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ValueError):
        return "the address of the server or of its proxy is not valid"
    if isinstance(error, TimeoutError):
        return "no response in time"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error)


def _resolve(host: Host) -> tuple[str, ...]:
    found = socket.getaddrinfo(host.name, host.port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def _expiry(tls: ssl.SSLSocket | ssl.SSLObject) -> float | None:
    text = (tls.getpeercert() or {}).get("notAfter")
    return ssl.cert_time_to_seconds(text) if isinstance(text, str) else None
