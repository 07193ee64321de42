"""Signatures of SLS requests, versions 1 and 4, as pure functions of a request's parts.

Source of both algorithms: "Request signatures" in the vendor's API reference, and the vendor's
Python SDK, with which the tests compare this module.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from urllib.parse import quote

from exporter.model.credentials import Credentials

API_VERSION = "0.6.0"
V1_METHOD = "hmac-sha1"
V4_METHOD = "SLS4-HMAC-SHA256"
V4_TERMINATOR = "aliyun_v4_request"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestParts:
    """The signed parts of a request, not percent-encoded; header names have any case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)  # a security token may be among them
    body: bytes = b""


def v1_string_to_sign(parts: RequestParts) -> str:
    """Return the text that version 1 signs. The headers must contain Date."""
    headers = _lower(parts.headers)
    resource = parts.path
    if parts.query:
        resource += "?" + "&".join(f"{name}={value}" for name, value in sorted(parts.query.items()))
    return "\n".join(
        [
            parts.method,
            v1_content_md5(parts.body),
            headers.get("content-type", ""),
            headers["date"],
            *(f"{name}:{value}" for name, value in sorted(headers.items()) if _is_signed(name)),
            resource,
        ]
    )


def v1_content_md5(body: bytes) -> str:
    """Return the upper-case hexadecimal MD5 of a body, empty for an empty body."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest().upper() if body else ""


def v1_signature(parts: RequestParts, access_key_secret: str) -> str:
    """Return base64(HMAC-SHA1(secret, string to sign))."""
    digest = hmac.digest(access_key_secret.encode(), v1_string_to_sign(parts).encode(), "sha1")
    return base64.b64encode(digest).decode()


def v4_signature(parts: RequestParts, access_key_secret: str, *, region: str) -> str:
    """Return the hexadecimal version 4 signature.

    The headers must contain ``host``, ``x-log-date`` (``YYYYMMDDTHHMMSSZ``) and
    ``x-log-content-sha256``.
    """
    headers = _lower(parts.headers)
    date = headers["x-log-date"]
    signed = {
        name: value.strip()
        for name, value in sorted(headers.items())
        if name in {"content-type", "host"} or _is_signed(name)
    }
    query = {name: quote(value, safe="~") for name, value in sorted(parts.query.items())}
    canonical_request = "\n".join(
        [
            parts.method,
            parts.path,
            "&".join(f"{name}={value}" if value else name for name, value in query.items()),
            *(f"{name}:{value}" for name, value in signed.items()),
            "",
            ";".join(signed),
            headers["x-log-content-sha256"],
        ]
    )
    string_to_sign = "\n".join(
        [
            V4_METHOD,
            date,
            v4_scope(date, region),
            hashlib.sha256(canonical_request.encode()).hexdigest(),
        ]
    )
    key = f"aliyun_v4{access_key_secret}".encode()
    for step in (date[:8], region, "sls", V4_TERMINATOR):
        key = hmac.digest(key, step.encode(), "sha256")
    return hmac.digest(key, string_to_sign.encode(), "sha256").hex()


def v4_scope(date: str, region: str) -> str:
    """Return the credential scope ``YYYYMMDD/{region}/sls/aliyun_v4_request``."""
    return f"{date[:8]}/{region}/sls/{V4_TERMINATOR}"


class V1Auth:
    """A signer of requests with version 1, at the time of its clock."""

    def __init__(self, credentials: Credentials, *, wall: Callable[[], float]) -> None:
        self._credentials = credentials
        self._wall = wall

    def sign(self, parts: RequestParts) -> Mapping[str, str]:
        """Return the headers to add to a request, including Authorization."""
        added = _common_headers(parts, self._credentials)
        added["x-log-signaturemethod"] = V1_METHOD
        added["Date"] = _date(int(self._wall()))
        if parts.body:
            added["Content-MD5"] = v1_content_md5(parts.body)
        signature = v1_signature(_with(parts, added), self._credentials.access_key_secret)
        added["Authorization"] = f"LOG {self._credentials.access_key_id}:{signature}"
        return added


class V4Auth:
    """A signer of requests with version 4 for one region, at the time of its clock."""

    def __init__(self, credentials: Credentials, *, region: str, wall: Callable[[], float]) -> None:
        self._credentials = credentials
        self._region = region
        self._wall = wall

    def sign(self, parts: RequestParts) -> Mapping[str, str]:
        """Return the headers to add to a request, which must have a Host header."""
        added = _common_headers(parts, self._credentials)
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._wall()))
        added["x-log-date"] = date
        added["x-log-content-sha256"] = hashlib.sha256(parts.body).hexdigest()
        signature = v4_signature(
            _with(parts, added), self._credentials.access_key_secret, region=self._region
        )
        credential = f"{self._credentials.access_key_id}/{v4_scope(date, self._region)}"
        added["Authorization"] = f"{V4_METHOD} Credential={credential},Signature={signature}"
        return added


@lru_cache(maxsize=1)
def _date(seconds: int) -> str:
    """Return an instant in the format of the Date header, cached for requests of one second."""
    return formatdate(seconds, usegmt=True)


def _common_headers(parts: RequestParts, credentials: Credentials) -> dict[str, str]:
    headers = {"x-log-apiversion": API_VERSION}
    if "x-log-bodyrawsize" not in _lower(parts.headers):
        headers["x-log-bodyrawsize"] = str(len(parts.body))
    if credentials.security_token:
        headers["x-acs-security-token"] = credentials.security_token
    return headers


def _with(parts: RequestParts, headers: Mapping[str, str]) -> RequestParts:
    # dataclasses.replace is slower, as it goes through the fields each time.
    return RequestParts(
        method=parts.method,
        path=parts.path,
        query=parts.query,
        headers={**parts.headers, **headers},
        body=parts.body,
    )


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _is_signed(name: str) -> bool:
    """Return whether a lower-case header name is signed on its own; user metadata is not."""
    return name.startswith("x-acs-") or (
        name.startswith("x-log-") and not name.startswith("x-log-meta-")
    )
