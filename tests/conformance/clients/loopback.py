"""The resolution of names for a process whose endpoint is below ``localhost``.

The projects in front of the endpoint have no names in the system, which remains unchanged.
"""

import socket
from typing import Any


def resolve_to_loopback() -> None:
    """Let names that end with ``localhost`` resolve to the loopback address, in this process."""
    original = socket.getaddrinfo

    def resolve(host: str | bytes | None, *rest: Any, **options: Any) -> Any:  # noqa: ANN401
        name = host.decode() if isinstance(host, bytes) else host or ""
        if name.rpartition(".")[2] == "localhost":
            return original("127.0.0.1", *rest, **options)
        raise socket.gaierror(f"{name} is not below localhost")

    socket.getaddrinfo = resolve
