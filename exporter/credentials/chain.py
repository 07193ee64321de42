"""The choice of a source of access keys: the configuration, then the environment variables.

The variables and their order are those of the vendor's tools, with one exception. The metadata of
an ECS instance is used only if a variable names a role. This module does not use the network.
"""

import contextlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct
from pydantic import SecretStr

from exporter.base.text import bounded
from exporter.config.schema import CredentialsConfig
from exporter.credentials.key_files import KeyFiles, read_key
from exporter.credentials.profile import NoProfileError, read_profile
from exporter.credentials.sources import CredentialsUri, EcsRole, OidcRole, Source
from exporter.logs.logger import get_logger
from exporter.model.credentials import (
    SECRET_VARIABLES,
    Credentials,
    CredentialsError,
    is_key,
)
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
CREDENTIALS_URI = "ALIBABA_CLOUD_CREDENTIALS_URI"
ECS_ROLE = "ALIBABA_CLOUD_ECS_METADATA"
ECS_DISABLED = "ALIBABA_CLOUD_ECS_METADATA_DISABLED"
ECS_V1_DISABLED = "ALIBABA_CLOUD_IMDSV1_DISABLED"
ECS_ENDPOINT = "ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT"

_HOME_FILES = (".alibabacloud/credentials.ini", ".alibabacloud/credentials")
_ROLE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REGION = re.compile(r"[a-z0-9-]{1,64}")
_FIELDS = ("access_key_id", "access_key_secret", "security_token")

Environ = Mapping[str, str]


class FixedKey(Struct, frozen=True, kw_only=True):
    """An access key that does not change while the process runs."""

    description: str
    credentials: Credentials

    def __call__(self) -> Credentials:
        """Return the access key."""
        return self.credentials


Found = FixedKey | KeyFiles | Source


def choose(config: CredentialsConfig | None, environ: Environ) -> Found:
    """Return the source of access keys.

    Raises CredentialsError if no source is configured or its settings are not valid.
    """
    if config is not None:
        return _configured(config)
    for look in (_static, _oidc, _profile, _uri, _ecs):
        if found := look(environ):
            return found
    raise CredentialsError(
        f"no credentials: set `credentials` in the configuration file, or {KEY_ID} and "
        f"{KEY_SECRET} in the environment, or the variables of another source there"
    )


def _configured(config: CredentialsConfig) -> Found:
    readers: dict[str, Callable[[], str]] = {}
    paths: list[Path] = []
    for field in _FIELDS:
        value = getattr(config, field)
        path = getattr(config, f"{field}_file")
        if path is not None:
            paths.append(path)
            readers[field] = _reader(path)
        elif value is not None:
            text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            readers[field] = _constant(text)

    def read() -> Credentials:
        return Credentials(**{field: reader() for field, reader in readers.items()})

    if paths:
        description = f"from the configuration: {', '.join(map(str, paths))}"
        log = get_logger("exporter.credentials")
        return KeyFiles(paths, read, description=bounded(description, 1000), log=log)
    return FixedKey(description="from the configuration", credentials=read())


def _static(environ: Environ) -> Found | None:
    if not _all_or_none(environ, (KEY_ID, KEY_SECRET)):
        return None
    for name in (KEY_ID, KEY_SECRET, TOKEN):
        if environ.get(name) and not is_key(environ[name]):
            raise CredentialsError(f"{name} holds spaces or characters beyond printable ASCII")
    token = environ.get(TOKEN) or None
    return FixedKey(
        description="from the environment" + (": a temporary access key" if token else ""),
        credentials=Credentials(
            access_key_id=environ[KEY_ID],
            access_key_secret=environ[KEY_SECRET],
            security_token=token,
        ),
    )


def _oidc(environ: Environ) -> Found | None:
    # ROLE_ARN alone is not enough, because the vendor's tools use it for other sources too.
    if not (environ.get(PROVIDER_ARN) or environ.get(TOKEN_FILE)):
        return None
    _all_or_none(environ, (ROLE_ARN, PROVIDER_ARN, TOKEN_FILE))
    return OidcRole(
        sts=_sts(environ),
        role_arn=environ[ROLE_ARN],
        provider_arn=environ[PROVIDER_ARN],
        token_file=Path(environ[TOKEN_FILE]),
        session_name=environ.get(SESSION_NAME) or "sls-exporter",
    )


