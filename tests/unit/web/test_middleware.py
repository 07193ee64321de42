import base64
import http.client
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bcrypt
import pytest

from exporter.base.clock import Clock
from exporter.web.config_schema import RateLimitConfig
from exporter.web.middleware import TokenBucket
from tests.support.web_server import METRICS, Faults, fetch, serving
from tests.support.web_tls import hashed

RIGHT = "right"
PATHS = ["/metrics", "/", "/api/v1/groups", "/-/healthy", "/-/ready", "/nothing"]


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def with_user(path: Path, password: str = RIGHT) -> Path:
    file = path / "web.yml"
    file.write_text(f"basic_auth_users: {{alice: '{hashed(password)}'}}")
    return file


@pytest.mark.parametrize("path", PATHS)
def test_every_path_asks_for_a_password(tmp_path: Path, path: str) -> None:
    with serving(web_config_file=with_user(tmp_path)) as port:
        answer = fetch(port, path)
        allowed = fetch(port, path, headers=basic("alice", "right"))
    assert (answer.status, answer.text) == (401, "Unauthorized\n")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="sls-exporter"'
    assert allowed.status == (404 if path == "/nothing" else 200)


@pytest.mark.parametrize(
    "headers",
    [
        basic("alice", "wrong"),
        basic("alice", ""),
        basic("bob", "right"),
        basic("", ""),
        basic("alice", "right\0"),
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + base64.b64encode(b"alice").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"\xff:\xff").decode()},
        {"Authorization": "Bearer right"},
    ],
    ids=range(10),
)
def test_wrong_credentials_are_refused_again_and_again(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    faults = Faults()
    with serving(web_config_file=with_user(tmp_path), faults=faults) as port:
        assert [fetch(port, "/metrics", headers=headers).status for _ in range(2)] == [401, 401]
    assert faults.seen == []


def test_two_authorization_headers_are_refused(tmp_path: Path) -> None:
    with serving(web_config_file=with_user(tmp_path)) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.putrequest("GET", "/metrics")
        for _ in range(2):
            connection.putheader("Authorization", basic("alice", "right")["Authorization"])
        connection.endheaders()
        assert connection.getresponse().status == 401
        connection.close()


def test_hashes_made_by_htpasswd_are_understood(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text(f"basic_auth_users: {{alice: '{hashed('right').replace('$2b$', '$2y$')}'}}")
    with serving(web_config_file=file) as port:
        assert fetch(port, "/metrics", headers=basic("alice", "right")).status == 200


def test_only_the_first_72_bytes_of_a_password_count(tmp_path: Path) -> None:
    with serving(web_config_file=with_user(tmp_path, "p" * 72)) as port:
        assert fetch(port, "/metrics", headers=basic("alice", "p" * 100)).status == 200
        assert fetch(port, "/metrics", headers=basic("alice", "p" * 71)).status == 401


def test_a_changed_user_counts_from_the_next_request_of_an_open_connection(tmp_path: Path) -> None:
    with serving(web_config_file=with_user(tmp_path, "old")) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

        def ask(password: str) -> int:
            connection.request("GET", "/metrics", headers=basic("alice", password))
            response = connection.getresponse()
            response.read()
            return response.status

        assert [ask("old"), ask("new")] == [200, 401]
        with_user(tmp_path, "new")
        assert [ask("old"), ask("new")] == [401, 200]
        connection.close()


def test_users_stay_when_the_file_is_emptied_or_broken(tmp_path: Path) -> None:
    faults = Faults()
    file = with_user(tmp_path)
    with serving(web_config_file=file, faults=faults) as port:
        for text in ("", "basic_auth_users: {alice: right}"):
            file.write_text(text)
            assert fetch(port, "/metrics").status == 401
            assert fetch(port, "/metrics", headers=basic("alice", "right")).status == 200
        file.unlink()
        assert fetch(port, "/metrics").status == 401
    assert len(faults.seen) == 3
    assert "right" not in str(faults.seen[1][1])


def test_an_unknown_user_costs_as_much_time_as_a_known_one(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    dear = bcrypt.hashpw(b"right", bcrypt.gensalt(11)).decode()
    file.write_text(f"basic_auth_users: {{alice: '{dear}'}}")
    took: dict[str, list[float]] = {"alice": [], "bob": []}
    with serving(web_config_file=file) as port:
        for number in range(4):
            for user, times in took.items():
                start = time.perf_counter()
                assert fetch(port, "/metrics", headers=basic(user, str(number))).status == 401
                times.append(time.perf_counter() - start)
    # A request without bcrypt takes about a hundredth of one with it.
    assert min(took["bob"]) > min(took["alice"]) / 4


def test_request_with_a_known_password_is_served_while_others_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    dear = bcrypt.hashpw(b"right", bcrypt.gensalt(11)).decode()
    file.write_text(f"basic_auth_users: {{alice: '{dear}'}}")
    stop = threading.Event()

    def guess(port: int, first: int) -> None:
        number = first
        while not stop.is_set():
            fetch(port, "/metrics", headers=basic("alice", str(number)), timeout=60)
            number += 100

    with serving(web_config_file=file) as port, ThreadPoolExecutor(10) as pool:
        assert fetch(port, "/metrics", headers=basic("alice", "right")).status == 200
        guesses = [pool.submit(guess, port, first) for first in range(10)]
        start = time.monotonic()
        answers = [fetch(port, "/metrics", headers=basic("alice", "right")) for _ in range(5)]
        took = time.monotonic() - start
        stop.set()
        for each in guesses:
            each.result(60)
    assert [answer.body for answer in answers] == [METRICS] * 5
    assert took < 2.0


def test_configured_headers_are_on_every_response_and_take_precedence(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text(
        "http_server_config: {headers: {X-Frame-Options: sameorigin, "
        "Content-Security-Policy: default-src 'self'}}"
    )
    with serving(web_config_file=file) as port:
        for path in PATHS:
            answer = fetch(port, path)
            assert answer.headers.get_all("X-Frame-Options") == ["sameorigin"]
            assert answer.headers.get_all("Content-Security-Policy") == ["default-src 'self'"]


def test_configured_headers_are_on_a_refusal_too(tmp_path: Path) -> None:
    file = with_user(tmp_path)
    with file.open("a") as added:
        added.write("\nhttp_server_config: {headers: {X-XSS-Protection: 1}}")
    with serving(web_config_file=file) as port:
        answer = fetch(port, "/metrics")
    assert (answer.status, answer.headers["X-XSS-Protection"]) == (401, "1")


def test_requests_above_the_rate_are_refused_until_time_passes(tmp_path: Path) -> None:
    now = [0.0]
    file = tmp_path / "web.yml"
    file.write_text("rate_limit: {interval: 10s, burst: 2}")
    clock = Clock(wall=lambda: 0.0, monotonic=lambda: now[0])
    with serving(web_config_file=file, clock=clock) as port:
        refused = [fetch(port, "/-/healthy") for _ in range(3)][2]
        now[0] = 10.0
        later = [fetch(port, "/-/healthy").status for _ in range(2)]
    assert (refused.status, refused.text) == (429, "Too Many Requests\n")
    assert later == [200, 429]


def test_a_bucket_keeps_no_more_than_its_burst() -> None:
    now = [0.0]
    bucket = TokenBucket(RateLimitConfig.model_construct(interval=1.0, burst=2), lambda: now[0])
    now[0] = 100.0
    assert [bucket.take() for _ in range(3)] == [True, True, False]


def test_a_burst_of_zero_refuses_everything(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text("rate_limit: {interval: 1s, burst: 0}")
    with serving(web_config_file=file) as port:
        assert fetch(port, "/metrics").status == 429
