"""The choice of a source of access keys: the configuration, then the environment variables.

The variables and their order are those of the vendor's tools, except that the metadata of an ECS
instance are the last source, and are used only if a variable asks for them. This module does not
use the network.
"""

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace
from pydantic import SecretStr

from exporter.base.text import bounded
from exporter.config.credentials import CredentialsConfig
from exporter.credentials.assume_role import AssumedRole
from exporter.credentials.key_files import KeyFiles, read_key
from exporter.credentials.profiles import default_profile, named_profile
from exporter.credentials.sources import (
    ROLE_NAME,
    CredentialsUri,
    EcsRole,
    FixedKey,
    Found,
    OidcRole,
)
from exporter.credentials.variables import (
    CREDENTIALS_FILE,
    CREDENTIALS_URI,
    ECS_DISABLED,
    ECS_ROLE,
    ECS_V1_DISABLED,
    KEY_ID,
    KEY_SECRET,
    PROFILE,
    PROVIDER_ARN,
    ROLE_ARN,
    TOKEN,
    TOKEN_FILE,
    Environ,
    all_or_none,
    endpoint,
    is_true,
    metadata_endpoint,
    session_name,
    sts_endpoint,
)
from exporter.logs.logger import get_logger
from exporter.model.credentials import Credentials, CredentialsError, is_key

_FIELDS = ("access_key_id", "access_key_secret", "security_token")


def choose(config: CredentialsConfig | None, environ: Environ) -> Found:
    """Return the source of access keys, without the role that the configuration adds to it.

    Raises CredentialsError if no source is configured or its settings are not valid.
    """
    if config is None:
        return _from_environment(environ)
    return named_profile(environ, config.profile) if config.profile else _configured(config)


def _from_environment(environ: Environ) -> Found:
    for look, variables in _SOURCES.items():
        if found := look(environ):
            is_role = isinstance(found.source, AssumedRole | OidcRole)
            used = {*variables, ROLE_ARN} if is_role else {*variables}
            ignored = tuple(
                name for name in SOURCE_VARIABLES if environ.get(name) and name not in used
            )
            return replace(found, ignored=ignored)
    raise CredentialsError(
        f"no credentials: set `credentials` in the configuration file, or {KEY_ID} and "
        f"{KEY_SECRET} in the environment, or the variables of another source there"
    )


def _configured(config: CredentialsConfig) -> Found:
    given = {field: getattr(config, f"{field}_file") or getattr(config, field) for field in _FIELDS}

    def read() -> Credentials:
        return Credentials(**{field: _text(each) for field, each in given.items() if each})

    paths = [each for each in given.values() if isinstance(each, Path)]
    if paths:
        description = f"from the configuration: {', '.join(map(str, paths))}"
        log = get_logger("exporter.credentials")
        return Found(source=KeyFiles(paths, read, description=bounded(description, 1000), log=log))
    return Found(source=FixedKey(description="from the configuration", credentials=read()))


def _static(environ: Environ) -> Found | None:
    if not all_or_none(environ, (KEY_ID, KEY_SECRET)):
        return None
    for name in (KEY_ID, KEY_SECRET, TOKEN, ROLE_ARN):
        if environ.get(name) and not is_key(environ[name]):
            raise CredentialsError(
                f"{name} contains spaces or characters other than printable ASCII"
            )
    token = environ.get(TOKEN) or None
    key = FixedKey(
        description="from the environment" + (": a temporary access key" if token else ""),
        credentials=Credentials(
            access_key_id=environ[KEY_ID],
            access_key_secret=environ[KEY_SECRET],
            security_token=token,
        ),
    )
    role = environ.get(ROLE_ARN)
    # With these variables, the role is that of a pod, which its token assumes and not this key.
    if not role or environ.get(PROVIDER_ARN) or environ.get(TOKEN_FILE):
        return Found(source=key)
    return Found(
        source=AssumedRole(
            sts=sts_endpoint(environ),
            role_arn=role,
            session_name=session_name(environ),
            keys=key,
        )
    )


def _oidc(environ: Environ) -> Found | None:
    # ROLE_ARN alone is not enough, because it also applies to an access key.
    if not (environ.get(PROVIDER_ARN) or environ.get(TOKEN_FILE)):
        return None
    all_or_none(environ, (ROLE_ARN, PROVIDER_ARN, TOKEN_FILE))
    return Found(
        source=OidcRole(
            sts=sts_endpoint(environ),
            role_arn=environ[ROLE_ARN],
            provider_arn=environ[PROVIDER_ARN],
            token_file=Path(environ[TOKEN_FILE]),
            session_name=session_name(environ),
        )
    )


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
    return Found(
        source=CredentialsUri(
            endpoint=endpoint(CREDENTIALS_URI, f"{parts.scheme}://{parts.netloc}"),
            target=f"{parts.path or '/'}{query}",
        )
    )


def _ecs(environ: Environ) -> Found | None:
    role = environ.get(ECS_ROLE) or None
    disabled = environ.get(ECS_DISABLED, "").lower()
    if disabled == "true" or not (role or disabled == "false"):
        return None
    if role and not ROLE_NAME.fullmatch(role):
        raise CredentialsError(f"{ECS_ROLE} is not the name of a role")
    return Found(
        source=EcsRole(
            metadata=metadata_endpoint(environ),
            role=role,
            allow_v1=not is_true(environ, ECS_V1_DISABLED),
        )
    )


_SOURCES: dict[Callable[[Environ], Found | None], tuple[str, ...]] = {
    _static: (KEY_ID, KEY_SECRET, TOKEN),
    _oidc: (PROVIDER_ARN, TOKEN_FILE),
    default_profile: (CREDENTIALS_FILE, PROFILE),
    _uri: (CREDENTIALS_URI,),
    _ecs: (ECS_ROLE,),
}
"""The sources in the order in which they are tried, with the variables that only they use."""
SOURCE_VARIABLES = (*chain.from_iterable(_SOURCES.values()), ROLE_ARN)
"""The variables that select a source."""


def _text(given: Path | SecretStr | str) -> str:
    """Return a field of a key, which can be in a file. Raises OSError or ValueError."""
    if isinstance(given, Path):
        return read_key(given)
    return given.get_secret_value() if isinstance(given, SecretStr) else given
