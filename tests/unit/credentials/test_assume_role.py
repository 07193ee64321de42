"""Roles that another access key assumes, against a fake of STS that verifies signatures."""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.config.credentials import CredentialsConfig
from exporter.credentials.providers import Providers
from exporter.model.credentials import Credentials, Refreshable
from tests.support.credential_servers import (
    ASSUMED_ROLE,
    OIDC_TOKEN,
    ROLE_ARN,
    SECRET,
    AssumeRoleSts,
    Helper,
    Metadata,
    Reply,
    Sts,
    issued,
    reply,
    serving,
    told,
)
from tests.support.held_clock import HeldClock
from tests.support.providers import failure_of, provider
from tests.support.wait import wait_for

NOW = 1_700_000_000.0
BASE = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "id",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": f"{SECRET}-base",
}
FIRST = Credentials(
    access_key_id="STS.1",
    access_key_secret=f"{SECRET}-secret-1",
    security_token=f"{SECRET}-token-1",
)


@pytest.fixture
def held() -> HeldClock:
    return HeldClock(NOW)


@pytest.fixture
def sts(held: HeldClock) -> Iterator[AssumeRoleSts]:
    with serving(AssumeRoleSts(wall=held.wall)) as made:
        yield made


def role(sts: AssumeRoleSts, **values: object) -> CredentialsConfig:
    return CredentialsConfig.model_validate(
        {"role_arn": ASSUMED_ROLE, "sts_endpoint": sts.url, **values}
    )


def test_request_has_exactly_documented_parameters(sts: AssumeRoleSts, held: HeldClock) -> None:
    assert provider(role(sts), BASE, clock=held.clock)() == FIRST
    [asked] = sts.asked
    query = dict(asked.query)
    assert re.fullmatch(r"[0-9a-f]{32}", query.pop("SignatureNonce"))
    assert re.fullmatch(r"[A-Za-z0-9+/]{27}=", query.pop("Signature"))
    assert query == {
        "Action": "AssumeRole",
        "Version": "2015-04-01",
        "Format": "JSON",
        "RoleArn": ASSUMED_ROLE,
        "RoleSessionName": "sls-exporter",
        "DurationSeconds": "3600",
        "AccessKeyId": "id",
        "Timestamp": "2023-11-14T22:13:20Z",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
    }
    assert (asked.method, asked.path) == ("GET", "/")
    assert "authorization" not in asked.headers


@pytest.mark.parametrize("external_id", ["ab", "a+b=c,d.@:/-_~*'()!%20&=?#", "x" * 1224])
def test_external_id_and_session_name_are_sent_and_signed(
    sts: AssumeRoleSts, held: HeldClock, external_id: str
) -> None:
    sts.external_ids[ASSUMED_ROLE] = external_id
    config = role(sts, external_id=external_id, role_session_name="a@b.c-d_e")
    assert provider(config, BASE, clock=held.clock)() == FIRST
    assert sts.asked[0].query["RoleSessionName"] == "a@b.c-d_e"


def test_nonces_of_requests_differ(sts: AssumeRoleSts, held: HeldClock) -> None:
    for _ in range(3):
        provider(role(sts), BASE, clock=held.clock)()
    assert len({asked.query["SignatureNonce"] for asked in sts.asked}) == 3


def test_temporary_key_is_sent_with_its_token(sts: AssumeRoleSts, held: HeldClock) -> None:
    sts.keys["STS.x"] = Credentials(
        access_key_id="STS.x", access_key_secret="secret/+", security_token="a+token/="
    )
    config = role(
        sts, access_key_id="STS.x", access_key_secret="secret/+", security_token="a+token/="
    )
    assert provider(config, {}, clock=held.clock)() == FIRST


def test_role_of_environment_is_assumed_with_key_of_environment(
    sts: AssumeRoleSts, held: HeldClock
) -> None:
    environ = {
        **BASE,
        "ALIBABA_CLOUD_ROLE_ARN": ASSUMED_ROLE,
        "ALIBABA_CLOUD_ROLE_SESSION_NAME": "blue",
        "ALIBABA_CLOUD_STS_ENDPOINT": sts.url,
    }
    assert provider(None, environ, clock=held.clock)() == FIRST
    assert sts.asked[0].query["RoleSessionName"] == "blue"


def test_role_of_project_does_not_change_key_of_other_projects(
    sts: AssumeRoleSts, held: HeldClock
) -> None:
    providers = Providers(BASE, clock=held.clock)
    assert providers.get(role(sts)).provider() == FIRST
    assert providers.get(None).provider().access_key_id == "id"


