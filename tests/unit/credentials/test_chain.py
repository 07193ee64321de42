"""The choice of a source of access keys, and the errors for a misconfigured source."""

import os
from pathlib import Path

import pytest

from exporter.model.credentials import Credentials, CredentialsError
from tests.support.providers import describe, provider

PLAIN = "credentials require https, except on this machine"
STATIC = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "env-id",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "env-secret",
}
OIDC = {
    "ALIBABA_CLOUD_ROLE_ARN": "acs:ram::1:role/pod",
    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1:oidc-provider/ack",
    "ALIBABA_CLOUD_OIDC_TOKEN_FILE": "/nowhere/token",
}
URI = {"ALIBABA_CLOUD_CREDENTIALS_URI": "http://localhost:8080/keys?token=hunter2"}
ECS = {"ALIBABA_CLOUD_ECS_METADATA": "node-role"}
SUPPORTED = "access_key, sts, ram_role_arn, oidc_role_arn and ecs_ram_role are supported"
UNSUPPORTED = f"profile 'rsa' in {{path}} has the type 'rsa_key_pair'; {SUPPORTED}"
PROFILE = """\
[default]
type = access_key          # of the test
access_key_id = file-id
access_key_secret = file%secret

[temporary]
type = sts
access_key_id = sts-id
access_key_secret = sts-secret
security_token = sts-token

[rsa]
type = rsa_key_pair
public_key_id = file-id
private_key_file = hunter2

[half]
type = access_key
access_key_id = file-id
"""


def written(path: Path, text: str = PROFILE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_order_of_sources_is_that_of_the_vendors_tools(tmp_path: Path) -> None:
    written(tmp_path / ".alibabacloud/credentials")
    steps = [
        (STATIC, "from the environment"),
        (OIDC, "from the environment: OIDC role acs:ram::1:role/pod at https://sts.aliyuncs.com"),
        (
            {"HOME": str(tmp_path)},
            f"from the profile default in {tmp_path}/.alibabacloud/credentials",
        ),
        (URI, "from the environment: credentials URI at http://localhost:8080"),
        (ECS, "from the environment: ECS RAM role node-role"),
    ]
    environ: dict[str, str] = {}
    for variables, description in reversed(steps):
        environ |= variables
        assert describe(None, environ) == description


@pytest.mark.parametrize(
    ("variables", "sts"),
    [
        ({}, "https://sts.aliyuncs.com"),
        ({"ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED": "true"}, "https://sts.aliyuncs.com"),
        ({"ALIBABA_CLOUD_STS_REGION": "cn-hangzhou"}, "https://sts.cn-hangzhou.aliyuncs.com"),
        (
            {
                "ALIBABA_CLOUD_STS_REGION": "cn-hangzhou",
                "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED": "True",
            },
            "https://sts-vpc.cn-hangzhou.aliyuncs.com",
        ),
        (
            {
                "ALIBABA_CLOUD_STS_REGION": "cn-hangzhou",
                "ALIBABA_CLOUD_STS_ENDPOINT": "sts-vpc.cn-shanghai.aliyuncs.com",
            },
            "https://sts-vpc.cn-shanghai.aliyuncs.com",
        ),
    ],
)
def test_the_sts_of_a_pod_is_that_of_its_region(variables: dict[str, str], sts: str) -> None:
    assert describe(None, OIDC | variables).endswith(f" at {sts}")


@pytest.mark.parametrize("name", OIDC)
def test_half_a_pods_role_is_a_mistake(name: str) -> None:
    others = " and ".join(other for other in OIDC if other != name)
    with pytest.raises(CredentialsError) as raised:
        provider(None, {**OIDC, **ECS, name: ""})
    assert str(raised.value) == f"{others} set without {name}"


def test_a_role_arn_alone_means_another_tool() -> None:
    assert describe(None, {"ALIBABA_CLOUD_ROLE_ARN": "acs:ram::1:role/x", **ECS}) == (
        "from the environment: ECS RAM role node-role"
    )


@pytest.mark.parametrize("value", ["true", "TRUE"])
def test_disabled_metadata_are_not_used_as_a_source(value: str) -> None:
    with pytest.raises(CredentialsError, match="no credentials: "):
        provider(None, {**ECS, "ALIBABA_CLOUD_ECS_METADATA_DISABLED": value})


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            OIDC | {"ALIBABA_CLOUD_STS_ENDPOINT": "http://sts.example.org"},
            f"ALIBABA_CLOUD_STS_ENDPOINT: {PLAIN}",
        ),
        (
            OIDC | {"ALIBABA_CLOUD_STS_ENDPOINT": "ftp://sts.example.org"},
            "ALIBABA_CLOUD_STS_ENDPOINT: the scheme must be http or https, not 'ftp'",
        ),
        (
            OIDC | {"ALIBABA_CLOUD_STS_REGION": "evil.example.org/"},
            "ALIBABA_CLOUD_STS_REGION is not the name of a region",
        ),
        (
            {"ALIBABA_CLOUD_CREDENTIALS_URI": "http://10.0.0.1/hunter2"},
            f"ALIBABA_CLOUD_CREDENTIALS_URI: {PLAIN}",
        ),
        (
            {"ALIBABA_CLOUD_CREDENTIALS_URI": "http://localhost.example.org/hunter2"},
            f"ALIBABA_CLOUD_CREDENTIALS_URI: {PLAIN}",
        ),
        (
            {"ALIBABA_CLOUD_CREDENTIALS_URI": "https://user:hunter2@example.org/"},
            "ALIBABA_CLOUD_CREDENTIALS_URI: credentials do not belong in an endpoint",
        ),
        (
            {"ALIBABA_CLOUD_CREDENTIALS_URI": "hunter2"},
            "ALIBABA_CLOUD_CREDENTIALS_URI is not an address such as https://host/path",
        ),
        (
            {"ALIBABA_CLOUD_CREDENTIALS_URI": "http://127.0.0.1/hunter2 \r\nx"},
            "ALIBABA_CLOUD_CREDENTIALS_URI is not an address such as https://host/path",
        ),
        (
            {"ALIBABA_CLOUD_CREDENTIALS_URI": "http://[::1/hunter2"},
            "ALIBABA_CLOUD_CREDENTIALS_URI is not an address such as https://host/path",
        ),
        (
            {"ALIBABA_CLOUD_ECS_METADATA": "../../user-data"},
            "ALIBABA_CLOUD_ECS_METADATA is not the name of a role",
        ),
        (
            ECS | {"ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT": "http://example.org"},
            f"ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT: {PLAIN}",
        ),
    ],
)
def test_a_misconfigured_source_is_reported_without_secrets(
    environ: dict[str, str], message: str
) -> None:
    for look in (provider, describe):
        with pytest.raises(CredentialsError) as raised:
            look(None, environ)
        assert str(raised.value) == message


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1", "http://[::1]:80", "http://169.254.1.1", "http://a.localhost"]
)
def test_plain_http_stays_on_this_machine(address: str) -> None:
    environ = {"ALIBABA_CLOUD_CREDENTIALS_URI": f"{address}/keys"}
    assert describe(None, environ) == f"from the environment: credentials URI at {address}"


