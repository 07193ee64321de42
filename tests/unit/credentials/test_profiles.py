"""Profiles of the vendor's tools: each type in both notations, and the files that are searched."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from exporter.config.credentials import CredentialsConfig
from exporter.credentials.providers import Provided, Providers
from exporter.model.credentials import Credentials, CredentialsError
from tests.support.credential_servers import (
    ASSUMED_ROLE,
    ECS_ROLE,
    OIDC_TOKEN,
    PROVIDER_ARN,
    ROLE_ARN,
    SECRET,
    AssumeRoleSts,
    Metadata,
    Sts,
    issued,
    serving,
)
from tests.support.held_clock import HeldClock

NOW = 1_700_000_000.0
INI, CLI = ".alibabacloud/credentials", ".aliyun/config.json"
BASE = {"access_key_id": "id", "access_key_secret": f"{SECRET}-base"}
POLICY = '{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "log:*"}]}'


@pytest.fixture
def held() -> HeldClock:
    return HeldClock(NOW)


def write(home: Path, file: str, profiles: Mapping[str, Mapping[str, object]]) -> Path:
    """Write profiles in the format of a file; those of an INI file have only text."""
    path = home / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        listed = [{"name": name, **fields} for name, fields in profiles.items()]
        path.write_text(json.dumps({"current": next(iter(profiles)), "profiles": listed}))
    else:
        lines = (
            [f"[{name}]", *(f"{key} = {value}" for key, value in fields.items())]
            for name, fields in profiles.items()
        )
        path.write_text("\n".join(line for section in lines for line in section) + "\n")
    return path


def found_in(home: Path, held: HeldClock, name: str = "mine", **environ: str) -> Provided:
    providers = Providers({"HOME": str(home), **environ}, clock=held.clock)
    return providers.get(CredentialsConfig.model_validate({"profile": name}))


def error_of(home: Path, held: HeldClock, name: str = "mine", **environ: str) -> str:
    with pytest.raises(CredentialsError) as raised:
        found_in(home, held, name, **environ)
    assert SECRET not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("file", "fields", "token"),
    [
        (INI, {"type": "access_key", **BASE}, None),
        (INI, {"type": "sts", **BASE, "security_token": "t"}, "t"),
        (CLI, {"mode": "AK", **BASE, "sts_token": "old"}, None),
        (CLI, {"mode": "StsToken", **BASE, "sts_token": "t"}, "t"),
        (CLI, {"mode": "sts", **BASE, "security_token": "t"}, "t"),
    ],
)
def test_key_in_profile_is_used_and_read_again(
    tmp_path: Path, held: HeldClock, file: str, fields: Mapping[str, str], token: str | None
) -> None:
    path = write(tmp_path, file, {"other": {}, "mine": fields})
    found = found_in(tmp_path, held)
    assert found.provider() == Credentials(**BASE, security_token=token)
    assert found.description == f"from the profile mine in {path}"
    write(tmp_path, file, {"mine": {**fields, "access_key_id": "id-2"}})
    assert found.provider().access_key_id == "id-2"


INI_ROLE: Mapping[str, object] = {
    "type": "ram_role_arn",
    **BASE,
    "role_arn": ASSUMED_ROLE,
    "role_session_name": "blue",
    "role_session_expiration": "900",
    "external_id": "ab",
    "policy": POLICY,
}
CLI_ROLE: Mapping[str, object] = {
    "mode": "RamRoleArn",
    **BASE,
    "sts_token": "",
    "ram_role_arn": ASSUMED_ROLE,
    "ram_session_name": "blue",
    "expired_seconds": 900,
    "external_id": "ab",
    "policy": POLICY,
    "enable_vpc": False,
    "sts_region": "",
}


@pytest.mark.parametrize(("file", "fields"), [(INI, INI_ROLE), (CLI, CLI_ROLE)])
def test_role_in_profile_is_assumed_with_key_of_profile(
    tmp_path: Path, held: HeldClock, file: str, fields: Mapping[str, object]
) -> None:
    path = write(tmp_path, file, {"mine": fields})
    with serving(AssumeRoleSts(wall=held.wall, external_ids={ASSUMED_ROLE: "ab"})) as sts:
        found = found_in(tmp_path, held, ALIBABA_CLOUD_STS_ENDPOINT=sts.url)
        assert found.provider() == issued(1)
        [asked] = sts.asked
    assert asked.query["RoleSessionName"] == "blue"
    assert asked.query["DurationSeconds"] == "900"
    assert asked.query["Policy"] == POLICY
    assert found.assumed == (ASSUMED_ROLE,)
    assert found.description == (
        f"from the profile mine in {path}: RAM role {ASSUMED_ROLE} at {sts.url}"
    )


@pytest.mark.parametrize(
    ("file", "fields"),
    [
        (
            INI,
            {
                "type": "oidc_role_arn",
                "role_arn": ROLE_ARN,
                "oidc_provider_arn": PROVIDER_ARN,
                "oidc_token_file_path": "TOKEN",
                "role_session_name": "blue",
                "policy": POLICY,
            },
        ),
        (
            CLI,
            {
                "mode": "OIDC",
                "ram_role_arn": ROLE_ARN,
                "oidc_provider_arn": PROVIDER_ARN,
                "oidc_token_file": "TOKEN",
                "ram_session_name": "blue",
                "policy": POLICY,
                "expired_seconds": 0,
            },
        ),
    ],
)
def test_oidc_role_in_profile_is_assumed_with_token(
    tmp_path: Path, held: HeldClock, file: str, fields: Mapping[str, object]
) -> None:
    (tmp_path / "token").write_text(OIDC_TOKEN)
    token = str(tmp_path / "token")
    changed = {key: token if value == "TOKEN" else value for key, value in fields.items()}
    write(tmp_path, file, {"mine": changed})
    with serving(Sts(wall=held.wall)) as sts:
        found = found_in(tmp_path, held, ALIBABA_CLOUD_STS_ENDPOINT=sts.url)
        assert found.provider() == issued(1)
        form = sts.asked[0].form
    assert (form["RoleArn"], form["RoleSessionName"]) == (ROLE_ARN, "blue")
    assert form["Policy"] == POLICY


@pytest.fixture
def metadata(held: HeldClock) -> Iterator[Metadata]:
    with serving(Metadata(wall=held.wall)) as made:
        yield made


def place_of(metadata: Metadata) -> dict[str, str]:
    return {"ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT": metadata.url}


@pytest.mark.parametrize(
    ("file", "fields", "requests"),
    [
        (INI, {"type": "ecs_ram_role", "role_name": ECS_ROLE}, 2),
        (INI, {"type": "ecs_ram_role"}, 3),
        (CLI, {"mode": "EcsRamRole", "ram_role_name": ECS_ROLE}, 2),
        (CLI, {"mode": "EcsRamRole", "ram_role_name": ""}, 3),
    ],
)
def test_ecs_role_in_profile_is_fetched_and_found_by_itself(  # noqa: PLR0917  fixtures
    tmp_path: Path,
    held: HeldClock,
    metadata: Metadata,
    file: str,
    fields: Mapping[str, object],
    requests: int,
) -> None:
    write(tmp_path, file, {"mine": fields})
    assert found_in(tmp_path, held, **place_of(metadata)).provider() == issued(1)
    assert len(metadata.asked) == requests


def test_name_of_ecs_role_is_found_if_metadata_are_enabled(
    held: HeldClock, metadata: Metadata
) -> None:
    environ = {**place_of(metadata), "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "false"}
    found = Providers(environ, clock=held.clock).get(None)
    assert found.description == "from the environment: ECS RAM role of this instance"
    assert found.provider() == issued(1)
    assert [asked.path.rpartition("/")[2] for asked in metadata.asked] == ["token", "", ECS_ROLE]


@pytest.mark.parametrize(
    ("role", "reason"),
    [
        (None, "no role is attached to this instance"),
        ("", "no role is attached to this instance"),
        ("../user-data", "the metadata gave no name of a role, but status 200"),
    ],
)
def test_instance_without_role_is_reported(
    held: HeldClock, metadata: Metadata, role: str | None, reason: str
) -> None:
    metadata.role = role
    environ = {**place_of(metadata), "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "false"}
    with pytest.raises(Exception, match=f"^ECS RAM role of this instance: {reason}$"):
        Providers(environ, clock=held.clock).get(None).provider()


def test_file_of_command_line_is_searched_before_ini_files(tmp_path: Path) -> None:
    for file in (INI, CLI):
        write(tmp_path, file, {"default": {"type": "access_key", **BASE}})
    home = {"HOME": str(tmp_path)}
    text = f"from the profile default in {tmp_path}"
    assert Providers(home).get(None).description == f"{text}/{CLI}"
    disabled = {**home, "ALIBABA_CLOUD_CLI_PROFILE_DISABLED": "true"}
    assert Providers(disabled).get(None).description == f"{text}/{INI}"
    named = {**home, "ALIBABA_CLOUD_CREDENTIALS_FILE": str(tmp_path / INI)}
    assert Providers(named).get(None).description == f"{text}/{INI}"


def test_current_profile_of_command_line_is_its_default(tmp_path: Path) -> None:
    key = {"mode": "AK", **BASE}
    path = write(tmp_path, CLI, {"work": key, "default": key})
    found = Providers({"HOME": str(tmp_path)}).get(None)
    assert found.description == f"from the profile work in {path}"


def test_profile_is_searched_in_all_files(tmp_path: Path, held: HeldClock) -> None:
    write(tmp_path, CLI, {"other": {"mode": "AK", **BASE}})
    write(tmp_path, INI, {"mine": {"type": "access_key", **BASE}})
    assert found_in(tmp_path, held).provider().access_key_id == "id"
    assert error_of(tmp_path, held, "none") == (
        f"{tmp_path}/{CLI} and {tmp_path}/{INI} have no profile 'none'"
    )
    assert error_of(tmp_path / "empty", held) == "the home directory has no profile 'mine'"


def test_profiles_of_projects_are_separate_sources(tmp_path: Path, held: HeldClock) -> None:
    key = {"type": "access_key", "access_key_secret": "s"}
    write(tmp_path, INI, {"a": {**key, "access_key_id": "a"}, "b": {**key, "access_key_id": "b"}})
    providers = Providers({"HOME": str(tmp_path)}, clock=held.clock)
    for name in "aba":
        config = CredentialsConfig.model_validate({"profile": name})
        assert providers.get(config).provider().access_key_id == name


def test_profile_assumes_role_of_configuration(tmp_path: Path, held: HeldClock) -> None:
    path = write(tmp_path, INI, {"mine": {"type": "access_key", **BASE}})
    with serving(AssumeRoleSts(wall=held.wall)) as sts:
        config = CredentialsConfig.model_validate(
            {"profile": "mine", "role_arn": ASSUMED_ROLE, "sts_endpoint": sts.url}
        )
        found = Providers({"HOME": str(tmp_path)}, clock=held.clock).get(config)
        assert found.provider() == issued(1)
    assert found.description.endswith(f"assumed with the key from the profile mine in {path}")


@pytest.mark.parametrize(
    ("file", "fields", "message"),
    [
        (CLI, {"mode": "CloudSSO"}, "has the type 'CloudSSO'; access_key, sts, ram_role_arn,"),
        (CLI, {}, "has no type or an invalid one; access_key, sts, ram_role_arn,"),
        (CLI, {"mode": "AK"}, ": access_key_id is missing or is not a key"),
        (CLI, {"mode": "RamRoleArn", **BASE}, ": role_arn is missing or is not a key"),
        (
            INI,
            {"type": "ram_role_arn", "role_arn": "r"},
            ": access_key_id is missing or is not a key",
        ),
        (
            INI,
            {"type": "oidc_role_arn", "role_arn": "r"},
            ": oidc_provider_arn is missing or is not a key",
        ),
        (INI, {"type": "ecs_ram_role", "role_name": "a/b"}, ": role_name is not the name of a"),
        (
            INI,
            {**INI_ROLE, "sts_region": "evil.example.org/"},
            ": sts_region is not the name of a region",
        ),
        (INI, {**INI_ROLE, "role_session_name": "a b"}, ": role_session_name is not valid"),
        (
            INI,
            {**INI_ROLE, "role_session_expiration": "1h"},
            ": role_session_expiration is not a number of seconds",
        ),
    ],
)
def test_unusable_profile_is_reported_with_its_file(
    tmp_path: Path, held: HeldClock, file: str, fields: Mapping[str, object], message: str
) -> None:
    path = write(tmp_path, file, {"mine": fields})
    text = error_of(tmp_path, held)
    assert text.startswith(f"profile 'mine' in {path}")
    assert message in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "hunter2",
        '{"profiles": 7}',
        '{"profiles": ["hunter2"]}',
        '{"profiles": [{"mode": "AK"}]}',
        "[" * 60_000,
    ],
)
def test_invalid_file_of_command_line_is_reported(
    tmp_path: Path, held: HeldClock, text: str
) -> None:
    path = write(tmp_path, CLI, {"mine": {}})
    path.write_text(text)
    assert error_of(tmp_path, held) == f"{path} is not a file of the vendor's command line"
    with pytest.raises(CredentialsError, match="is not a file of the vendor's command line"):
        Providers({"HOME": str(tmp_path)}).get(None)


def test_region_of_sts_in_profile_is_used(tmp_path: Path, held: HeldClock) -> None:
    fields = {**CLI_ROLE, "sts_region": "cn-hangzhou", "enable_vpc": True}
    write(tmp_path, CLI, {"mine": fields})
    found = found_in(tmp_path, held)
    assert found.description.endswith(" at https://sts-vpc.cn-hangzhou.aliyuncs.com")


def test_profile_that_needs_disabled_metadata_is_reported(tmp_path: Path, held: HeldClock) -> None:
    path = write(tmp_path, INI, {"mine": {"type": "ecs_ram_role"}})
    text = error_of(tmp_path, held, ALIBABA_CLOUD_ECS_METADATA_DISABLED="true")
    assert text == (
        f"profile 'mine' in {path} needs the metadata, which"
        " ALIBABA_CLOUD_ECS_METADATA_DISABLED disables"
    )


def test_key_of_profile_stays_when_type_of_profile_changes(tmp_path: Path, held: HeldClock) -> None:
    write(tmp_path, INI, {"mine": {"type": "access_key", **BASE}})
    found = found_in(tmp_path, held)
    changed = {**INI_ROLE, "access_key_id": "id-2"}
    write(tmp_path, INI, {"mine": changed})
    assert found.provider().access_key_id == "id"
