"""Sources of access keys: a fixed key, a pod's OIDC role, an ECS role, a credentials URI.

Requests and responses are those of the vendor's credentials libraries. Source for the OIDC role:
API reference of STS (AssumeRoleWithOIDC, version 2015-04-01).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlencode

from msgspec import Struct

from exporter.base.text import bounded
from exporter.credentials import temporary
from exporter.credentials.key_files import KeyFiles, read_key, unreadable
from exporter.credentials.temporary import FetchError, Temporary
from exporter.model.credentials import Credentials, is_key
from exporter.model.endpoint import Endpoint

if TYPE_CHECKING:  # a check of the configuration needs no HTTP client
    from exporter.credentials.fetcher import Fetcher

SESSION_SECONDS = 3600
"""The longest session that every role allows."""
ROLE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METADATA_ROLES = "/latest/meta-data/ram/security-credentials/"
_METADATA_TOKEN_SECONDS = 60
# In a container, the response to the token request might never arrive because of the hop limit of
# the instance. The limit leaves time for a request without a token.
_METADATA_TOKEN_WITHIN = 1.5


def timestamp(now: float) -> str:
    """Return an instant in Unix seconds as STS expects it."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Source(Protocol):
    """A source from which temporary credentials are fetched."""

    @property
    def description(self) -> str:
        """A description of the source for people, without secrets."""
        ...

    def fetch(self, fetcher: "Fetcher", *, now: float) -> Temporary:
        """Fetch credentials. ``now`` is in Unix seconds. Raises FetchError."""
        ...


class FixedKey(Struct, frozen=True, kw_only=True):
    """An access key that does not change while the process runs."""

    description: str
    credentials: Credentials

    def __call__(self) -> Credentials:
        """Return the access key."""
        return self.credentials


class Found(Struct, frozen=True, kw_only=True):
    """A source that was chosen."""

    source: FixedKey | KeyFiles | Source
    origin: str = "from the environment"
    ignored: tuple[str, ...] = ()
    """The environment variables of other sources, which have no effect."""

    @property
    def description(self) -> str:
        """The source and its origin, without secrets."""
        if isinstance(self.source, FixedKey | KeyFiles):
            return self.source.description
        return f"{self.origin}: {self.source.description}"


class OidcRole(Struct, frozen=True, kw_only=True):
    """A RAM role that a pod assumes with the OIDC token of its service account (RRSA)."""

    sts: Endpoint
    role_arn: str
    provider_arn: str
    token_file: Path
    session_name: str
    policy: str | None = None
    """A policy that further limits the permissions of the session."""
    seconds: int = SESSION_SECONDS

    @property
    def description(self) -> str:
        """The role and the STS endpoint."""
        return f"OIDC role {bounded(self.role_arn)} at {self.sts}"

    def fetch(self, fetcher: "Fetcher", *, now: float) -> Temporary:
        """Call AssumeRoleWithOIDC. The request has no signature, because the token proves it."""
        try:
            # Read the file each time, because the kubelet replaces the token before it expires.
            token = read_key(self.token_file)
        except (OSError, ValueError) as error:
            raise FetchError(unreadable(error)) from None
        query = {
            "Action": "AssumeRoleWithOIDC",
            "Format": "JSON",
            "Version": "2015-04-01",
            "Timestamp": timestamp(now),
        }
        form = {
            "RoleArn": self.role_arn,
            "OIDCProviderArn": self.provider_arn,
            "OIDCToken": token,
            "RoleSessionName": self.session_name,
            "DurationSeconds": str(self.seconds),
            **({"Policy": self.policy} if self.policy else {}),
        }
        answer = fetcher.send(
            self.sts,
            "POST",
            f"/?{urlencode(query)}",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(form, errors="replace").encode(),
        )
        fields = temporary.document(answer, with_message=True)
        return temporary.temporary(fields.get("Credentials"))


class EcsRole(Struct, frozen=True, kw_only=True):
    """The RAM role of the ECS instance that runs this process, from the instance metadata."""

    metadata: Endpoint
    role: str | None
    """The name of the role. If it is None, the metadata name the role."""
    allow_v1: bool
    """Whether requests for metadata without a token are allowed."""

    @property
    def description(self) -> str:
        """The name of the role."""
        return f"ECS RAM role {self.role or 'of this instance'}"

    def fetch(self, fetcher: "Fetcher", *, now: float) -> Temporary:  # noqa: ARG002  as Source
        """Fetch the credentials with a metadata token (version 2).

        If no token is available, fetch without one (version 1) if that is allowed.
        """
        headers = {}
        try:
            headers["X-aliyun-ecs-metadata-token"] = self._token(fetcher)
        except FetchError:
            if not self.allow_v1:
                raise
        role = self.role or self._name(fetcher, headers)
        answer = fetcher.send(
            self.metadata, "GET", f"{_METADATA_ROLES}{quote(role, safe='')}", headers=headers
        )
        if answer.status == HTTPStatus.NOT_FOUND:
            raise FetchError(f"no role {role} is attached to this instance")
        fields = temporary.document(answer)
        temporary.require_success(fields)
        return temporary.temporary(fields)

    def _name(self, fetcher: "Fetcher", headers: Mapping[str, str]) -> str:
        answer = fetcher.send(self.metadata, "GET", _METADATA_ROLES, headers=headers)
        name = answer.body.decode("ascii", errors="replace").strip()
        if answer.status == HTTPStatus.NOT_FOUND or not name:
            raise FetchError("no role is attached to this instance")
        if answer.status != HTTPStatus.OK or not ROLE_NAME.fullmatch(name):
            raise FetchError(f"the metadata gave no name of a role, but status {answer.status}")
        return name

    def _token(self, fetcher: "Fetcher") -> str:
        answer = fetcher.send(
            self.metadata,
            "PUT",
            "/latest/api/token",
            headers={"X-aliyun-ecs-metadata-token-ttl-seconds": str(_METADATA_TOKEN_SECONDS)},
            within=_METADATA_TOKEN_WITHIN,
        )
        token = answer.body.decode("ascii", errors="replace").strip()
        if answer.status != HTTPStatus.OK or not is_key(token):
            raise FetchError(
                f"expected a token of the metadata service, got status {answer.status}"
            )
        return token


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsUri:
    """An address that returns credentials, such as a helper next to this process."""

    endpoint: Endpoint
    target: str = field(repr=False)
    """The path and the query, which can contain a secret."""

    @property
    def description(self) -> str:
        """The host of the address, without its path and query."""
        return f"credentials URI at {self.endpoint}"

    def fetch(self, fetcher: "Fetcher", *, now: float) -> Temporary:  # noqa: ARG002  as Source
        """Fetch the credentials from the address."""
        fields = temporary.document(fetcher.send(self.endpoint, "GET", self.target))
        temporary.require_success(fields)
        return temporary.temporary(fields)
