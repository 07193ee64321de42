"""Access keys of the configuration and of the environment, and how files of them are renewed."""

import os
from pathlib import Path

import pytest

from exporter.config.credentials import CredentialsConfig
from exporter.credentials.key_files import KeyFiles
from exporter.logs.logger import get_logger
from exporter.model.credentials import Credentials, CredentialsError
from tests.support.credential_servers import told
from tests.support.providers import describe, provider

ENVIRONMENT = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "env-id",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "env-secret",
}


def configured(**values: object) -> CredentialsConfig:
    return CredentialsConfig.model_construct(**values)  # type: ignore[arg-type]  # as the test says


def files(directory: Path, **contents: str) -> CredentialsConfig:
    paths: dict[str, Path] = {}
    for name, content in contents.items():
        paths[f"{name}_file"] = directory / name
        paths[f"{name}_file"].write_text(content)
    return configured(**paths)


def secret_in(path: Path) -> CredentialsConfig:
    return configured(access_key_id="id", access_key_secret_file=path)


def replace(path: Path, content: str) -> None:
    """Write as a rotation does: a new file in the old one's place."""
    new = path.with_name("new")
    new.write_text(content)
    new.replace(path)


def test_the_configuration_comes_before_the_environment() -> None:
    config = CredentialsConfig.model_validate(
        {"access_key_id": "id", "access_key_secret": "secret", "security_token": "token"}
    )
    assert provider(config, ENVIRONMENT)() == Credentials(
        access_key_id="id", access_key_secret="secret", security_token="token"
    )
    assert describe(config, ENVIRONMENT) == "from the configuration"


def test_the_environment_is_used_if_no_keys_are_configured() -> None:
    found = provider(None, ENVIRONMENT)()
    assert found == Credentials(access_key_id="env-id", access_key_secret="env-secret")
    token = {**ENVIRONMENT, "ALIBABA_CLOUD_SECURITY_TOKEN": "env-token"}
    assert provider(None, token)().security_token == "env-token"
    nothing = {**ENVIRONMENT, "ALIBABA_CLOUD_SECURITY_TOKEN": ""}
    assert provider(None, nothing)().security_token is None
    assert describe(None, ENVIRONMENT) == "from the environment"
    assert describe(None, token) == "from the environment: a temporary access key"


def test_the_error_about_missing_keys_lists_all_sources() -> None:
    for look in (provider, describe):
        with pytest.raises(CredentialsError) as raised:
            look(None, {"ALIBABA_CLOUD_ACCESS_KEY_ID": ""})
        assert str(raised.value) == (
            "no credentials: set `credentials` in the configuration file, or"
            " ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET in the environment,"
            " or the variables of another source there"
        )


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_ACCESS_KEY_ID"),
    ],
)
def test_half_a_key_is_an_error_and_other_sources_are_not_used(given: str, missing: str) -> None:
    elsewhere = {"ALIBABA_CLOUD_ECS_METADATA": "role"}
    with pytest.raises(CredentialsError) as raised:
        provider(None, {**elsewhere, given: "hunter2", missing: ""})
    assert str(raised.value) == f"{given} set without {missing}"


@pytest.mark.parametrize(
    "name",
    [
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "ALIBABA_CLOUD_SECURITY_TOKEN",
    ],
)
@pytest.mark.parametrize("value", ["hunter2\n", "hunter 2", "hünter2"])
def test_a_key_that_no_header_can_contain_is_rejected_without_showing_it(
    name: str, value: str
) -> None:
    with pytest.raises(CredentialsError) as raised:
        provider(None, {**ENVIRONMENT, name: value})
    assert str(raised.value) == f"{name} contains spaces or characters other than printable ASCII"


def test_files_are_read_again_when_they_change(tmp_path: Path) -> None:
    config = files(
        tmp_path, access_key_id="id-1\n", access_key_secret=" secret-1 ", security_token="token-1"
    )
    credentials = provider(config, {})
    assert credentials() == Credentials(
        access_key_id="id-1", access_key_secret="secret-1", security_token="token-1"
    )
    replace(tmp_path / "access_key_id", "id-2\n")
    replace(tmp_path / "access_key_secret", "secret-2\n")
    replace(tmp_path / "security_token", "token-2\n")
    assert credentials() == Credentials(
        access_key_id="id-2", access_key_secret="secret-2", security_token="token-2"
    )
    assert describe(config, {}) == (
        f"from the configuration: {tmp_path}/access_key_id, {tmp_path}/access_key_secret,"
        f" {tmp_path}/security_token"
    )


