"""Signatures as an authentication class of requests, for tests that use its sessions."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from requests import PreparedRequest
from requests.auth import AuthBase

from exporter.sls.signing import RequestParts, V1Auth, V4Auth


@dataclass(frozen=True)
class Signed(AuthBase):
    """Add the headers of a signature to each request."""

    auth: V1Auth | V4Auth

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        url = urlsplit(request.url or "")
        request.headers.setdefault("Host", url.netloc)
        body = request.body or b""
        assert isinstance(body, bytes)
        parts = RequestParts(
            method=request.method or "",
            path=unquote(url.path),
            query=dict(parse_qsl(url.query, keep_blank_values=True)),
            headers={name: str(value) for name, value in request.headers.items()},
            body=body,
        )
        request.headers.update(self.auth.sign(parts))
        return request
