"""Every source of access keys in the real commands: it works, recovers, and shows no secret."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.model.credentials import Credentials
from exporter.simulator.wire import Response, json_response
from exporter.simulator.world import World
from tests.support.commands import run
from tests.support.credential_servers import (
    ASSUMED_ROLE,
    HELPER_TARGET,
    METADATA_TOKEN,
    OIDC_TOKEN,
    ROLE_ARN,
    SECRET,
    AssumeRoleSts,
    Helper,
    Metadata,
    StandIn,
    Sts,
    issued,
    reply,
    serving,
)
from tests.support.daemon import daemon
from tests.support.faults import Echo
from tests.support.faulty_simulator import FaultySimulator
from tests.support.misbehaving import proxy
from tests.support.wait import wait_for

LISTEN = "--web.listen-address=127.0.0.1:0"
STATIC = Credentials(access_key_id="id", access_key_secret=f"{SECRET}-static")
TEMPORARY = Credentials(
    access_key_id="id", access_key_secret=f"{SECRET}-static", security_token=f"{SECRET}-sts"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A configuration that polls two projects of a simulator."""

    config: Path
    simulator: FaultySimulator


@contextmanager
def place(folder: Path, *keys: Credentials, extra: str = "") -> Iterator[Place]:
    world = World(wall=time.time)
    for project in ("shop", "bank"):
        world.create_project(project)
        world.create_logstore(project, "orders", shards=1)
        world.create_group(project, "orders", "billing")
    with FaultySimulator(world, credentials=keys) as simulator:
        projects = "".join(
            f"  - project: {project}\n    endpoint: {simulator.endpoint}\n    logstores:\n"
            "      - {logstore: orders, consumer_groups: [billing]}\n"
            for project in ("shop", "bank")
        )
        path = folder / "config.yaml"
        path.write_text(
            f"{extra}polling: {{interval: 1s, requests_per_second: 100}}\nprojects:\n{projects}"
        )
        yield Place(config=path, simulator=simulator)


def everything_written(
    found: Place, environ: dict[str, str], *, recover: Callable[[], None]
) -> str:
    """Run check, once, doctor and the daemon, which must recover. Return all of their output."""
    config = f"--config.file={found.config}"
    check = run("check", config, environ=environ)
    assert check.status == 0, check.stderr
    once = run("once", config, "--log.level=debug", environ=environ)
    assert once.status == 1, "the keys are not good yet"
    doctor = run("doctor", config, "--log.level=debug", environ=environ)
    assert doctor.status == 1, "the keys are not good yet"
    with daemon(config, LISTEN, "--log.level=debug", environ=environ) as exporter:
        wait_for(lambda: exporter.scrape().find("sls_exporter_poll_errors_total"))
        pages = [exporter.get(path).text for path in ("/", "/api/v1/groups", "/metrics")]
        recover()
        wait_for(
            lambda: (
                [found.value for found in exporter.scrape().find("sls_consumer_group_up")]
                == [1.0, 1.0]
            ),
            timeout=20,
        )
        pages += [exporter.get(path).text for path in ("/", "/api/v1/groups", "/metrics")]
        assert exporter.stop() == 0
    shown = [each for done in (check, once, doctor) for each in (done.stdout, done.stderr)]
    return "".join([*shown, exporter.log, *pages, *exporter.stdout])


@pytest.mark.parametrize("keys", [STATIC, TEMPORARY])
def test_keys_of_the_environment_are_never_shown(tmp_path: Path, keys: Credentials) -> None:
    environ = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": keys.access_key_id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": keys.access_key_secret,
        "ALIBABA_CLOUD_SECURITY_TOKEN": keys.security_token or "",
    }
    with place(tmp_path, issued(9)) as found:
        written = everything_written(
            found, environ, recover=lambda: found.simulator.accept_credentials([keys])
        )
    assert "AccessKeyId not found" in written
    assert SECRET not in written


