"""A RAM role, often of another account, that another access key assumes.

Source: API reference of STS (AssumeRole, version 2015-04-01; "Request signatures" of the RPC
style), and the vendor's credentials libraries.
"""

import base64
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from exporter.base.text import bounded
from exporter.credentials import temporary
from exporter.credentials.sources import SESSION_SECONDS, timestamp
from exporter.credentials.temporary import FetchError, Temporary
from exporter.model.credentials import Credentials, CredentialsUnavailableError, Refreshable
from exporter.model.endpoint import Endpoint

if TYPE_CHECKING:  # a check of the configuration needs no HTTP client
    from exporter.credentials.fetcher import Fetcher

_REJECTED_KEY = ("InvalidSecurityToken", "InvalidAccessKeyId", "MissingSecurityToken")
_REMEDIES = {
    "NoPermission": "allow the key sts:AssumeRole on the role, and let the role trust its account",
    "EntityNotExist.Role": "correct the ARN of the role",
    "InvalidTimeStamp.Expired": "correct the clock of this machine",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AssumedRole:
    """A RAM role that is assumed with another access key."""

    sts: Endpoint
    role_arn: str
    session_name: str
    keys: Callable[[], Credentials]
    """The access key that assumes the role."""
    external_id: str | None = field(default=None, repr=False)
    policy: str | None = None
    """A policy that further limits the permissions of the session."""
    seconds: int = SESSION_SECONDS

    @property
    def description(self) -> str:
        """The role and the STS endpoint."""
        return f"RAM role {bounded(self.role_arn)} at {self.sts}"

    def fetch(self, fetcher: "Fetcher", *, now: float) -> Temporary:
        """Call AssumeRole. If STS rejects a temporary key, renew the key and call again once."""
        key = self._key()
        try:
            return self._assume(key, fetcher, now)
        except FetchError as error:
            source = self.keys
            is_rejected = (error.code or "").startswith(_REJECTED_KEY)
            if not (is_rejected and isinstance(source, Refreshable) and source.refresh(key)):
                raise
        return self._assume(self._key(), fetcher, now)

    def _key(self) -> Credentials:
        try:
            return self.keys()
        except CredentialsUnavailableError as error:
            raise FetchError(f"no key to assume it with: {error}") from None

    def _assume(self, key: Credentials, fetcher: "Fetcher", now: float) -> Temporary:
        query = {
            "Action": "AssumeRole",
            "Version": "2015-04-01",
            "Format": "JSON",
            "RoleArn": self.role_arn,
            "RoleSessionName": self.session_name,
            "DurationSeconds": str(self.seconds),
            "Policy": self.policy,
            "ExternalId": self.external_id,
            "AccessKeyId": key.access_key_id,
            "SecurityToken": key.security_token,
            "Timestamp": timestamp(now),
            "SignatureNonce": secrets.token_hex(16),
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
        }
        target = signed_target(
            {name: value for name, value in query.items() if value}, key.access_key_secret
        )
        response = fetcher.send(self.sts, "GET", target)
        hidden = tuple(filter(None, (*key.secrets, self.external_id)))
        try:
            fields = temporary.document(response, with_message=True, hidden=hidden)
        except FetchError as error:
            remedy = _REMEDIES.get(error.code or "")
            raise FetchError(f"{error}; {remedy}" if remedy else str(error), error.code) from None
        return temporary.temporary(fields.get("Credentials"))


def signed_target(query: Mapping[str, str], access_key_secret: str) -> str:
    """Return the path and the query of a GET with the RPC signature (HMAC-SHA1)."""
    canonical = "&".join(f"{_encoded(name)}={_encoded(query[name])}" for name in sorted(query))
    text = f"GET&%2F&{_encoded(canonical)}"
    digest = hmac.digest(f"{access_key_secret}&".encode(), text.encode(), "sha1")
    return f"/?{canonical}&Signature={_encoded(base64.b64encode(digest).decode())}"


def _encoded(text: str) -> str:
    return quote(text, safe="~", errors="replace")