def test_roles_share_one_fetch_of_their_source(sts: AssumeRoleSts, held: HeldClock) -> None:
    accounts = [f"acs:ram::{number}:role/reader" for number in range(10)]
    sts.external_ids = dict.fromkeys(accounts)
    with serving(Helper(wall=held.wall)) as helper:
        sts.keys = {"STS.1": issued(1)}
        providers = Providers(helper.environ(), clock=held.clock)
        found = {providers.get(role(sts, role_arn=each)).provider() for each in accounts}
        assert len(helper.asked) == 1
    assert len(found) == 10
    assert [asked.query["RoleArn"] for asked in sts.asked] == accounts
    for each in accounts:
        providers.get(role(sts, role_arn=each)).provider()
    assert len(sts.asked) == 10


def test_pod_role_assumes_another_role(sts: AssumeRoleSts, held: HeldClock, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(OIDC_TOKEN)
    sts.keys = {"STS.1": issued(1)}
    with serving(Sts(wall=held.wall)) as pods:
        environ = pods.environ(tmp_path / "token")
        assert provider(role(sts), environ, clock=held.clock)() == FIRST
        assert pods.asked[0].form["RoleArn"] == ROLE_ARN
    assert sts.asked[0].query["SecurityToken"] == issued(1).security_token


def test_ecs_role_assumes_another_role(sts: AssumeRoleSts, held: HeldClock) -> None:
    sts.keys = {"STS.1": issued(1)}
    with serving(Metadata(wall=held.wall)) as metadata:
        assert provider(role(sts), metadata.environ(), clock=held.clock)() == FIRST


def test_session_is_renewed_before_it_expires(sts: AssumeRoleSts, held: HeldClock) -> None:
    credentials = provider(role(sts), BASE, clock=held.clock)
    assert credentials() == issued(1)
    held.advance(2699)
    assert credentials() == issued(1)
    held.advance(1)
    wait_for(lambda: credentials() == issued(2))
    assert len(sts.asked) == 2


def test_session_is_used_while_its_renewal_is_throttled(
    sts: AssumeRoleSts, held: HeldClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "exporter.credentials")
    credentials = provider(role(sts), BASE, clock=held.clock)
    assert credentials() == issued(1)
    sts.refusal = reply(
        {"Code": "Throttling.User", "Message": "Request was denied due to user flow control."}, 400
    )
    held.advance(2700)
    credentials()
    wait_for(lambda: len(told(caplog)) == 1)
    for _ in range(5):
        assert credentials() == issued(1)
    assert len(sts.asked) == 2
    sts.refusal = None
    held.advance(2)
    wait_for(lambda: credentials() == issued(2))
    wait_for(lambda: len(told(caplog)) == 2)
    source = f"RAM role {ASSUMED_ROLE} at {sts.url}"
    [(level, message, fields), recovered] = told(caplog)
    assert (level, message, fields["source"]) == (
        "WARNING",
        "credentials cannot be fetched",
        source,
    )
    assert fields["error"] == (
        "refused with status 400, Throttling.User: Request was denied due to user flow control."
    )
    assert recovered[:2] == ("INFO", "credentials fetched")


@pytest.mark.parametrize("seconds", [-1000, 1000])
def test_clock_that_is_wrong_is_reported_with_remedy(
    sts: AssumeRoleSts, held: HeldClock, seconds: float
) -> None:
    sts.wall = lambda: held.wall() + seconds
    assert failure_of(provider(role(sts), BASE, clock=held.clock)) == (
        f"RAM role {ASSUMED_ROLE} at {sts.url}: refused with status 400, InvalidTimeStamp.Expired:"
        " Specified time stamp is expired. (request id 6894B13B-6D71);"
        " correct the clock of this machine"
    )


def test_role_that_does_not_trust_key_is_reported_without_external_id(
    sts: AssumeRoleSts, held: HeldClock
) -> None:
    config = role(sts, external_id=f"{SECRET}-external")
    assert failure_of(provider(config, BASE, clock=held.clock)) == (
        f"RAM role {ASSUMED_ROLE} at {sts.url}: refused with status 403, NoPermission:"
        " You are not authorized to do this action with …. (request id 6894B13B-6D71);"
        " allow the key sts:AssumeRole on the role, and let the role trust its account"
    )


def test_secret_that_sts_does_not_accept_is_reported_without_signed_text(
    sts: AssumeRoleSts, held: HeldClock
) -> None:
    environ = {**BASE, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": f"{SECRET}-wrong"}
    message = failure_of(provider(role(sts, external_id=f"{SECRET}-x"), environ, clock=held.clock))
    assert "SignatureDoesNotMatch" in message
    assert "AccessKeyId" not in message


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (reply({"RequestId": "1"}), "the response contains no credentials"),
        (Reply(body=b"<html>"), "the response is not a JSON object"),
        (Reply(status=503, body=b""), "refused with status 503"),
        (
            reply({"Code": "EntityNotExist.Role", "Message": "Gone."}, 404),
            "refused with status 404, EntityNotExist.Role: Gone.; correct the ARN of the role",
        ),
    ],
)
def test_other_responses_of_sts_are_reported(
    sts: AssumeRoleSts, held: HeldClock, answer: Reply, message: str
) -> None:
    sts.refusal = answer
    assert failure_of(provider(role(sts), BASE, clock=held.clock)) == (
        f"RAM role {ASSUMED_ROLE} at {sts.url}: {message}"
    )


