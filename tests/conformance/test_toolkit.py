"""The web server of exporter-toolkit and that of the exporter, on the same files and clients."""

import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.conformance.go_programs import go_program
from tests.conformance.libraries import BUILD_SECONDS
from tests.support.tls_cases import ANY_NAME, CA, TLS, Handshake, handshakes
from tests.support.toolkit_examples import DIFFERENCES, EXAMPLES, Example
from tests.support.web_peers import connect, read_to_end
from tests.support.web_server import METRICS, fetch, serving
from tests.support.web_tls import Place, new_place

pytestmark = pytest.mark.timeout(BUILD_SECONDS)

# The reasons are in the list of differences in docs/web-configuration.md.
REFUSED = {
    "tls_config_noAuth.requireanyclientcert.good.yml",
    "tls_config_noAuth.requireanyclientcertkeyinline.good.yml",
}
DIFFERENT = {
    (f"{TLS}, client_auth_type: {keys}", "a stranger's certificate")
    for keys in (
        f"RequestClientCert, {CA}, client_allowed_sans: {ANY_NAME}",
        f"RequireAnyClientCert, {CA}, client_allowed_sans: {ANY_NAME}",
        f"RequireAnyClientCert, {CA}",
    )
}
SET_HEADERS = (
    *("Strict-Transport-Security", "Content-Security-Policy", "X-XSS-Protection"),
    *("X-Frame-Options", "X-Content-Type-Options"),
)


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return new_place(tmp_path_factory.mktemp("web"))


@contextmanager
def toolkit(config: Path) -> Iterator[int]:
    """Serve with the toolkit until the block ends, and yield the port."""
    process = subprocess.Popen(
        [go_program("toolkit"), config], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        with process.stdout:
            yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait(60)


def is_served(port: int) -> bool:
    """Return whether a server responds to plain HTTP, also to refuse it."""
    with suppress(OSError), connect(port, timeout=60) as sock:
        sock.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        return bool(read_to_end(sock))
    return False


def is_admitted(port: int, place: Place, handshake: Handshake) -> bool:
    """Return whether a client gets the metrics."""
    try:
        answer = fetch(port, "/metrics", tls=handshake.client(place), timeout=60)
    except (OSError, HTTPException):
        return False
    return answer.body == METRICS


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.file)
def test_toolkit_has_the_recorded_result_for_its_example(place: Place, example: Example) -> None:
    with toolkit(example.write(place)) as port:
        assert is_served(port) is example.is_accepted


@pytest.mark.parametrize("example", DIFFERENCES, ids=lambda example: example.about)
def test_toolkit_has_the_recorded_result_for_listed_difference(
    place: Place, example: Example
) -> None:
    with toolkit(example.write(place)) as port:
        assert is_served(port) is example.is_accepted


@pytest.mark.parametrize(
    "example",
    [example for example in EXAMPLES if example.is_accepted and example.file not in REFUSED],
    ids=lambda example: example.file,
)
def test_response_with_example_is_that_of_the_toolkit(place: Place, example: Example) -> None:
    file = example.write(place)
    headers = SET_HEADERS if example.file == "web_config_headers.good.yml" else ()
    with toolkit(file) as theirs, serving(web_config_file=file) as ours:
        for client in (None, place.client(), place.client("client.example")):
            assert response(ours, client, headers) == response(theirs, client, headers)


def response(port: int, client: ssl.SSLContext | None, headers: Sequence[str]) -> object:
    """Return the status and some headers of a response, or None if there is none."""
    try:
        answer = fetch(port, "/metrics", tls=client, timeout=60)
    except (OSError, HTTPException):
        return None
    return answer.status, [answer.headers[name] for name in headers]


@pytest.mark.parametrize(
    "handshake",
    list(handshakes()),
    ids=lambda each: f"{each.config.removeprefix(TLS)}, {each.about}",
)
def test_handshake_has_the_result_of_the_toolkit(place: Place, handshake: Handshake) -> None:
    file = place.write(f"{handshake.config}}}")
    with toolkit(file) as theirs, serving(web_config_file=file) as ours:
        differs = is_admitted(ours, place, handshake) is not is_admitted(theirs, place, handshake)
    assert differs is ((handshake.config, handshake.about) in DIFFERENT)