def _sts(environ: Environ) -> Endpoint:
    region = environ.get(STS_REGION)
    if region and not _REGION.fullmatch(region):
        raise CredentialsError(f"{STS_REGION} is not the name of a region")
    prefix = "sts-vpc" if _is_true(environ, STS_BY_VPC) else "sts"
    default = f"{prefix}.{region}.aliyuncs.com" if region else "sts.aliyuncs.com"
    return _endpoint(STS_ENDPOINT, environ.get(STS_ENDPOINT) or default)


def _profile(environ: Environ) -> Found | None:
    named, name = environ.get(CREDENTIALS_FILE), environ.get(PROFILE)
    path = Path(named) if named else _home_file(environ)
    if path is None or not (named or name or _has_profile(path, "default")):
        return None
    profile = name or "default"
    return KeyFiles(
        (path,),
        lambda: read_profile(path, profile),
        description=f"from the profile {bounded(profile)} in {bounded(str(path))}",
        log=get_logger("exporter.credentials"),
    )


def _home_file(environ: Environ) -> Path | None:
    home = environ.get("HOME")
    for name in _HOME_FILES if home else ():
        path = Path(home or "", name)
        # Ignore a home directory for which this process has no permission.
        with contextlib.suppress(OSError):
            if path.is_file():
                return path
    return None


def _has_profile(path: Path, name: str) -> bool:
    """Return whether the profile exists, even if it is not valid."""
    try:
        read_profile(path, name)
    except (FileNotFoundError, PermissionError, NoProfileError):
        return False
    except (OSError, ValueError):
        return True
    return True


def _uri(environ: Environ) -> Found | None:
    text = environ.get(CREDENTIALS_URI)
    if not text:
        return None
    try:
        parts = urlsplit(text if is_key(text) else "")
    except ValueError:
        parts = urlsplit("")
    if not parts.netloc:
        # The error does not quote the address, because it can contain a secret.
        raise CredentialsError(f"{CREDENTIALS_URI} is not an address such as https://host/path")
    query = f"?{parts.query}" if parts.query else ""
    return CredentialsUri(
        place=_endpoint(CREDENTIALS_URI, f"{parts.scheme}://{parts.netloc}"),
        target=f"{parts.path or '/'}{query}",
    )


def _ecs(environ: Environ) -> Found | None:
    role = environ.get(ECS_ROLE)
    if not role or _is_true(environ, ECS_DISABLED):
        return None
    if not _ROLE_NAME.fullmatch(role):
        raise CredentialsError(f"{ECS_ROLE} is not the name of a role")
    return EcsRole(
        metadata=_endpoint(ECS_ENDPOINT, environ.get(ECS_ENDPOINT) or f"http://{METADATA_ADDRESS}"),
        role=role,
        allow_v1=not _is_true(environ, ECS_V1_DISABLED),
    )


def _endpoint(name: str, text: str) -> Endpoint:
    try:
        endpoint = Endpoint.parse(text)
    except ValueError as error:
        raise CredentialsError(f"{name}: {bounded(str(error))}") from None
    if not endpoint.is_confidential:
        raise CredentialsError(f"{name}: credentials travel by https beyond this machine, not http")
    return endpoint


def _all_or_none(environ: Environ, names: tuple[str, ...]) -> bool:
    """Return whether all variables are set. Raises CredentialsError if only some are set."""
    unset = [name for name in names if not environ.get(name)]
    if unset and len(unset) < len(names):
        given = [name for name in names if environ.get(name)]
        raise CredentialsError(f"{' and '.join(given)} set without {' and '.join(unset)}")
    return not unset


def _is_true(environ: Environ, name: str) -> bool:
    return environ.get(name, "").lower() == "true"


def _reader(path: Path) -> Callable[[], str]:
    return lambda: read_key(path)


def _constant(text: str) -> Callable[[], str]:
    return lambda: text