def test_files_are_taken_over_together_or_not_at_all(tmp_path: Path) -> None:
    credentials = provider(files(tmp_path, access_key_id="id-1", access_key_secret="secret-1"), {})
    replace(tmp_path / "access_key_id", "id-2")
    (tmp_path / "access_key_secret").unlink()
    assert credentials() == Credentials(access_key_id="id-1", access_key_secret="secret-1")
    replace(tmp_path / "access_key_secret", "secret-2")
    assert credentials() == Credentials(access_key_id="id-2", access_key_secret="secret-2")


def test_files_that_change_while_they_are_read_are_read_again(tmp_path: Path) -> None:
    first, second = tmp_path / "id", tmp_path / "secret"
    first.write_text("id-1")
    second.write_text("secret-1")

    def read() -> Credentials:
        key_id = first.read_text()
        if key_id == "id-1":
            replace(first, "id-2")
            replace(second, "secret-2")
        return Credentials(access_key_id=key_id, access_key_secret=second.read_text())

    log = get_logger("exporter.credentials")
    credentials = KeyFiles((first, second), read, description="files", log=log)
    assert credentials() == Credentials(access_key_id="id-2", access_key_secret="secret-2")


def test_a_file_behind_links_is_followed_as_they_are_swapped(tmp_path: Path) -> None:
    # This is how Kubernetes mounts secrets.
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "secret").write_text(f"secret-{version}")
    (tmp_path / "data").symlink_to("1")
    (tmp_path / "secret").symlink_to("data/secret")
    credentials = provider(secret_in(tmp_path / "secret"), {})
    assert credentials().access_key_secret == "secret-1"
    (tmp_path / "next").symlink_to("2")
    (tmp_path / "next").replace(tmp_path / "data")
    assert credentials().access_key_secret == "secret-2"


def test_a_file_that_is_overwritten_in_place_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("secret-1")
    os.utime(path, ns=(1, 1))
    credentials = provider(secret_in(path), {})
    path.write_text("secret-2")
    assert credentials().access_key_secret == "secret-2"


SPOILT = [b"", b" \n", b"two words", b"\xff\xfe", b"two\nlines", b"x" * (64 * 1024 + 1)]


@pytest.mark.parametrize("content", SPOILT)
def test_the_last_valid_content_of_an_invalid_file_is_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_text("secret-1")
    credentials = provider(secret_in(path), {})
    path.write_bytes(content)
    assert credentials().access_key_secret == "secret-1"
    replace(path, "secret-2")
    assert credentials().access_key_secret == "secret-2"


def test_the_last_content_of_a_missing_file_is_kept_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "secret"
    path.write_text("hunter2-1")
    caplog.set_level("DEBUG", "exporter.credentials")
    credentials = provider(secret_in(path), {})
    path.unlink()
    for _ in range(3):
        assert credentials().access_key_secret == "hunter2-1"
    path.write_text("hunter2-2")
    for _ in range(3):
        assert credentials().access_key_secret == "hunter2-2"
    assert told(caplog) == [
        (
            "WARNING",
            "the access key cannot be read again, keeping the previous one",
            {"error": f"cannot read {path}: No such file or directory"},
        ),
        ("INFO", "the access key can be read again", {}),
    ]


@pytest.mark.parametrize("content", [b"", b"hunter 2", b"hunter2\xff"])
def test_a_file_without_a_valid_key_at_the_start_is_rejected_without_showing_it(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(CredentialsError) as raised:
        provider(secret_in(path), {})
    assert str(raised.value) == (
        f"cannot read {path}: it is empty or contains characters that keys do not have"
    )


def test_a_file_that_is_missing_at_the_start_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError) as raised:
        provider(secret_in(tmp_path / "secret"), {})
    assert str(raised.value) == f"cannot read {tmp_path}/secret: No such file or directory"


def test_secrets_are_in_no_representation() -> None:
    keys = Credentials(access_key_id="id", access_key_secret="hunter2", security_token="hunter3")
    assert repr(keys) == "Credentials(access_key_id='id')"
    assert "hunter" not in str(keys)
    environ = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "id",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "hunter2",
        "ALIBABA_CLOUD_SECURITY_TOKEN": "hunter3",
    }
    assert "hunter" not in repr(provider(None, environ))
