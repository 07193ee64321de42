"""The steps to the service and in it: each one fails in turn, with its remedy."""

import json
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from exporter.base.clock import SYSTEM_CLOCK, Clock
from exporter.commands.doctor.findings import Examined, Finding, exit_status
from exporter.model.credentials import Credentials
from exporter.sls.errors import Cancelled
from exporter.sls.operations import OPERATIONS
from tests.support.certificates import authority_file, loopback_tls, server_tls
from tests.support.credential_servers import Helper, serving
from tests.support.doctor import (
    ALIVE,
    LOGSTORE,
    PROJECT,
    config_text,
    examined,
    findings,
    observable_world,
    session_of,
    with_result,
)
from tests.support.fault_proxy import Certificate, Connecting, Fault, fault_proxy
from tests.support.faults import Body, ErrorAnswer, Hang, Html, WrongTime
from tests.support.faulty_simulator import FaultySimulator
from tests.support.held_clock import HeldClock
from tests.support.misbehaving import always, answer, misbehaving, proxy
from tests.support.wait import wait_for

OTHER_KEY = "credentials: {access_key_id: other-key, access_key_secret: simulator-secret}\n"
OTHER_SECRET = "credentials: {access_key_id: simulator-key, access_key_secret: other-secret}\n"
SLOW = 60.0  # seconds within which a step of another thread happens on a busy machine


@dataclass(frozen=True)
class Scene:
    """A simulator of the observable world."""

    held: HeldClock
    simulator: FaultySimulator

    @property
    def port(self) -> int:
        return int(self.simulator.endpoint.rpartition(":")[2])

    def run(self, text: str = "", *, environ: Mapping[str, str] | None = None) -> list[Examined]:
        text = text or config_text(self.simulator.endpoint)
        return examined(session_of(text, self.held.clock, environ=environ))


@pytest.fixture
def scene() -> Iterator[Scene]:
    held, world = observable_world()
    with FaultySimulator(world) as simulator:
        yield Scene(held, simulator)


