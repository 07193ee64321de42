"""Verification of the signatures of requests, versions 1 and 4.

The code follows the description of the protocol and shares nothing with the signer of the exporter.
An error of the signer therefore cannot hide in its verification.
"""

import base64
import hashlib
import hmac
import re
from urllib.parse import quote

from msgspec import Struct

from exporter.simulator.errors import ServiceError
from exporter.simulator.wire import Request

_V1 = re.compile(r"LOG ([^:\s]+):(\S+)")
_V4 = re.compile(
    r"SLS4-HMAC-SHA256 "
    r"Credential=([^/\s]+)/((\d{8})/([^/\s]+)/sls/aliyun_v4_request),Signature=(\S+)"
)
_V1_DIGESTS = {"hmac-sha1": "sha1", "hmac-sha256": "sha256"}


class V1Signature(Struct, frozen=True, kw_only=True):
    """A version 1 signature in base64, and the key that it claims to be from."""

    access_key_id: str
    signature: str

    def verify(self, request: Request, access_key_secret: str) -> None:
        """Raise ServiceError unless the request was signed with this secret."""
        headers = request.headers
        digest = _V1_DIGESTS.get(headers.get("x-log-signaturemethod", ""))
        if digest is None:
            raise ServiceError(401, "Unauthorized", "x-log-signaturemethod is missing or unknown")
        if "date" not in headers:
            raise ServiceError(400, "MissingDate", "Date does not exist in http header")
        md5 = hashlib.md5(request.body, usedforsecurity=False).hexdigest().upper()
        # The generated SDKs send an empty header if there is no body.
        stated = headers.get("content-md5") or md5
        if stated.upper() != md5:
            raise ServiceError(400, "InvalidContentMD5", "Content-MD5 does not match the body")
        text = (
            f"{request.method}\n"
            f"{md5 if request.body else ''}\n"
            f"{headers.get('content-type', '')}\n"
            f"{headers['date']}\n"
        )
        for name in _signed_names(request):
            # The vendor's SDK adds x-log-date after it has signed.
            if name != "x-log-date":
                text += f"{name}:{headers[name]}\n"
        text += request.path
        if request.query:
            text += "?" + "&".join(
                f"{name}={request.query[name]}" for name in sorted(request.query)
            )
        signed = hmac.new(access_key_secret.encode(), text.encode(), digest).digest()
        _compare(self.signature, base64.b64encode(signed).decode())


class V4Signature(Struct, frozen=True, kw_only=True):
    """A version 4 signature in hexadecimal digits, and the key and scope that it claims."""

    access_key_id: str
    scope: str
    date: str
    region: str
    signature: str

    def verify(self, request: Request, access_key_secret: str) -> None:
        """Raise ServiceError unless the request was signed with this secret for this scope."""
        headers = request.headers
        time = headers.get("x-log-date", "")
        if not time.startswith(f"{self.date}T"):
            raise ServiceError(401, "SignatureNotMatch", "x-log-date does not match the scope")
        content = hashlib.sha256(request.body).hexdigest()
        if headers.get("x-log-content-sha256") != content:
            message = "x-log-content-sha256 does not match the body"
            raise ServiceError(401, "SignatureNotMatch", message)
        names = _signed_names(request, "content-type", "host")
        lines = [request.method, request.path, _v4_query(request)]
        lines += [f"{name}:{headers[name].strip()}" for name in names]
        lines += ["", ";".join(names), content]
        canonical = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        key = f"aliyun_v4{access_key_secret}".encode()
        for part in (self.date, self.region, "sls", "aliyun_v4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        text = f"SLS4-HMAC-SHA256\n{time}\n{self.scope}\n{canonical}"
        _compare(self.signature, hmac.new(key, text.encode(), hashlib.sha256).hexdigest())


def read_signature(request: Request) -> V1Signature | V4Signature:
    """Return the signature in the Authorization header; raise ServiceError if it has none."""
    authorization = request.headers.get("authorization", "")
    if match := _V1.fullmatch(authorization):
        return V1Signature(access_key_id=match[1], signature=match[2])
    if match := _V4.fullmatch(authorization):
        return V4Signature(
            access_key_id=match[1],
            scope=match[2],
            date=match[3],
            region=match[4],
            signature=match[5],
        )
    message = "the Authorization header is missing or has an unknown version"
    raise ServiceError(401, "Unauthorized", message)


def _signed_names(request: Request, *others: str) -> list[str]:
    """Return the sorted names of the headers that are signed: those of SLS, and some others."""
    return sorted(
        name
        for name in request.headers
        if name in others
        or (name.startswith(("x-log-", "x-acs-")) and not name.startswith("x-log-meta-"))
    )


def _v4_query(request: Request) -> str:
    return "&".join(
        f"{name}={quote(value, safe='')}" if value else name
        for name, value in sorted(request.query.items())
    )


def _compare(received: str, expected: str) -> None:
    if not hmac.compare_digest(received.encode(), expected.encode()):
        message = "The request signature we calculated does not match the one you provided"
        raise ServiceError(401, "SignatureNotMatch", message)
