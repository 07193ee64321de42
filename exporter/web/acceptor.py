"""A listener that limits the number of connections and cuts overdue ones, independent of HTTP.

asyncio's own server cannot change the TLS context later and neither counts nor sheds connections.
"""

import asyncio
import contextlib
import functools
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from exporter.web.connection import Connection, Limits

if TYPE_CHECKING:  # most servers run without TLS
    from exporter.web.tls import TlsPolicy

# Far below the connection limit, because a shed connection closes one turn of the loop later.
_ACCEPTS_AT_ONCE: Final = 16
_SWEEP_SECONDS: Final = 0.25
_PAUSE_SECONDS: Final = 0.1
_END_SECONDS: Final = 0.2
_TLS_SHUTDOWN_SECONDS: Final = 5.0


OnHandshakeError = Callable[[str, str], None]
"""Gets the reason of a failed TLS handshake, and the address of the client."""


class Acceptor:
    """An acceptor of connections on the current event loop. It calls ``tls`` per connection."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        connection: Callable[[socket.socket, Callable[[Connection], None]], Connection],
        *,
        tls: "Callable[[], TlsPolicy | None]",
        limits: Limits,
        on_error: Callable[[str, BaseException], None],
        on_handshake_error: OnHandshakeError,
    ) -> None:
        self._sockets = sockets
        self._connection = connection
        self._tls = tls
        self._limits = limits
        self._on_error = on_error
        self._on_handshake_error = on_handshake_error
        self._loop = asyncio.get_running_loop()
        self._open: dict[Connection, None] = {}  # oldest first
        self._handshakes: set[asyncio.Task[None]] = set()
        self._none_open = asyncio.Event()
        self._none_open.set()

    def start(self) -> None:
        """Start accepting connections."""
        for sock in self._sockets:
            self._listen(sock)

    async def sweep(self) -> None:
        """Cut overdue connections until the task is canceled."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = self._loop.time()
            for connection in [each for each in self._open if each.overdue(now)]:
                self._drop(connection)

    async def stop(self, grace: float) -> None:
        """Stop accepting, and cut the connections that are still open after ``grace`` seconds.

        Idle connections are closed immediately, the others after the response in progress.
        """
        for sock in self._sockets:
            self._loop.remove_reader(sock)
            sock.close()
        for connection in list(self._open):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._none_open.wait()
        for connection in list(self._open):
            self._drop(connection)
        if self._handshakes:
            await asyncio.wait(self._handshakes, timeout=_END_SECONDS)
        await asyncio.sleep(0)  # transports close their sockets on the loop's next turn
        await asyncio.sleep(0)

    def _listen(self, sock: socket.socket) -> None:
        if sock.fileno() >= 0:
            self._loop.add_reader(sock, self._accept, sock)

    def _accept(self, listener: socket.socket) -> None:
        for accepted in range(_ACCEPTS_AT_ONCE):
            try:
                sock, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # The process has no file descriptors or memory left. Linux reports this even if
                # no client is waiting, but a client is waiting at the first attempt. So close a
                # connection, and listen again after a short pause.
                if not accepted:
                    self._shed()
                    self._loop.remove_reader(listener)
                    self._loop.call_later(_PAUSE_SECONDS, self._listen, listener)
                return
            self._admit(sock)

    def _admit(self, sock: socket.socket) -> None:
        if len(self._open) >= self._limits.connections and not self._shed():
            sock.close()
            return
        sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
        connection = self._connection(sock, self._forget)
        self._open[connection] = None
        self._none_open.clear()
        task = self._loop.create_task(self._establish(connection, sock))
        self._handshakes.add(task)
        task.add_done_callback(functools.partial(self._settle, connection))

    async def _establish(self, connection: Connection, sock: socket.socket) -> None:
        try:
            tls = self._tls()
        except BaseException:
            sock.close()
            raise
        if tls is None:
            await self._loop.connect_accepted_socket(lambda: connection, sock)
        else:
            await self._shake_hands(connection, sock, tls)

    async def _shake_hands(
        self, connection: Connection, sock: socket.socket, tls: "TlsPolicy"
    ) -> None:
        from exporter.web import handshakes  # noqa: PLC0415  most servers run without TLS

        client = _address_of(sock)
        if tls.admits is not None:
            connection.admits = tls.admits
            connection.on_not_admitted = functools.partial(
                self._on_handshake_error, handshakes.NAME_NOT_ALLOWED, client
            )
        with handshakes.second_handle(sock) as second:
            try:
                await self._loop.connect_accepted_socket(
                    lambda: connection,
                    sock,
                    ssl=tls.context,
                    ssl_handshake_timeout=self._limits.head,
                    ssl_shutdown_timeout=_TLS_SHUTDOWN_SECONDS,
                )
            except OSError as error:
                # A connection that is not open any more has exceeded a limit of this server.
                was_cut = connection not in self._open
                cause = handshakes.TIMEOUT if was_cut else handshakes.cause_of(error)
                self._on_handshake_error(cause, client)
                if second is not None and isinstance(error, handshakes.HandshakeError):
                    await handshakes.send_last(second, error.reply)
                raise

    def _settle(self, connection: Connection, task: "asyncio.Task[None]") -> None:
        self._handshakes.discard(task)
        fault = None if task.cancelled() else task.exception()
        if fault is None:
            return
        # asyncio closes the socket of a failed handshake.
        self._forget(connection)
        if not isinstance(fault, OSError):  # those are client failures or timeouts
            self._on_error("connection", fault)

    def _shed(self) -> bool:
        """Cut the oldest connection that waits for its client. Return False if there is none."""
        with contextlib.suppress(StopIteration):
            self._drop(next(each for each in self._open if not each.busy))
            return True
        return False

    def _drop(self, connection: Connection) -> None:
        self._forget(connection)
        connection.drop()

    def _forget(self, connection: Connection) -> None:
        self._open.pop(connection, None)
        if not self._open:
            self._none_open.set()


def _address_of(sock: socket.socket) -> str:
    try:
        return str(sock.getpeername()[0])
    except (OSError, IndexError):  # the client has disconnected
        return ""
