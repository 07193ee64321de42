"""Listen addresses in the format of the command line, and the sockets bound to them.

The sockets are bound before the server starts. If a port is in use, the start fails with an error
instead of only logging it.
"""

import contextlib
import errno
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Self

from msgspec import Struct

_BACKLOG = 1024
_ADDRESS = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[A-Za-z0-9._-]*)):(?P<port>[0-9]+)"
)
_MAX_PORT = 65535
_FIRST_PASSED = 3  # sd_listen_fds(3)
_NO_IPV6 = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


class ListenError(Exception):
    """A failure to listen on an address; the text contains the address and the reason."""


class ListenAddress(Struct, frozen=True, kw_only=True):
    """A host and a port. An empty host means all addresses, and port 0 means any free port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``:10027``, ``127.0.0.1:0``, ``[::1]:9`` or ``name:port``.

        Raises ValueError with a human-readable message.
        """
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise ValueError(
                f"expected [HOST]:PORT such as :10027, 127.0.0.1:10027 or [::1]:10027, "
                f"not {text[:64]!r}"
            )
        if len(match["port"]) > len(str(_MAX_PORT)) or int(match["port"]) > _MAX_PORT:
            raise ValueError(f"the port must be a number from 0 to {_MAX_PORT}")
        return cls(host=match["v6"] or match["host"] or "", port=int(match["port"]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def url(self, scheme: str) -> str:
        """Return a URL that reaches the address from this machine."""
        reachable = ListenAddress(host=self.host or "127.0.0.1", port=self.port)
        return f"{scheme}://{reachable}"

    def bind(self) -> socket.socket:
        """Return a listening, non-blocking TCP socket. Raises ListenError if that fails."""
        try:
            return self._listen_everywhere() if not self.host else _listen(*self._resolve())
        except (OSError, UnicodeError) as exc:
            raise ListenError(f"cannot listen on {self}: {_reason(exc)}") from exc

    def bound_to(self, sock: socket.socket) -> "ListenAddress":
        """Return the address with the actual port of the socket."""
        return ListenAddress(host=self.host, port=sock.getsockname()[1])

    def _listen_everywhere(self) -> socket.socket:
        try:
            return _listen(socket.AF_INET6, ("::", self.port))
        except OSError as exc:
            if exc.errno not in _NO_IPV6:
                raise
        return _listen(socket.AF_INET, ("0.0.0.0", self.port))  # noqa: S104 - meant by the empty host

    def _resolve(self) -> tuple[int, tuple[object, ...]]:
        found = socket.getaddrinfo(
            self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        # If a name has IPv4 and IPv6 addresses, use IPv4, as Go's net.Listen does.
        family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        return family, address


class InheritedSocket(Struct, frozen=True, kw_only=True):
    """A socket that another process has bound, by its file descriptor."""

    descriptor: int

    def bind(self) -> socket.socket:
        """Return the non-blocking socket. Raises ListenError if it is not listening for TCP."""
        try:
            sock = socket.socket(fileno=self.descriptor)
        except OSError as exc:
            raise ListenError(f"cannot listen on {self}: {_reason(exc)}") from exc
        is_tcp = sock.type == socket.SOCK_STREAM and sock.family in {
            socket.AF_INET,
            socket.AF_INET6,
        }
        if not (is_tcp and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)):
            sock.close()
            raise ListenError(f"cannot listen on {self}: not a listening TCP socket")
        sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
        sock.set_inheritable(False)
        return sock

    def bound_to(self, sock: socket.socket) -> ListenAddress:
        """Return the address of the socket."""
        host, port, *_ = sock.getsockname()
        return ListenAddress(host=host, port=port)

    def __str__(self) -> str:
        return f"file descriptor {self.descriptor}"


Listener = ListenAddress | InheritedSocket


def systemd_sockets(environ: Mapping[str, str], pid: int) -> tuple[InheritedSocket, ...]:
    """Return the sockets that systemd passes to a process. Raises ListenError without any."""
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(pid) or not re.fullmatch(r"[1-9][0-9]{0,3}", count):
        raise ListenError(
            "systemd has passed no sockets: start the exporter with a socket unit (LISTEN_FDS)"
        )
    descriptors = range(_FIRST_PASSED, _FIRST_PASSED + int(count))
    return tuple(InheritedSocket(descriptor=each) for each in descriptors)


@contextlib.contextmanager
def bind_all(addresses: Iterable[Listener]) -> Iterator[list[socket.socket]]:
    """Bind all addresses, or none if one of them fails.

    The sockets stay open after the block, unless it raises an exception.
    """
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(address.bind()) for address in addresses]
        stack.pop_all()


def _listen(family: int, address: tuple[object, ...]) -> socket.socket:
    # asyncio disables Nagle's algorithm, which delays small responses, only if the protocol of the
    # socket is given as TCP.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Only the wildcard also accepts IPv4. For other addresses the option has no effect.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
        sock.bind(address)
        sock.listen(_BACKLOG)
        sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
    except BaseException:
        sock.close()
        raise
    return sock


def _reason(exc: OSError | UnicodeError) -> str:
    if isinstance(exc, UnicodeError):
        return "not a host name"
    if isinstance(exc, socket.gaierror):
        return (exc.strerror or "the name does not resolve").lower()
    if exc.errno == errno.EADDRINUSE:
        return "address already in use; stop the other program, or set --web.listen-address"
    return os.strerror(exc.errno or 0).lower()