def test_keys_of_files_are_never_shown(tmp_path: Path) -> None:
    for name, content in (("id", "id"), ("secret", f"{SECRET}-old"), ("token", f"{SECRET}-old")):
        (tmp_path / name).write_text(content)
    extra = (
        "credentials: {access_key_id_file: id, access_key_secret_file: secret,"
        " security_token_file: token}\n"
    )

    def rotate() -> None:
        (tmp_path / "secret").write_text(TEMPORARY.access_key_secret)
        (tmp_path / "token").write_text(TEMPORARY.security_token or "")

    with place(tmp_path, TEMPORARY, extra=extra) as found:
        written = everything_written(found, {}, recover=rotate)
    assert f"{tmp_path}/secret" in written
    assert SECRET not in written


def test_keys_of_a_profile_are_never_shown(tmp_path: Path) -> None:
    profile = tmp_path / "credentials.ini"
    text = f"[default]\ntype = access_key\naccess_key_id = id\naccess_key_secret = {SECRET}-static"
    profile.write_text(f"{text}-old\n")
    environ = {"ALIBABA_CLOUD_CREDENTIALS_FILE": str(profile)}

    def rotate() -> None:
        profile.write_text(f"{text}\n")

    with place(tmp_path, STATIC) as found:
        written = everything_written(found, environ, recover=rotate)
    assert SECRET not in written


def repeating(keys: Credentials) -> Echo:
    """Return a refusal that repeats every secret of a request, also as a code."""

    def refuse(headers: Mapping[str, str]) -> Response:
        document = {
            "errorCode": f"{keys.access_key_secret}",
            "errorMessage": f"AccessKeyId not found {keys.access_key_secret}: {dict(headers)}",
        }
        request_id = headers.get("x-acs-security-token", keys.access_key_secret)
        return json_response(401, document, {"x-log-requestid": request_id})

    return Echo(make=refuse)


@pytest.mark.parametrize("keys", [STATIC, TEMPORARY])
def test_keys_that_the_service_repeats_are_never_shown(tmp_path: Path, keys: Credentials) -> None:
    environ = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": keys.access_key_id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": keys.access_key_secret,
        "ALIBABA_CLOUD_SECURITY_TOKEN": keys.security_token or "",
    }
    with place(tmp_path, keys) as found:
        found.simulator.faults.add(repeating(keys))
        written = everything_written(found, environ, recover=found.simulator.faults.clear)
    assert "AccessKeyId not found …" in written
    assert 'code="other"' in written
    assert SECRET not in written


def test_keys_under_a_wrong_key_of_the_configuration_are_never_shown(tmp_path: Path) -> None:
    environ = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": STATIC.access_key_id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": STATIC.access_key_secret,
    }
    with place(tmp_path, STATIC) as found:
        text = found.config.read_text().replace("project: shop", "project: ${KEY}")
        found.config.write_text(f"{text}stall_after: {STATIC.access_key_secret}\n")
        for command in ("check", "once", "doctor", "run"):
            done = run(
                *(command, f"--config.file={found.config}"),
                environ=environ | {"KEY": STATIC.access_key_secret},
            )
            assert done.status == 1
            assert "projects[0].project: contains a secret" in done.stderr
            assert "stall_after: contains a secret" in done.stderr
            assert SECRET not in done.stdout + done.stderr
        assert found.simulator.requests == []


def blabbing(stand_in: StandIn) -> None:
    """Let a fake source refuse with every secret that it knows."""
    secrets = [OIDC_TOKEN, METADATA_TOKEN, HELPER_TARGET, f"{SECRET}-token-1", f"{SECRET}-base"]
    message = f"{OIDC_TOKEN} {SECRET}-base" if isinstance(stand_in, AssumeRoleSts) else OIDC_TOKEN
    stand_in.refusal = reply({"Code": "Nope", "Message": message, "Secrets": secrets}, 403)


