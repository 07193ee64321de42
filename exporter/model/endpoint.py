"""An SLS endpoint: where to connect for a project, and which Host header names the project."""

import ipaddress
import re
from typing import Self
from urllib.parse import urlsplit

from msgspec import Struct

# {region}.log.aliyuncs.com is public. The suffixes name other networks of the same region.
_REGIONAL = re.compile(
    r"([a-z0-9-]+?)(?:-intranet|-internal|-share|-vpc)?\.(?:log|sls)\.aliyuncs\.com"
)
# The names of these endpoints differ from their regions.
_CORP = re.compile(r".+-corp")
_DEDICATED = re.compile(r"log(?:-intranet|-internal)?\.[a-z0-9-]+\.idptcloud01cs\.com")
_GLOBAL = "log-global.aliyuncs.com"
_HOSTNAME = re.compile(r"(?!-)[A-Za-z0-9._-]{1,253}")
# Resolvers interpret such a name as an address in decimal, octal or hexadecimal.
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?")
_EXPECTED = "expected a host such as cn-shanghai.log.aliyuncs.com"

METADATA_ADDRESS = "100.100.100.200"
"""The address of the metadata of an ECS instance; packets to it never leave its host."""


class Endpoint(Struct, frozen=True, kw_only=True):
    """A scheme, a host and a port; projects are virtual hosts in front of the host."""

    scheme: str
    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``host``, ``host:port`` or ``scheme://host:port``; https unless a scheme is given.

        Raises ValueError with a human-readable message.
        """
        try:
            parts = urlsplit(text if "://" in text else f"https://{text}")
        except ValueError:
            # The original message may repeat credentials from the text.
            raise ValueError(_EXPECTED) from None
        if parts.scheme not in {"http", "https"}:
            raise ValueError(f"the scheme must be http or https, not {parts.scheme[:32]!r}")
        if parts.username is not None or parts.password is not None:
            raise ValueError("credentials do not belong in an endpoint")
        if parts.path not in {"", "/"} or parts.query or parts.fragment:
            raise ValueError("an endpoint is a host, without a path or a query")
        try:
            port = parts.port
        except ValueError:
            raise ValueError("the port must be a number from 1 to 65535") from None
        host = parts.hostname or ""
        if port == 0 or not (_is_name(host) or _is_address(host)):
            raise ValueError(_EXPECTED)
        return cls(scheme=parts.scheme, host=host, port=port)

    @property
    def is_metadata(self) -> bool:
        """True if this is a metadata service of a cloud, which often returns access keys."""
        if not _is_address(self.host):
            return False
        address = ipaddress.ip_address(self.host)
        address = getattr(address, "ipv4_mapped", None) or address
        return str(address) == METADATA_ADDRESS or address.is_link_local

    @property
    def is_confidential(self) -> bool:
        """True if credentials can go there: with TLS, or without leaving this machine."""
        if self.scheme == "https" or _is_local(self.host) or self.host == METADATA_ADDRESS:
            return True
        if not _is_address(self.host):
            return False
        address = ipaddress.ip_address(self.host)
        return address.is_loopback or address.is_link_local

    @property
    def region(self) -> str | None:
        """The region in the name of the host, or None if the name has no region."""
        match = _REGIONAL.fullmatch(self.host)
        return match[1] if match and not _CORP.fullmatch(match[1]) else None

    def without_project(self, project: str | None) -> Self | None:
        """Return the endpoint without the project's name at its beginning.

        Return None if the endpoint does not begin with the name of a project. A known endpoint of
        the vendor with one more name in front begins with a project, even if ``project`` is None.
        """
        name, _, rest = self.host.partition(".")
        if self._is_known or _is_address(self.host) or "." not in rest:
            return None
        found = type(self)(scheme=self.scheme, host=rest, port=self.port)
        is_project = project is not None and name == project.lower()
        return found if found._is_known or is_project else None  # noqa: SLF001  of its own class

    @property
    def _is_known(self) -> bool:
        return self.host == _GLOBAL or any(
            form.fullmatch(self.host) for form in (_REGIONAL, _DEDICATED)
        )

    def base_url(self, project: str | None) -> str:
        """Return the URL to connect to, with the project's own host if its name can resolve.

        An IP address or a name under localhost never resolves with a project in front of it, so
        there the connection goes to the endpoint itself and only the Host header differs.
        """
        if project is None or _is_address(self.host) or _is_local(self.host):
            return f"{self.scheme}://{self._netloc}"
        return f"{self.scheme}://{project}.{self._netloc}"

    def host_header(self, project: str | None) -> str:
        """Return the Host header, which names the project."""
        return self._netloc if project is None else f"{project}.{self._netloc}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self._netloc}"

    @property
    def _netloc(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


def requires_v4(region: str | None) -> bool:
    """Return whether a region accepts only signature v4, as the vendor's SDKs assume."""
    return region is not None and "-acdr-ut-" in region


def _is_name(host: str) -> bool:
    return bool(_HOSTNAME.fullmatch(host)) and not _NUMERIC.fullmatch(host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_local(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")
