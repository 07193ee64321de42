"""TLS handshakes whose failures the client and the operator can diagnose.

If a handshake fails, OpenSSL prepares an alert with the reason, but asyncio closes the connection
without sending it. Here the alert becomes a part of the exception, and the caller sends it.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

_LINGER_SECONDS: Final = 1.0
_READ_BYTES: Final = 64 * 1024
_PLAIN_HTTP: Final = (
    b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    b"This port speaks HTTPS, but the request is plain HTTP. Use https:// instead of http://.\n"
)

DISCONNECTED: Final = "disconnected"
TIMEOUT: Final = "timeout"
NAME_NOT_ALLOWED: Final = "name_not_allowed"
_PLAIN: Final = "plain_http"
_BAD_CERTIFICATE: Final = "bad_certificate"
_REJECTED: Final = "rejected_by_client"
_OTHER: Final = "other"

# The keys are the names of OpenSSL's reasons.
_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "HTTP_REQUEST": _PLAIN,
        "HTTPS_PROXY_REQUEST": _PLAIN,
        "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no_certificate",
        "UNSUPPORTED_PROTOCOL": "protocol_version",
        "VERSION_TOO_LOW": "protocol_version",
        "NO_SHARED_CIPHER": "no_common_cipher",
        "NO_SUITABLE_KEY_SHARE": "no_common_cipher",
        "NO_SHARED_GROUPS": "no_common_cipher",
        "NO_SUITABLE_SIGNATURE_ALGORITHM": "no_common_cipher",
        "WRONG_VERSION_NUMBER": "not_tls",
        "UNKNOWN_PROTOCOL": "not_tls",
        "BAD_RECORD_TYPE": "not_tls",
        "PACKET_LENGTH_TOO_LONG": "not_tls",
        "UNEXPECTED_MESSAGE": "not_tls",
        "LENGTH_MISMATCH": "not_tls",
        "RECORD_LAYER_FAILURE": "not_tls",
    }
)
# The keys are the X509_V_ERR codes of OpenSSL.
_CERTIFICATE_REASONS: Final[Mapping[int, str]] = MappingProxyType(
    {
        2: "unknown_authority",
        10: "expired_certificate",
        18: "unknown_authority",
        19: "unknown_authority",
        20: "unknown_authority",
        21: "unknown_authority",
    }
)
REASONS: Final = frozenset(
    {
        *_REASONS.values(),
        *_CERTIFICATE_REASONS.values(),
        *(_BAD_CERTIFICATE, _REJECTED, _OTHER, DISCONNECTED, TIMEOUT, NAME_NOT_ALLOWED),
    }
)
"""All reasons of failed handshakes."""


class HandshakeError(ssl.SSLError):
    """A failed handshake, with one of ``REASONS`` and the bytes that tell it to the client."""

    def __init__(self, error: ssl.SSLError, alert: bytes) -> None:
        super().__init__(*error.args)
        self.cause = _cause_of(error)
        self.reply = _PLAIN_HTTP if self.cause == _PLAIN else alert


class _Handshake(ssl.SSLObject):
    """A TLS connection that raises HandshakeError if its handshake fails."""

    outgoing: ssl.MemoryBIO

    def do_handshake(self) -> None:
        """Continue the handshake."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            raise HandshakeError(error, self.outgoing.read()) from error


class ServerContext(ssl.SSLContext):
    """A context whose failed handshakes raise HandshakeError."""

    sslobject_class = _Handshake

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002  the standard library's signature
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Return a TLS connection over two buffers."""
        made = super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        if isinstance(made, _Handshake):
            made.outgoing = outgoing
        return made


def cause_of(error: OSError) -> str:
    """Return the reason for which a handshake failed, one of ``REASONS``."""
    if isinstance(error, HandshakeError):
        return error.cause
    # asyncio raises ConnectionAbortedError if the handshake takes too long.
    return TIMEOUT if isinstance(error, ConnectionAbortedError) else DISCONNECTED


@contextlib.contextmanager
def second_handle(sock: socket.socket) -> Iterator[socket.socket | None]:
    """Yield another descriptor of a socket, which asyncio does not close; None without memory."""
    try:
        second = sock.dup()
    except OSError:
        yield None
        return
    with second:
        second.setblocking(False)  # noqa: FBT003  the standard library's signature
        yield second


async def send_last(sock: socket.socket, data: bytes) -> None:
    """Send the last bytes of a connection, and wait for about a second until the client closes it.

    Closing a socket with unread data resets the connection, and the client can lose the bytes.
    """
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            await loop.sock_sendall(sock, data)
            sock.shutdown(socket.SHUT_WR)
            while await loop.sock_recv(sock, _READ_BYTES):
                pass


def _cause_of(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE_REASONS.get(error.verify_code, _BAD_CERTIFICATE)
    reason = error.reason or ""
    return _REJECTED if "_ALERT_" in reason else _REASONS.get(reason, _OTHER)