def source(kind: str, folder: Path) -> tuple[StandIn, Callable[[], dict[str, str]], str]:
    """Return a fake source, the environment that names it, and its description by check."""
    if kind == "oidc":
        (folder / "token").write_text(OIDC_TOKEN)
        sts = Sts()
        return sts, lambda: sts.environ(folder / "token"), f"OIDC role {ROLE_ARN}"
    if kind == "ecs":
        metadata = Metadata()
        return metadata, metadata.environ, "ECS RAM role sls-exporter-ecs"
    if kind == "role":
        roles = AssumeRoleSts()
        return (
            roles,
            lambda: environ_of_role(roles),
            f"RAM role {ASSUMED_ROLE} at http://127.0.0.1:",
        )
    helper = Helper()
    return helper, helper.environ, "credentials URI at http://127.0.0.1:"


def environ_of_role(sts: AssumeRoleSts) -> dict[str, str]:
    """Return an access key and a role that it may assume."""
    [key] = sts.keys.values()
    return {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": key.access_key_id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": key.access_key_secret,
        "ALIBABA_CLOUD_ROLE_ARN": ASSUMED_ROLE,
        "ALIBABA_CLOUD_STS_ENDPOINT": sts.url,
    }


@pytest.mark.parametrize("kind", ["oidc", "ecs", "uri", "role"])
def test_temporary_keys_are_never_shown_and_one_fetch_serves_all_projects(
    tmp_path: Path, kind: str
) -> None:
    stand_in, environ, description = source(kind, tmp_path)
    with serving(stand_in), place(tmp_path, issued(1)) as found, proxy() as between:
        blabbing(stand_in)
        through = f"http://127.0.0.1:{between.port}"
        proxies = {"HTTP_PROXY": through, "http_proxy": through, "HTTPS_PROXY": through}

        def recover() -> None:
            stand_in.refusal = None

        written = everything_written(found, environ() | proxies, recover=recover)
        assert stand_in.given == 1
        assert between.asked == []
    assert f"credentials: from the environment: {description}" in written
    assert 'code="credentials"' in written
    assert "credentials cannot be fetched" in written
    assert "credentials fetched" in written
    assert SECRET not in written


def test_a_source_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    helper = Helper()
    with serving(helper), place(tmp_path, issued(1)) as found:
        helper.gate.clear()
        arguments = (f"--config.file={found.config}", LISTEN)
        with daemon(*arguments, environ=helper.environ()) as exporter:
            wait_for(lambda: helper.asked, what="the first fetch")
            assert exporter.stop(within=8.0) == 0
    assert "Traceback" not in exporter.log


def test_external_id_and_profile_of_roles_are_never_shown(tmp_path: Path) -> None:
    profiles = tmp_path / ".aliyun/config.json"
    profiles.parent.mkdir()
    sts = AssumeRoleSts(external_ids={ASSUMED_ROLE: f"{SECRET}-external"})
    [key] = sts.keys.values()
    fields = {"access_key_id": "id", "access_key_secret": key.access_key_secret}
    profiles.write_text(json.dumps({"profiles": [{"name": "hub", "mode": "AK", **fields}]}))
    with serving(sts):
        extra = (
            f"credentials: {{profile: hub, role_arn: '{ASSUMED_ROLE}', sts_endpoint: '{sts.url}',"
            f" external_id: {SECRET}-external}}\n"
        )
        sts.external_ids = {ASSUMED_ROLE: f"{SECRET}-new"}

        def recover() -> None:
            sts.external_ids = {ASSUMED_ROLE: f"{SECRET}-external"}

        with place(tmp_path, issued(1), extra=extra) as found:
            written = everything_written(found, {"HOME": str(tmp_path)}, recover=recover)
    assert "NoPermission: You are not authorized to do this action with …." in written
    assert f"assumed with the key from the profile hub in {profiles}" in written
    assert SECRET not in written
