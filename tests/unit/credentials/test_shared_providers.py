"""The sources of several projects in one process, their proxies, and their explanation."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.config.credentials import CredentialsConfig
from exporter.config.reader import parse
from exporter.config.settings import ProjectSettings, project_settings
from exporter.credentials.providers import Providers
from exporter.model.credentials import CredentialsUnavailableError
from tests.support.credential_servers import (
    ASSUMED_ROLE,
    OIDC_TOKEN,
    SECRET,
    AssumeRoleSts,
    Metadata,
    Sts,
    issued,
    serving,
)
from tests.support.held_clock import HeldClock
from tests.support.misbehaving import Proxy, always, answer, misbehaving, proxy

NOW = 1_700_000_000.0
BASE = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "id",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": f"{SECRET}-base",
}
ROLE_A, ROLE_B = "acs:ram::1:role/a", "acs:ram::2:role/b"
PROJECTS = """\
projects:
  - &project
    project: shop
    endpoint: cn-shanghai.log.aliyuncs.com
    logstores: [{logstore: orders, consumer_groups: [billing]}]
"""


def settings_of(project: str, top: str = "") -> ProjectSettings:
    """Return the settings of a project with more keys at the project and at the top."""
    text = f"{PROJECTS}    {project}\n{top}\n"
    config = parse(text, name="config.yaml", environ={}, base_dir=Path())
    return project_settings(config, config.projects[0])


@pytest.fixture
def held() -> HeldClock:
    return HeldClock(NOW)


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Run a proxy that the environment names for all addresses."""
    for name in ("all_proxy", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with proxy() as made:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{made.port}")
        yield made


@pytest.mark.parametrize("use_proxies", [True, False])
def test_sts_is_reached_through_proxy_if_sls_is(
    held: HeldClock, between: Proxy, *, use_proxies: bool
) -> None:
    with serving(AssumeRoleSts(wall=held.wall)) as sts:
        settings = settings_of(
            f"credentials: {{role_arn: '{ASSUMED_ROLE}', sts_endpoint: '{sts.url}'}}",
            f"http: {{proxy_from_environment: {str(use_proxies).lower()}}}",
        )
        assert Providers(BASE, clock=held.clock).of_project(settings).provider() == issued(1)
        assert len(sts.asked) == 1
    assert len(between.asked) == int(use_proxies)


def read_post(connection: socket.socket) -> str | None:
    """Read the head of a request that has a body."""
    data = b""
    while b"\r\n\r\n" not in data:
        received = connection.recv(65536)
        if not received:
            return None
        data += received
    return data.partition(b"\r\n\r\n")[0].decode("latin-1")


def test_sts_of_pod_is_reached_through_proxy_if_sls_is(
    held: HeldClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(OIDC_TOKEN)
    settings = settings_of("http: {proxy_from_environment: true}")
    refusal = always(answer(b"", status="502 Bad Gateway"))
    with serving(Sts(wall=held.wall)) as sts, misbehaving(refusal, read=read_post) as refusing:
        monkeypatch.setenv("http_proxy", refusing.endpoint)
        monkeypatch.delenv("no_proxy", raising=False)
        credentials = Providers(sts.environ(tmp_path / "token")).of_project(settings).provider
        with pytest.raises(CredentialsUnavailableError, match="refused with status 502"):
            credentials()
        [request] = refusing.requests
        assert request.target.startswith(f"{sts.url}/?Action=AssumeRoleWithOIDC&")
    assert sts.asked == []


def test_metadata_are_never_reached_through_proxy(held: HeldClock, between: Proxy) -> None:
    with serving(Metadata(wall=held.wall)) as metadata, serving(AssumeRoleSts()) as sts:
        sts.wall, sts.keys = held.wall, {"STS.1": issued(1)}
        settings = settings_of(
            f"credentials: {{role_arn: '{ASSUMED_ROLE}', sts_endpoint: '{sts.url}'}}",
            "http: {proxy_from_environment: true}",
        )
        environ = metadata.environ()
        assert Providers(environ, clock=held.clock).of_project(settings).provider() == issued(1)
        assert len(metadata.asked) == 2
    assert len(between.asked) == 1


@pytest.mark.parametrize(
    ("project", "top", "expected"),
    [
        ("", "", None),
        ("", f"credentials: {{role_arn: '{ROLE_A}'}}", {"role_arn": ROLE_A}),
        (
            f"credentials: {{role_arn: '{ROLE_B}', role_session_name: bb}}",
            f"credentials: {{profile: hub, role_arn: '{ROLE_A}', external_id: aa}}",
            {"profile": "hub", "role_arn": ROLE_B, "role_session_name": "bb"},
        ),
        (
            f"credentials: {{role_arn: '{ROLE_B}'}}",
            "credentials: {access_key_id: i, access_key_secret: s}",
            {"access_key_id": "i", "access_key_secret": "s", "role_arn": ROLE_B},
        ),
        (
            "credentials: {profile: own}",
            f"credentials: {{profile: hub, role_arn: '{ROLE_A}'}}",
            {"profile": "own"},
        ),
        (
            f"credentials: {{profile: own, role_arn: '{ROLE_B}'}}",
            "credentials: {profile: hub}",
            {"profile": "own", "role_arn": ROLE_B},
        ),
    ],
)
def test_role_of_project_is_assumed_with_its_own_key_or_global_one(
    project: str, top: str, expected: dict[str, str] | None
) -> None:
    found = settings_of(project, top).credentials
    assert found == (None if expected is None else CredentialsConfig.model_validate(expected))


IGNORED = [
    (BASE, ()),
    ({**BASE, "ALIBABA_CLOUD_ROLE_ARN": ROLE_A}, ()),
    (
        {
            **BASE,
            "ALIBABA_CLOUD_ROLE_ARN": ROLE_A,
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "p",
            "ALIBABA_CLOUD_OIDC_TOKEN_FILE": "t",
            "ALIBABA_CLOUD_PROFILE": "",
        },
        (
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
            "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
            "ALIBABA_CLOUD_ROLE_ARN",
        ),
    ),
    (
        {
            "ALIBABA_CLOUD_ECS_METADATA": "role",
            "ALIBABA_CLOUD_ROLE_ARN": ROLE_A,
            "ALIBABA_CLOUD_SECURITY_TOKEN": "t",
            "ALIBABA_CLOUD_PROFILE": "p",
        },
        ("ALIBABA_CLOUD_SECURITY_TOKEN", "ALIBABA_CLOUD_PROFILE", "ALIBABA_CLOUD_ROLE_ARN"),
    ),
    (
        {
            "ALIBABA_CLOUD_CREDENTIALS_URI": "https://h/",
            "ALIBABA_CLOUD_ECS_METADATA": "role",
        },
        ("ALIBABA_CLOUD_ECS_METADATA",),
    ),
]


@pytest.mark.parametrize(("environ", "ignored"), IGNORED)
def test_variables_of_other_sources_are_known_as_ignored(
    environ: dict[str, str], ignored: tuple[str, ...]
) -> None:
    providers = Providers(environ)
    assert providers.get(None).ignored == ignored
    role = CredentialsConfig.model_validate({"role_arn": ROLE_B})
    assert providers.get(role).ignored == ignored
    own = CredentialsConfig.model_validate({"access_key_id": "i", "access_key_secret": "s"})
    assert providers.get(own).ignored == ()


def test_roles_on_roles_are_listed_in_order() -> None:
    environ = {**BASE, "ALIBABA_CLOUD_ROLE_ARN": ROLE_A}
    found = Providers(environ).get(CredentialsConfig.model_validate({"role_arn": ROLE_B}))
    assert found.assumed == (ROLE_A, ROLE_B)
    assert found.description == (
        f"RAM role {ROLE_B} at https://sts.aliyuncs.com, assumed with the key"
        f" from the environment: RAM role {ROLE_A} at https://sts.aliyuncs.com"
    )


def test_equal_sections_share_one_provider() -> None:
    providers = Providers(BASE)
    sections = [CredentialsConfig.model_validate({"role_arn": ROLE_A}) for _ in range(2)]
    first, second = (providers.get(section).provider for section in sections)
    assert first is second
    assert providers.get(None).provider is providers.get(None).provider