class Authority:
    """An authority with its file, and certificates from it and from others."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.file = authority_file(folder, self._ca)

    @property
    def http(self) -> str:
        """The section of a configuration that trusts the authority."""
        return f"http: {{ca_file: {self.file}, proxy_from_environment: true}}\n"

    def certificates(self) -> dict[Certificate, ssl.SSLContext]:
        return {
            "good": self.context(days=90),
            "expired": self.context(days=-1),
            "another name": server_tls(self._ca.issue_cert("127.0.0.2", "elsewhere.example")),
            "unknown authority": loopback_tls(trustme.CA()),
        }

    def context(self, *, days: float) -> ssl.SSLContext:
        now = datetime.now(UTC)
        return server_tls(
            self._ca.issue_cert(
                "127.0.0.1",
                not_before=now - timedelta(days=99),
                not_after=now + timedelta(days=days, hours=1),
            )
        )


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def only_failure(found: list[Examined]) -> Finding:
    """Return the finding that ended an examination, and check that nothing follows it."""
    assert exit_status(found) == 1
    (only,) = found
    assert only.findings[-1].result == "skipped"
    (failed,) = [finding for finding in only.findings if finding.result == "failed"]
    return failed


# The network


def test_every_step_succeeds_on_the_simulator(scene: Scene) -> None:
    found = scene.run()
    names = [finding.step for finding in found[0].findings]
    assert names == [
        *("keys", "route", "dns", "connect", "tls", "clock", "signature"),
        *("ListConsumerGroup", "selection", "rate", "cost"),
    ]
    assert {finding.result for finding in found[0].findings} == {"ok"}
    assert findings(found)["tls"].seen == "no TLS, on this machine only"
    assert findings(found)["selection"].seen == "1 of 1 matching logstores is examined"
    assert findings(found)["clock"].seen == "the clocks differ by less than a second"


def test_a_name_that_does_not_resolve_ends_the_examination() -> None:
    text = config_text("https://nowhere.invalid")
    failed = only_failure(examined(session_of(text, SYSTEM_CLOCK)))
    assert (failed.step, failed.seen) == ("dns", "the name does not resolve")
    assert "resolver" in failed.remedy


@pytest.mark.parametrize(
    ("connecting", "timeout", "expected"),
    [
        ("refused", "60s", ("connect", "Connection refused")),
        ("closed", "60s", ("tls", "")),
        ("silent", "1s", ("tls", "no response in time")),
    ],
)
def test_a_connection_that_fails_ends_the_examination(
    connecting: Connecting,
    timeout: str,
    expected: tuple[str, str],
    authority: Authority,
    scene: Scene,
) -> None:
    step, detail = expected
    with fault_proxy(scene.port, authority.certificates()) as relay:
        relay.begin(Fault(connecting=connecting))
        text = config_text(relay.endpoint, more=authority.http, timeout=timeout)
        failed = only_failure(scene.run(text))
    assert failed.step == step
    assert detail in failed.detail
    assert failed.remedy
    assert scene.simulator.requests == []


@pytest.mark.parametrize(
    ("certificate", "detail"),
    [
        ("expired", "certificate has expired"),
        ("another name", "IP address mismatch, certificate is not valid for '127.0.0.1'."),
        ("unknown authority", "unable to get local issuer certificate"),
        ("none", "wrong version number"),
    ],
)
def test_a_wrong_certificate_ends_the_examination(
    certificate: Certificate, detail: str, authority: Authority, scene: Scene
) -> None:
    with fault_proxy(scene.port, authority.certificates()) as relay:
        relay.begin(Fault(certificate=certificate))
        failed = only_failure(scene.run(config_text(relay.endpoint, more=authority.http)))
    assert failed.step == "tls"
    assert detail.lower().replace(" ", "") in failed.detail.lower().replace("_", "").replace(
        " ", ""
    )
    assert "http.ca_file" in failed.remedy
    assert scene.simulator.requests == []


@pytest.mark.parametrize(("days", "result"), [(90, "ok"), (3, "warning")])
def test_the_expiry_of_the_certificate_is_shown(
    days: int, result: str, authority: Authority, scene: Scene
) -> None:
    with fault_proxy(scene.port, {"good": authority.context(days=days)}) as relay:
        found = findings(scene.run(config_text(relay.endpoint, more=authority.http)))["tls"]
    assert found.result == result
    assert found.seen.startswith("TLSv1.3, the certificate expires in ")
    left = int(found.seen.rpartition(" ")[2].removesuffix("d"))
    assert left - days in {0, 1}  # The held clock is a few minutes behind the real one.


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_step_through_a_proxy_is_shown(
    scheme: str, monkeypatch: pytest.MonkeyPatch, authority: Authority, scene: Scene
) -> None:
    with (
        fault_proxy(scene.port, authority.certificates()) as relay,
        proxy(tls=authority.context(days=9) if scheme == "https" else None) as between,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://user:hunter2@127.0.0.1:{between.port}")
        found = scene.run(config_text(relay.endpoint, more=authority.http))
    assert with_result(found, "failed") == set()
    route = findings(found)["route"]
    assert route.seen == "through a proxy of the environment, which opens a tunnel"
    assert route.detail == f"127.0.0.1:{between.port}"
    assert findings(found)["tls"].seen.startswith("TLSv1.3, the certificate expires in 90d")


def test_a_proxy_that_opens_no_tunnel_ends_the_examination(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, scene: Scene
) -> None:
    refusal = always(answer(b"", status="407 Proxy Authentication Required"))
    with misbehaving(refusal) as between:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:hunter2@127.0.0.1:{between.port}")
        found = scene.run(config_text("https://127.0.0.1:443", more=authority.http))
    failed = only_failure(found)
    assert (failed.step, failed.detail) == ("tunnel", "proxy refused the tunnel with status 407")
    assert "hunter2" not in str(found)


def test_a_proxy_without_trusted_certificate_ends_the_examination(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, scene: Scene
) -> None:
    with proxy(tls=loopback_tls(trustme.CA())) as between:
        monkeypatch.setenv("HTTPS_PROXY", f"https://127.0.0.1:{between.port}")
        failed = only_failure(scene.run(config_text("https://127.0.0.1:443", more=authority.http)))
    assert failed.step == "proxy_tls"


def test_a_proxy_of_another_kind_ends_the_examination(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, scene: Scene
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1080")
    failed = only_failure(scene.run(config_text("https://127.0.0.1:443", more=authority.http)))
    assert (failed.step, failed.seen) == ("route", "no route is possible")
    assert "SOCKS" in failed.detail


# Keys, clock and signature


def test_missing_keys_end_the_examination_after_the_network(scene: Scene) -> None:
    failed = only_failure(scene.run(config_text(scene.simulator.endpoint, keys="")))
    assert failed.step == "keys"
    assert scene.simulator.requests == []


@pytest.mark.parametrize(
    ("lifetime", "result", "seen"),
    [
        (3600, "ok", "a temporary access key, it expires in 1h"),
        (100, "warning", "a temporary access key, it expires in 1m40s"),
    ],
)
def test_the_expiry_of_temporary_keys_is_shown(
    lifetime: float, result: str, seen: str, scene: Scene
) -> None:
    with serving(Helper(wall=scene.held.wall, lifetime=lifetime)) as helper:
        text = config_text(scene.simulator.endpoint, keys="")
        found = findings(scene.run(text, environ=helper.environ()))["keys"]
    assert (found.result, found.seen) == (result, seen)
    assert "hunter2" not in str(found)


def test_keys_that_cannot_be_fetched_end_the_examination(scene: Scene) -> None:
    with serving(Helper()) as helper:
        helper.lifetime = -1.0
        text = config_text(scene.simulator.endpoint, keys="")
        failed = only_failure(scene.run(text, environ=helper.environ()))
    assert failed.step == "keys"
    assert "expired" in failed.detail


def test_a_token_without_known_expiry_is_shown(scene: Scene) -> None:
    keys = Credentials(access_key_id="a", access_key_secret="b" * 9, security_token="c" * 9)
    scene.simulator.accept_credentials([keys])
    text = config_text(
        scene.simulator.endpoint,
        keys=(
            f"credentials: {{access_key_id: a, access_key_secret: {'b' * 9},"
            f" security_token: {'c' * 9}}}\n"
        ),
    )
    found = findings(scene.run(text))["keys"]
    assert found.seen == "a temporary access key, its expiry is not known"


@pytest.mark.parametrize(
    ("ahead", "result", "seen"),
    [
        (-100.0, "warning", "the server's clock is 99 s behind"),
        (5.0, "ok", "the server's clock is 5 s ahead"),
        (-10_000.0, "failed", "the server's clock is 9999 s behind"),
    ],
)
def test_the_difference_of_the_clocks_is_shown(
    ahead: float, result: str, seen: str, scene: Scene
) -> None:
    clock = Clock(wall=lambda: scene.held.wall() - ahead, monotonic=scene.held.monotonic)
    text = config_text(scene.simulator.endpoint)
    found = examined(session_of(text, clock))
    clock_finding = findings(found)["clock"]
    assert clock_finding.result == result
    assert clock_finding.seen.endswith(seen)
    is_refused = result == "failed"
    assert ("permissions" in findings(found)) == is_refused
    assert (exit_status(found) == 1) == is_refused


def test_a_server_time_that_is_wrong_is_not_trusted(scene: Scene) -> None:
    scene.simulator.faults.add(WrongTime(ahead=4000.0))
    found = findings(scene.run())["clock"]
    assert (found.result, found.seen) == (
        "skipped",
        "no response has a plausible time of the server",
    )


@pytest.mark.parametrize(
    ("keys", "code"), [(OTHER_SECRET, "SignatureNotMatch"), (OTHER_KEY, "Unauthorized")]
)
def test_rejected_keys_end_the_examination(keys: str, code: str, scene: Scene) -> None:
    failed = only_failure(scene.run(config_text(scene.simulator.endpoint, keys=keys)))
    assert failed.step == "signature"
    assert failed.seen == f"the service rejects the key or signature v1: {code}"
    assert failed.remedy
    assert len(scene.simulator.requests) == 1


def test_no_response_ends_the_examination(scene: Scene) -> None:
    scene.simulator.faults.add(Hang())
    found = scene.run(config_text(scene.simulator.endpoint, timeout="1s"))
    failed = only_failure(found)
    assert failed.step == "signature"
    assert failed.seen == "no response of SLS to a signed request: timeout"


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        (Html(status=200), "no response of SLS to a signed request: invalid_response"),
        (
            ErrorAnswer(status=500, code="InternalServerError"),
            "the service fails: InternalServerError",
        ),
    ],
)
def test_response_that_shows_nothing_about_the_key_ends_the_examination(
    fault: Html | ErrorAnswer, seen: str, scene: Scene
) -> None:
    scene.simulator.faults.add(fault)
    failed = only_failure(scene.run())
    assert (failed.step, failed.seen) == ("signature", seen)
    assert failed.remedy


def test_disabled_project_has_the_remedy_of_its_code(scene: Scene) -> None:
    scene.simulator.faults.add(ErrorAnswer(status=403, code="ProjectForbidden"))
    found = findings(scene.run(config_text(scene.simulator.endpoint).replace("'.*'", ALIVE)))
    assert found["signature"].result == "ok"
    assert found["GetCheckPoint"].seen == "not allowed: ProjectForbidden"
    assert "bill" in found["GetCheckPoint"].remedy


# Permissions and names


@pytest.mark.parametrize("operation", [each.name for each in OPERATIONS])
def test_each_missing_permission_is_reported_with_its_action(operation: str, scene: Scene) -> None:
    scene.simulator.deny(operation)
    (action,) = [each.action for each in OPERATIONS if each.name == operation]
    text = config_text(scene.simulator.endpoint, project="sh.*").replace(LOGSTORE, "'ord.*'")
    found = scene.run(text)
    denied = findings(found)[operation]
    assert denied.result == "failed"
    assert denied.seen == "not allowed: Unauthorized"
    assert denied.remedy == f"Allow {action} in the RAM policy of the access key."
    assert with_result(found, "failed") == {operation}
    assert findings(found)["signature"].result == "ok"
    assert with_result(found, "not held") == set()
    assert exit_status(found) == 1


def test_permissions_for_cursors_are_not_needed_without_lag(scene: Scene) -> None:
    found = scene.run(config_text(scene.simulator.endpoint, more="lag: false\n"))
    assert findings(found).keys() & {each.name for each in OPERATIONS} == {
        *("GetCheckPoint", "ListConsumerGroup"),
    }
    sent = {record.operation for record in scene.simulator.requests}
    assert sent == {"GetCheckPoint", "ListConsumerGroup"}
    assert exit_status(found) == 0


def test_an_unknown_project_ends_the_examination(scene: Scene) -> None:
    found = scene.run(config_text(scene.simulator.endpoint, project="other"))
    failed = findings(found)["selection"]
    assert (failed.result, failed.seen) == ("failed", "ProjectNotExist")
    assert len(scene.simulator.requests) == 1


def test_unknown_logstore_and_group_are_reported(scene: Scene) -> None:
    text = config_text(scene.simulator.endpoint)
    found = findings(scene.run(text.replace("'.*'", f"{ALIVE}, other")))
    assert (found["GetCheckPoint"].result, found["GetCheckPoint"].seen) == (
        "failed",
        "ConsumerGroupNotExist",
    )
    found = findings(scene.run(text.replace(LOGSTORE, "other").replace("'.*'", ALIVE)))
    assert found["ListShards"].seen == "LogStoreNotExist"
    assert found["GetCursor"].result == "skipped"


def test_a_selection_without_consumer_groups_is_a_failure(scene: Scene) -> None:
    text = config_text(scene.simulator.endpoint).replace("'.*'", "'nothing-.*'")
    found = scene.run(text)
    assert with_result(found, "failed") == {"selection"}


def test_nothing_in_the_scope_is_a_failure_without_items(scene: Scene) -> None:
    text = config_text(scene.simulator.endpoint)
    found = examined(session_of(text, scene.held.clock, logstore="other"))
    assert found == []
    assert exit_status(found) == 1


def test_only_some_of_many_logstores_are_examined(scene: Scene) -> None:
    for number in range(20):
        name = f"other-{number:02}"
        scene.simulator.world.create_logstore(PROJECT, name, shards=1)
        scene.simulator.world.create_group(PROJECT, name, ALIVE)
    found = scene.run(config_text(scene.simulator.endpoint).replace(LOGSTORE, "'.*'"))
    assert [each.item.logstore for each in found] == ["", "orders", "other-00", "other-01"]
    assert findings(found[:1])["selection"].seen == "3 of 21 matching logstores are examined"
    assert findings(found[:1])["cost"].seen.endswith(
        " for 21 logstores, if they are like the 3 examined"
    )
    assert len(scene.simulator.requests) <= 110


def test_a_pattern_of_projects_is_examined_in_its_first_project(scene: Scene) -> None:
    for name in ("sho", "shop-2"):
        scene.simulator.world.create_project(name)
    more = "exclude_projects: [sho]\n"
    found = scene.run(config_text(scene.simulator.endpoint, project="sho.*", more=more))
    assert [each.item.project for each in found] == ["shop", "shop"]
    assert findings(found)["ListProject"].result == "ok"


def test_a_refusal_for_a_quota_is_a_warning(scene: Scene) -> None:
    fault = ErrorAnswer(status=403, code="ReadQuotaExceed")
    scene.simulator.faults.add(fault, times=1, operation="GetCursor")
    found = scene.run()
    assert findings(found)["rate"].result == "warning"
    # The limit rises by 1 per second again.
    assert re.search(r"the limit is 50[0-9]{2} per second", findings(found)["rate"].seen)
    assert exit_status(found) == 0


def test_polls_that_do_not_fit_in_their_interval_are_a_warning(scene: Scene) -> None:
    text = config_text(scene.simulator.endpoint).replace(
        "requests_per_second: 10000", "requests_per_second: 10000, interval: 1s, workers: 1"
    )
    clock = scene.held.clock
    for number in range(3000):
        scene.simulator.world.create_group(PROJECT, LOGSTORE, f"group-{number:04}")
    found = findings(examined(session_of(text, clock)))["cost"]
    assert found.result == "warning"
    assert "Polls will be late or skipped." in found.detail


def test_a_page_of_a_proxy_instead_of_json_is_reported(scene: Scene) -> None:
    scene.simulator.faults.add(Html(status=200), operation="ListShards")
    found = findings(scene.run())
    assert found["ListShards"].seen == "invalid_response"
    assert (found["forms"].result, found["forms"].seen) == ("not held", "ListShards cannot be read")


def test_bodies_that_are_far_too_long_are_not_kept(scene: Scene) -> None:
    entry = {"shard": 1, "checkpoint": "", "updateTime": 0, "consumer": "w" * 200}
    long = json.dumps([entry | {"shard": number} for number in range(2000)])
    scene.simulator.faults.add(Body(text=long), operation="GetCheckPoint", consumer_group=ALIVE)
    session = session_of(config_text(scene.simulator.endpoint), scene.held.clock)
    found = findings(examined(session))
    assert max(len(each.response.body) for each in session.exchanges) < len(long) / 2
    assert found["GetCheckPoint"].result == "ok"
    assert found["unused-group"].seen == "an empty checkpoint for each shard"


def test_a_stop_ends_the_examination(scene: Scene) -> None:
    hang = scene.simulator.faults.add(Hang(), operation="GetLogStore")
    cancelled = threading.Event()
    raised: list[BaseException] = []

    def run() -> None:
        text = config_text(scene.simulator.endpoint)
        try:
            examined(session_of(text, scene.held.clock, cancelled=cancelled))
        except Cancelled as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    operations = scene.simulator
    wait_for(
        lambda: any(each.operation == "GetLogStore" for each in operations.requests), timeout=SLOW
    )
    cancelled.set()
    thread.join(SLOW)
    scene.simulator.faults.remove(hang)
    assert [type(each) for each in raised] == [Cancelled]
