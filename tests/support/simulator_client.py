"""A plain HTTP client that signs, for the tests of the simulator's server."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import time
from typing import Self

import requests

from exporter.config.schema import Signature
from exporter.model.credentials import Credentials
from exporter.model.endpoint import Endpoint
from exporter.simulator.server import DEFAULT_CREDENTIALS, Simulator
from exporter.sls.signing import V1Auth, V4Auth
from tests.support.signed import Signed


@dataclass(kw_only=True)
class Client:
    """Signs requests to a simulator and sends them over kept-alive connections."""

    simulator: Simulator
    project: str | None = "shop"
    credentials: Credentials = DEFAULT_CREDENTIALS
    version: Signature = "v1"
    wall: Callable[[], float] = time
    session: requests.Session = field(default_factory=requests.Session)

    def __enter__(self) -> Self:
        self.session.trust_env = False
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def send(
        self,
        path: str,
        *,
        method: str = "GET",
        params: Mapping[str, str | int] | None = None,
        body: bytes | None = None,
        timeout: float = 10.0,
        stream: bool = False,
    ) -> requests.Response:
        """Send one request; redirects are not followed."""
        auth = (
            V1Auth(self.credentials, wall=self.wall)
            if self.version == "v1"
            else V4Auth(self.credentials, region="cn-shanghai", wall=self.wall)
        )
        host = Endpoint.parse(self.simulator.endpoint).host_header(self.project)
        headers = {"Host": host}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self.session.request(
            method,
            self.simulator.endpoint + path,
            params=params,
            data=body,
            headers=headers,
            auth=Signed(auth),
            timeout=timeout,
            allow_redirects=False,
            stream=stream,
        )

    def get(self, path: str, **params: str | int) -> requests.Response:
        """GET with query parameters."""
        return self.send(path, params=params)


def error_of(response: requests.Response) -> tuple[int, str]:
    """Return the status and the code of an error."""
    document = response.json()
    assert set(document) == {"errorCode", "errorMessage"}
    return response.status_code, document["errorCode"]