def test_a_profile_is_read_from_the_file_that_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "keys.ini")
    environ = {"ALIBABA_CLOUD_CREDENTIALS_FILE": str(path)}
    assert provider(None, environ)() == Credentials(
        access_key_id="file-id", access_key_secret="file%secret"
    )
    environ["ALIBABA_CLOUD_PROFILE"] = "temporary"
    credentials = provider(None, environ)
    assert credentials() == Credentials(
        access_key_id="sts-id", access_key_secret="sts-secret", security_token="sts-token"
    )
    path.write_text(PROFILE.replace("sts-", "new-"))
    assert credentials().security_token == "new-token"


def test_a_home_without_a_default_profile_is_passed_over(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), **URI}
    assert "credentials URI" in describe(None, environ)
    written(tmp_path / ".alibabacloud/credentials.ini", "[other]\ntype = access_key\n")
    assert "credentials URI" in describe(None, environ)


def test_an_invalid_credentials_file_in_the_home_is_not_skipped(tmp_path: Path) -> None:
    path = written(tmp_path / ".alibabacloud/credentials.ini", "hunter2")
    with pytest.raises(CredentialsError) as raised:
        provider(None, {"HOME": str(tmp_path), **URI})
    assert str(raised.value) == f"{path} is not an INI file"


@pytest.mark.parametrize(
    ("profile", "text", "message"),
    [
        ("none", PROFILE, "{path} has no profile 'none'"),
        ("default", "access_key_secret = hunter2", "{path} is not an INI file"),
        ("default", "[default]\nx\n[default]\nhunter2", "{path} is not an INI file"),
        ("rsa", PROFILE, UNSUPPORTED),
        ("half", PROFILE, "profile 'half' in {path}: access_key_secret is missing or is not a key"),
    ],
)
def test_an_unusable_profile_is_reported_without_secrets(
    tmp_path: Path, profile: str, text: str, message: str
) -> None:
    path = written(tmp_path / ".alibabacloud/credentials.ini", text)
    environ = {"HOME": str(tmp_path), "ALIBABA_CLOUD_PROFILE": profile}
    with pytest.raises(CredentialsError) as raised:
        provider(None, environ)
    assert str(raised.value) == message.format(path=path)


@pytest.mark.parametrize("kind", ["", "hunter2", "hunter2" * 20, "Hunter Two"])
def test_an_invalid_type_of_a_profile_is_not_shown(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path / "keys.ini", f"[default]\ntype = {kind}\n")
    with pytest.raises(CredentialsError) as raised:
        provider(None, {"ALIBABA_CLOUD_CREDENTIALS_FILE": str(path)})
    assert str(raised.value) == (
        f"profile 'default' in {path} has no type or an invalid one; {SUPPORTED}"
    )


def test_a_credentials_file_that_is_a_pipe_is_rejected_immediately(tmp_path: Path) -> None:
    path = tmp_path / "keys.ini"
    os.mkfifo(path)
    with pytest.raises(CredentialsError) as raised:
        provider(None, {"ALIBABA_CLOUD_CREDENTIALS_FILE": str(path)})
    assert str(raised.value) == f"cannot read {path}: not a regular file"


def test_a_configured_credentials_file_must_exist(tmp_path: Path) -> None:
    path = tmp_path / "keys.ini"
    with pytest.raises(CredentialsError) as raised:
        provider(None, {"ALIBABA_CLOUD_CREDENTIALS_FILE": str(path), **URI})
    assert str(raised.value) == f"cannot read {path}: No such file or directory"
