"""Requests to each source of temporary credentials, and the handling of its responses."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.base.clock import Clock
from tests.support.credential_servers import (
    ECS_ROLE,
    HELPER_TARGET,
    METADATA_TOKEN,
    OIDC_TOKEN,
    PROVIDER_ARN,
    ROLE_ARN,
    SECRET,
    Helper,
    Metadata,
    Reply,
    Sts,
    issued,
    reply,
    serving,
)
from tests.support.held_clock import HeldClock
from tests.support.providers import failure_of, provider

NOW = 1_700_000_000.0


@pytest.fixture
def clock() -> Clock:
    return HeldClock(NOW).clock


@pytest.fixture
def sts(clock: Clock) -> Iterator[Sts]:
    with serving(Sts(wall=clock.wall)) as made:
        yield made


@pytest.fixture
def metadata(clock: Clock) -> Iterator[Metadata]:
    with serving(Metadata(wall=clock.wall)) as made:
        yield made


@pytest.fixture
def helper(clock: Clock) -> Iterator[Helper]:
    with serving(Helper(wall=clock.wall)) as made:
        yield made


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{OIDC_TOKEN}\n")
    return path


def test_a_pod_gets_its_role_for_its_token(sts: Sts, token_file: Path, clock: Clock) -> None:
    assert provider(None, sts.environ(token_file), clock=clock)() == issued(1)
    [asked] = sts.asked
    assert asked.query == {
        "Action": "AssumeRoleWithOIDC",
        "Format": "JSON",
        "Version": "2015-04-01",
        "Timestamp": "2023-11-14T22:13:20Z",
    }
    assert asked.form == {
        "RoleArn": ROLE_ARN,
        "OIDCProviderArn": PROVIDER_ARN,
        "OIDCToken": OIDC_TOKEN,
        "RoleSessionName": "sls-exporter",
        "DurationSeconds": "3600",
    }
    assert "authorization" not in asked.headers
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["host"] == sts.url.removeprefix("http://")


def test_the_session_of_a_pod_has_the_name_from_the_environment(
    sts: Sts, token_file: Path, clock: Clock
) -> None:
    environ = {**sts.environ(token_file), "ALIBABA_CLOUD_ROLE_SESSION_NAME": "blue"}
    provider(None, environ, clock=clock)()
    assert sts.asked[0].form["RoleSessionName"] == "blue"


def test_the_token_of_a_pod_is_read_again_for_each_fetch(sts: Sts, token_file: Path) -> None:
    held = HeldClock(NOW)
    credentials = provider(None, sts.environ(token_file), clock=held.clock)
    credentials()
    sts.token = f"{SECRET}.rotated"
    token_file.write_text(sts.token)
    held.advance(3600)
    sts.wall = held.wall
    assert credentials() == issued(2)


def test_the_token_of_a_pod_may_appear_later(sts: Sts, token_file: Path, tmp_path: Path) -> None:
    held = HeldClock(NOW)
    credentials = provider(None, sts.environ(tmp_path / "later"), clock=held.clock)
    assert failure_of(credentials) == (
        f"OIDC role {ROLE_ARN} at {sts.url}: cannot read {tmp_path}/later:"
        " No such file or directory"
    )
    token_file.rename(tmp_path / "later")
    held.advance(2)
    assert credentials() == issued(1)


def test_an_error_of_sts_is_reported_without_the_token(
    sts: Sts, token_file: Path, clock: Clock
) -> None:
    token_file.write_text(OIDC_TOKEN.replace("eyJ", "eyK"))
    assert failure_of(provider(None, sts.environ(token_file), clock=clock)) == (
        f"OIDC role {ROLE_ARN} at {sts.url}: refused with status 400,"
        " AuthenticationFail.OIDCToken.Invalid: The OIDC token … is not valid."
        " (request id 6894B13B-6D71)"
    )


def test_a_response_of_sts_without_credentials_is_reported(
    sts: Sts, token_file: Path, clock: Clock
) -> None:
    sts.refusal = reply({"RequestId": "1"})
    message = failure_of(provider(None, sts.environ(token_file), clock=clock))
    assert message.endswith(": the response contains no credentials")


def test_a_provider_that_sts_does_not_know_is_named(
    sts: Sts, token_file: Path, clock: Clock
) -> None:
    other = "acs:ram::1234567890123456:oidc-provider/ack-rrsa-cfedcba9876543210fedcba9876543210"
    environ = {**sts.environ(token_file), "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": other}
    assert f"The OIDC provider {other} does not exist." in failure_of(
        provider(None, environ, clock=clock)
    )


def test_the_role_of_an_instance_is_requested_with_a_token(
    metadata: Metadata, clock: Clock
) -> None:
    metadata.tokens = "required"
    assert provider(None, metadata.environ(), clock=clock)() == issued(1)
    first, second = metadata.asked
    assert (first.method, first.path) == ("PUT", "/latest/api/token")
    assert first.headers["x-aliyun-ecs-metadata-token-ttl-seconds"] == "60"
    path = f"/latest/meta-data/ram/security-credentials/{ECS_ROLE}"
    assert (second.method, second.path) == ("GET", path)
    assert second.headers["x-aliyun-ecs-metadata-token"] == METADATA_TOKEN


def test_requests_to_an_instance_without_token_support_have_no_token(
    metadata: Metadata, clock: Clock
) -> None:
    metadata.tokens = "unknown"
    assert provider(None, metadata.environ(), clock=clock)() == issued(1)
    assert "x-aliyun-ecs-metadata-token" not in metadata.asked[1].headers


def test_requests_in_a_container_that_cannot_get_a_token_have_no_token(
    metadata: Metadata, clock: Clock
) -> None:
    metadata.tokens = "lost"
    assert provider(None, metadata.environ(), clock=clock)() == issued(1)


def test_requests_to_an_instance_without_a_token_can_be_disabled(
    metadata: Metadata, clock: Clock
) -> None:
    metadata.tokens = "unknown"
    environ = {**metadata.environ(), "ALIBABA_CLOUD_IMDSV1_DISABLED": "true"}
    assert failure_of(provider(None, environ, clock=clock)) == (
        f"ECS RAM role {ECS_ROLE}: expected a token of the metadata service, got status 404"
    )
    assert [asked.method for asked in metadata.asked] == ["PUT"]


def test_a_role_that_the_instance_does_not_have_is_reported(
    metadata: Metadata, clock: Clock
) -> None:
    environ = {**metadata.environ(), "ALIBABA_CLOUD_ECS_METADATA": "other"}
    assert failure_of(provider(None, environ, clock=clock)) == (
        "ECS RAM role other: no role other is attached to this instance"
    )


def test_requests_to_a_credentials_uri_contain_its_query(helper: Helper, clock: Clock) -> None:
    assert provider(None, helper.environ(), clock=clock)() == issued(1)
    [asked] = helper.asked
    assert (asked.method, asked.path) == ("GET", "/credentials")
    assert asked.query == {"key": f"{SECRET}-query"}


def test_a_refusal_by_a_credentials_uri_is_reported_without_its_query(
    helper: Helper, clock: Clock
) -> None:
    environ = {"ALIBABA_CLOUD_CREDENTIALS_URI": f"{helper.url}/other?key={SECRET}-query"}
    assert failure_of(provider(None, environ, clock=clock)) == (
        f"credentials URI at {helper.url}: refused with status 403, Failed"
    )
    assert HELPER_TARGET not in repr(provider(None, environ))


def good(**changes: object) -> dict[str, object]:
    fields: dict[str, object] = {
        "Code": "Success",
        "AccessKeyId": "STS.1",
        "AccessKeySecret": f"{SECRET}-secret",
        "SecurityToken": f"{SECRET}-token",
        "Expiration": "2023-11-14T23:13:20Z",
    }
    return fields | changes


ODD_ANSWERS: list[tuple[Reply, str]] = [
    (reply(good(AccessKeyId=None)), "the response's AccessKeyId is missing or is not a key"),
    (reply(good(AccessKeySecret=7)), "the response's AccessKeySecret is missing or is not a key"),
    (reply(good(SecurityToken="")), "the response's SecurityToken is missing or is not a key"),
    (
        reply(good(SecurityToken=f"{SECRET}\r\nx-evil: 1")),
        "the response's SecurityToken is missing or is not a key",
    ),
    (reply(good(Expiration="soon")), "the response's Expiration is missing or is not a time"),
    (reply(good(Expiration=17e8)), "the response's Expiration is missing or is not a time"),
    (
        reply(good(Expiration="2023-11-14T22:13:19Z")),
        "those it gave expired at 2023-11-14T22:13:19Z; is this machine's clock right?",
    ),
    (
        reply(good(Expiration="0001-01-01T00:00:00+23:00")),
        "those it gave expired at -62135679600.0; is this machine's clock right?",
    ),
    (reply(good(Code="Failed")), "the response does not report success, Failed"),
    (reply(good(Code=f"{SECRET} {SECRET}")), "the response does not report success"),
    (Reply(body=b'{"Credentials": 1'), "the response is not a JSON object"),
    (Reply(body=b"<html>hunter2</html>"), "the response is not a JSON object"),
    (Reply(body=b""), "the response is not a JSON object"),
    (Reply(body=b"[" * 60_000), "the response is not a JSON object"),
    (Reply(body=json.dumps([good()]).encode()), "the response is not a JSON object"),
    (Reply(body=b"\xff" * 100), "the response is not a JSON object"),
    (Reply(status=302, body=b""), "refused with status 302"),
    (Reply(status=502, body=b"<html>hunter2</html>"), "refused with status 502"),
]


@pytest.mark.parametrize(("answer", "message"), ODD_ANSWERS)
def test_a_nonsensical_response_is_reported_without_secrets(
    helper: Helper, clock: Clock, answer: Reply, message: str
) -> None:
    helper.refusal = answer
    assert failure_of(provider(None, helper.environ(), clock=clock)) == (
        f"credentials URI at {helper.url}: {message}"
    )


@pytest.mark.parametrize(
    "expiration",
    [
        "2023-11-14T23:13:20Z",
        "2023-11-14T23:13:20.5+00:00",
        "2023-11-14T23:13:20",
        "9999-12-31T23:59:59-23:00",
    ],
)
def test_times_are_read_in_every_usual_form(helper: Helper, clock: Clock, expiration: str) -> None:
    helper.refusal = reply(good(Expiration=expiration))
    credentials = provider(None, helper.environ(), clock=clock)
    assert credentials().access_key_id == "STS.1"


def unreachable(url: str) -> dict[str, dict[str, str]]:
    return {
        "oidc": {
            "ALIBABA_CLOUD_ROLE_ARN": ROLE_ARN,
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": PROVIDER_ARN,
            "ALIBABA_CLOUD_OIDC_TOKEN_FILE": "/etc/hostname",
            "ALIBABA_CLOUD_STS_ENDPOINT": url,
        },
        "uri": {"ALIBABA_CLOUD_CREDENTIALS_URI": f"{url}/?key={SECRET}"},
        "ecs": {
            "ALIBABA_CLOUD_ECS_METADATA": ECS_ROLE,
            "ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT": url,
        },
    }


@pytest.mark.parametrize("kind", ["oidc", "uri", "ecs"])
def test_a_source_that_is_down_at_the_start_does_not_make_the_configuration_invalid(
    kind: str, clock: Clock
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    credentials = provider(None, unreachable(url)[kind], clock=clock)
    assert failure_of(credentials).endswith(
        f"{url}: ConnectionRefusedError: [Errno 111] Connection refused"
    )
