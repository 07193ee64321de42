"""The environment variables that describe sources of access keys, and readers of their values."""

import re
from collections.abc import Mapping

from exporter.base.text import bounded
from exporter.model.credentials import SECRET_VARIABLES, CredentialsError
from exporter.model.endpoint import METADATA_ADDRESS, Endpoint

KEY_ID = "ALIBABA_CLOUD_ACCESS_KEY_ID"
KEY_SECRET, TOKEN = SECRET_VARIABLES
ROLE_ARN = "ALIBABA_CLOUD_ROLE_ARN"
PROVIDER_ARN = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN"
TOKEN_FILE = "ALIBABA_CLOUD_OIDC_TOKEN_FILE"  # noqa: S105  the name of a variable
SESSION_NAME = "ALIBABA_CLOUD_ROLE_SESSION_NAME"
STS_ENDPOINT = "ALIBABA_CLOUD_STS_ENDPOINT"
STS_REGION = "ALIBABA_CLOUD_STS_REGION"
STS_BY_VPC = "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED"
CREDENTIALS_FILE = "ALIBABA_CLOUD_CREDENTIALS_FILE"
PROFILE = "ALIBABA_CLOUD_PROFILE"
CLI_DISABLED = "ALIBABA_CLOUD_CLI_PROFILE_DISABLED"
CREDENTIALS_URI = "ALIBABA_CLOUD_CREDENTIALS_URI"
ECS_ROLE = "ALIBABA_CLOUD_ECS_METADATA"
ECS_DISABLED = "ALIBABA_CLOUD_ECS_METADATA_DISABLED"
ECS_V1_DISABLED = "ALIBABA_CLOUD_IMDSV1_DISABLED"
ECS_ENDPOINT = "ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT"
CA_FILE = "SSL_CERT_FILE"

SESSION = re.compile(r"[A-Za-z0-9.@_-]{2,64}")
_REGION = re.compile(r"[a-z0-9-]{1,64}")

Environ = Mapping[str, str]


def is_true(environ: Environ, name: str) -> bool:
    """Return whether a variable has the value true."""
    return environ.get(name, "").lower() == "true"


def all_or_none(environ: Environ, names: tuple[str, ...]) -> bool:
    """Return whether all variables are set. Raises CredentialsError if only some are set."""
    unset = [name for name in names if not environ.get(name)]
    if unset and len(unset) < len(names):
        given = [name for name in names if environ.get(name)]
        raise CredentialsError(f"{' and '.join(given)} set without {' and '.join(unset)}")
    return not unset


def endpoint(name: str, text: str) -> Endpoint:
    """Return the endpoint in the variable ``name``. Raises CredentialsError."""
    try:
        found = Endpoint.parse(text)
    except ValueError as error:
        raise CredentialsError(f"{name}: {bounded(str(error))}") from None
    if not found.is_confidential:
        raise CredentialsError(f"{name}: credentials require https, except on this machine")
    return found


def sts_endpoint(environ: Environ) -> Endpoint:
    """Return the endpoint of STS. Raises CredentialsError if a variable is not valid."""
    default = sts_host(environ.get(STS_REGION, ""), by_vpc=is_true(environ, STS_BY_VPC))
    if default is None:
        raise CredentialsError(f"{STS_REGION} is not the name of a region")
    return endpoint(STS_ENDPOINT, environ.get(STS_ENDPOINT) or default)


def sts_host(region: str, *, by_vpc: bool) -> str | None:
    """Return the host of STS in a region, or of the central STS; None if the name is not valid."""
    if not region:
        return "sts.aliyuncs.com"
    if not _REGION.fullmatch(region):
        return None
    return f"{'sts-vpc' if by_vpc else 'sts'}.{region}.aliyuncs.com"


def metadata_endpoint(environ: Environ) -> Endpoint:
    """Return the endpoint of the metadata of an ECS instance. Raises CredentialsError."""
    return endpoint(ECS_ENDPOINT, environ.get(ECS_ENDPOINT) or f"http://{METADATA_ADDRESS}")


def session_name(environ: Environ) -> str:
    """Return the name of sessions of roles. Raises CredentialsError if it is not valid."""
    name = environ.get(SESSION_NAME) or "sls-exporter"
    if not SESSION.fullmatch(name):
        raise CredentialsError(
            f"{SESSION_NAME} is not 2 to 64 letters, digits, dots, hyphens, @ or _"
        )
    return name
