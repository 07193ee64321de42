"""Sources of access keys that the profiles of the vendor's tools describe."""

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from exporter.base.text import bounded
from exporter.credentials.assume_role import AssumedRole
from exporter.credentials.key_files import KeyFiles, unreadable
from exporter.credentials.profile import NoProfileError, Profile, read_profile
from exporter.credentials.sources import (
    ROLE_NAME,
    SESSION_SECONDS,
    EcsRole,
    Found,
    OidcRole,
    Source,
)
from exporter.credentials.variables import (
    CLI_DISABLED,
    CREDENTIALS_FILE,
    ECS_DISABLED,
    ECS_V1_DISABLED,
    PROFILE,
    SESSION,
    Environ,
    is_true,
    metadata_endpoint,
    session_name,
    sts_endpoint,
    sts_host,
)
from exporter.logs.logger import get_logger
from exporter.model.credentials import Credentials, CredentialsError
from exporter.model.endpoint import Endpoint

_CLI_FILE = ".aliyun/config.json"
_INI_FILES = (".alibabacloud/credentials.ini", ".alibabacloud/credentials")
_LONGEST_SESSION = 43_200


def named_profile(environ: Environ, name: str) -> Found:
    """Return the source in a profile, from the first file that has the profile.

    Raises CredentialsError if there is none, or if it cannot be used.
    """
    paths = _files(environ)
    found = _first(paths, name, environ, is_optional=False)
    if found is None:
        files = " and ".join(map(str, paths)) or "the home directory"
        verb = "have" if len(paths) > 1 else "has"
        raise CredentialsError(bounded(f"{files} {verb} no profile {name!r}", 1000))
    return found


def default_profile(environ: Environ) -> Found | None:
    """Return the source in the profile that the environment names, or in a default profile.

    Return None if there is none, unless the environment names it. Raises CredentialsError.
    """
    name, paths = environ.get(PROFILE), _files(environ)
    if paths and (name or environ.get(CREDENTIALS_FILE)):
        return named_profile(environ, name or "default")
    return _first(paths, None, environ, is_optional=True)


def _files(environ: Environ) -> list[Path]:
    named = environ.get(CREDENTIALS_FILE)
    return [Path(named)] if named else list(_home_files(environ))


def _first(
    paths: list[Path], name: str | None, environ: Environ, *, is_optional: bool
) -> Found | None:
    for path in paths:
        try:
            return _found(read_profile(path, name), environ)
        except NoProfileError:
            continue
        except (OSError, ValueError) as error:
            if is_optional and isinstance(error, FileNotFoundError | PermissionError):
                continue
            raise CredentialsError(unreadable(error)) from None
    return None


def _home_files(environ: Environ) -> Iterator[Path]:
    home = environ.get("HOME")
    if not home:
        return
    command_line = () if is_true(environ, CLI_DISABLED) else (_CLI_FILE,)
    for name in (*command_line, *_INI_FILES):
        path = Path(home, name)
        # Ignore a home directory for which this process has no permission.
        with contextlib.suppress(OSError):
            if path.is_file():
                yield path


def _found(profile: Profile, environ: Environ) -> Found:
    """Return the source that a profile describes. Raises ValueError or CredentialsError."""
    origin = f"from the profile {bounded(profile.name)} in {bounded(str(profile.path))}"
    if profile.kind == "ecs_ram_role":
        return Found(source=_ecs_role(profile, environ), origin=origin)
    if profile.kind == "oidc_role_arn":
        return Found(source=_oidc_role(profile, environ), origin=origin)
    keys = KeyFiles(
        (profile.path,),
        partial(_read_keys, profile),
        description=origin,
        log=get_logger("exporter.credentials"),
    )
    if profile.kind != "ram_role_arn":
        return Found(source=keys, origin=origin)
    role: Source = AssumedRole(
        sts=_sts(profile, environ),
        role_arn=profile.key("role_arn"),
        session_name=_session_name(profile, environ),
        keys=keys,
        external_id=profile.fields.get("external_id"),
        policy=profile.fields.get("policy"),
        seconds=_seconds(profile),
    )
    return Found(source=role, origin=origin)


def _read_keys(profile: Profile) -> Credentials:
    found = read_profile(profile.path, profile.name)
    if found.kind != profile.kind:
        raise ValueError(f"{found} has a new type, which takes effect after a restart")
    return found.credentials()


def _ecs_role(profile: Profile, environ: Environ) -> EcsRole:
    role = profile.fields.get("role_name") or None
    if role and not ROLE_NAME.fullmatch(role):
        raise ValueError(f"{profile}: role_name is not the name of a role")
    if is_true(environ, ECS_DISABLED):
        raise ValueError(f"{profile} needs the metadata, which {ECS_DISABLED} disables")
    return EcsRole(
        metadata=metadata_endpoint(environ),
        role=role,
        allow_v1=not is_true(environ, ECS_V1_DISABLED),
    )


def _oidc_role(profile: Profile, environ: Environ) -> OidcRole:
    return OidcRole(
        sts=_sts(profile, environ),
        role_arn=profile.key("role_arn"),
        provider_arn=profile.key("oidc_provider_arn"),
        token_file=Path(profile.key("oidc_token_file_path")),
        session_name=_session_name(profile, environ),
        policy=profile.fields.get("policy"),
        seconds=_seconds(profile),
    )


def _sts(profile: Profile, environ: Environ) -> Endpoint:
    region = profile.fields.get("sts_region", "")
    if not region:
        return sts_endpoint(environ)
    host = sts_host(region, by_vpc=profile.fields.get("enable_vpc", "").lower() == "true")
    if host is None:
        raise ValueError(f"{profile}: sts_region is not the name of a region")
    return Endpoint.parse(host)


def _session_name(profile: Profile, environ: Environ) -> str:
    name = profile.fields.get("role_session_name") or session_name(environ)
    if not SESSION.fullmatch(name):
        raise ValueError(f"{profile}: role_session_name is not valid")
    return name


def _seconds(profile: Profile) -> int:
    text = profile.fields.get("role_session_expiration") or str(SESSION_SECONDS)
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_LONGEST_SESSION))):
        raise ValueError(f"{profile}: role_session_expiration is not a number of seconds")
    return min(max(int(text), 900), _LONGEST_SESSION)
