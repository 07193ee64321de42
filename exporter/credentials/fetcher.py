"""A client for temporary credentials, with one deadline per fetch and small responses.

Credentials are fetched about once per hour, so each fetch opens its own connections.
"""

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from exporter import __version__
from exporter.base.text import without_tokens
from exporter.credentials.temporary import BUDGET_SECONDS, FetchError
from exporter.http.failure import HttpFailure
from exporter.http.response import Response
from exporter.http.transport import Transport
from exporter.model.endpoint import Endpoint

MAX_BODY_BYTES = 64 * 2**10

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Fetcher:
    """A sender of requests with a common deadline, ``seconds`` after its creation.

    ``ca_file`` replaces the bundled authorities. Proxies of the environment are used only if
    ``proxy_from_environment`` is true. Setting ``cancelled`` ends the current request.
    """

    def __init__(
        self,
        *,
        cancelled: threading.Event,
        ca_file: Path | None = None,
        proxy_from_environment: bool = False,
        seconds: float = BUDGET_SECONDS,
    ) -> None:
        self._transport = Transport(
            cancelled=cancelled,
            ca_file=ca_file,
            proxy_from_environment=proxy_from_environment,
            max_body_bytes=MAX_BODY_BYTES,
            user_agent=f"sls-exporter/{__version__}",
        )
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
        """Return the response, even if its status is an error. Raises only FetchError.

        ``within`` is the time limit of this request in seconds. The deadline of the fetch also
        applies.
        """
        try:
            return self._transport.send(
                method,
                endpoint.base_url(None),
                target,
                headers={"Host": endpoint.host_header(None), **headers},
                body=body,
                deadline=min(self._deadline, time.monotonic() + within),
            )
        except HttpFailure as failure:
            reason = without_tokens(str(failure))
            if failure.kind == "timeout":
                reason = f"no complete response within {self._seconds:g} s"
            raise FetchError(f"{endpoint}: {reason}") from None
