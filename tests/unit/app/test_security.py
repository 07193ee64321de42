"""Only the configuration decides where requests go."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.app.assembly import Parts, assemble
from exporter.base.clock import SYSTEM_CLOCK
from exporter.config.problems import ConfigError
from exporter.config.reader import parse
from exporter.model.names import TargetKey
from tests.support import http_server
from tests.support.keys import KEYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that sends one response, and the Host and the path of each request."""

    url: str
    asked: list[tuple[str, str]]


@contextmanager
def serving(
    status: int = 200, headers: dict[str, str] | None = None, body: bytes = b"[]"
) -> Iterator[Server]:
    asked: list[tuple[str, str]] = []

    class Recording(http_server.Handler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            asked.append((self.headers["Host"], self.path))
            self.reply(body, status=status, headers=headers)

    with http_server.serving(Recording) as port:
        yield Server(url=f"http://127.0.0.1:{port}", asked=asked)


def configured(endpoint: str, project: str = "shop") -> str:
    return (
        f"projects: [{{project: '{project}', endpoint: '{endpoint}', "
        "logstores: [{logstore: orders, consumer_groups: [billing]}]}]\n"
    )


@contextmanager
def engine(text: str, environ: dict[str, str]) -> Iterator[Parts]:
    config = parse(text, name="config.yaml", environ={}, base_dir=Path())
    made = assemble(config, environ=environ, clock=SYSTEM_CLOCK, start_rate=10_000.0)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://100.100.100.200",
        "http://169.254.169.254",
        "169.254.0.1:80",
        "http://[::ffff:100.100.100.200]",
        "http://[fe80::1]",
    ],
)
def test_metadata_address_is_rejected_as_endpoint(endpoint: str) -> None:
    with pytest.raises(ConfigError, match="metadata"):
        parse(configured(endpoint), name="config.yaml", environ={}, base_dir=Path())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_of_any_status_is_not_followed(status: int) -> None:
    with serving() as elsewhere:
        location = {"Location": f"{elsewhere.url}/latest/meta-data/"}
        with (
            serving(status, location, b"moved") as server,
            engine(configured(server.url), KEYS) as made,
        ):
            made.manager.poll(TargetKey(server.url, "shop", "orders"))
            assert server.asked
            assert not made.store.view().targets[0].groups[0].up
    assert elsewhere.asked == []


def test_listed_project_that_is_not_a_valid_host_name_gets_no_request() -> None:
    body = (
        b'{"total": 3, "projects": [{"projectName": "evil.example.org/"},'
        b' {"projectName": "a@b"}, {"projectName": "shop"}]}'
    )
    with (
        serving(body=body) as server,
        engine(configured(server.url, project=".*"), KEYS) as made,
    ):
        made.manager.discover()
        assert [target.key.project for target in made.manager.targets] == ["shop"]
        hosts = {host for host, _ in server.asked}
    assert hosts <= {
        server.url.removeprefix("http://"),
        f"shop.{server.url.removeprefix('http://')}",
    }


@pytest.mark.parametrize(
    ("role", "asks"), [({}, False), ({"ALIBABA_CLOUD_ECS_METADATA": "r"}, True)]
)
def test_metadata_is_requested_only_if_a_role_is_configured(
    role: dict[str, str], *, asks: bool
) -> None:
    with serving(404) as metadata, serving() as server:
        environ = {"ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT": metadata.url, **role}
        if not asks:
            environ |= KEYS
        with engine(configured(server.url), environ) as made:
            made.manager.poll(TargetKey(server.url, "shop", "orders"))
        assert bool(metadata.asked) is asks
        assert bool(server.asked) is not asks