def test_source_that_fails_is_reported_for_role(sts: AssumeRoleSts, held: HeldClock) -> None:
    with serving(Helper(wall=held.wall)) as helper:
        helper.refusal = Reply(status=503, body=b"")
        message = failure_of(provider(role(sts), helper.environ(), clock=held.clock))
        assert message == (
            f"RAM role {ASSUMED_ROLE} at {sts.url}: no key to assume it with:"
            f" credentials URI at {helper.url}: refused with status 503"
        )
    assert sts.asked == []


def test_temporary_key_that_sts_rejects_is_renewed_once(
    sts: AssumeRoleSts, held: HeldClock
) -> None:
    sts.keys = {"STS.1": issued(1)}
    with serving(Helper(wall=held.wall)) as helper:
        credentials = provider(role(sts), helper.environ(), clock=held.clock)
        assert credentials() == issued(1)
        held.advance(60)
        sts.keys = {"STS.2": issued(2)}
        assert isinstance(credentials, Refreshable)
        assert credentials.refresh(issued(1))
        assert len(helper.asked) == 2
        assert [asked.query["AccessKeyId"] for asked in sts.asked] == ["STS.1", "STS.1", "STS.2"]
        held.advance(60)
        sts.keys = {}
        assert not credentials.refresh(issued(2))
        assert len(helper.asked) == 3
        assert len(sts.asked) == 5


def test_rotated_key_file_is_used_for_next_session(
    sts: AssumeRoleSts, held: HeldClock, tmp_path: Path
) -> None:
    (tmp_path / "id").write_text("id")
    (tmp_path / "secret").write_text(f"{SECRET}-base")
    config = CredentialsConfig.model_validate(
        {
            "access_key_id_file": str(tmp_path / "id"),
            "access_key_secret_file": str(tmp_path / "secret"),
            "role_arn": ASSUMED_ROLE,
            "sts_endpoint": sts.url,
        }
    )
    credentials = provider(config, {}, clock=held.clock)
    assert credentials() == issued(1)
    rotated = Credentials(access_key_id="id", access_key_secret=f"{SECRET}-rotated")
    sts.keys = {"id": rotated}
    (tmp_path / "secret").write_text(rotated.access_key_secret)
    held.advance(3600)
    assert credentials() == issued(2)


def test_stop_ends_wait_for_source_of_role(sts: AssumeRoleSts, held: HeldClock) -> None:
    stop = threading.Event()
    with serving(Helper(wall=held.wall)) as helper:
        helper.gate.clear()
        providers = Providers(helper.environ(), clock=held.clock, cancelled=stop)
        errors: list[str] = []
        thread = threading.Thread(
            target=lambda: errors.append(failure_of(providers.get(role(sts)).provider))
        )
        thread.start()
        wait_for(lambda: helper.asked)
        stop.set()
        thread.join(2)
    assert len(errors) == 1


def test_description_contains_role_and_source_without_secrets(sts: AssumeRoleSts) -> None:
    config = role(sts, external_id=f"{SECRET}-external")
    found = Providers(BASE).get(config)
    assert found.description == (
        f"RAM role {ASSUMED_ROLE} at {sts.url}, assumed with the key from the environment"
    )
    assert found.assumed == (ASSUMED_ROLE,)
    assert SECRET not in f"{found!r}{config!r}{json.dumps(config.model_dump(), default=str)}"
