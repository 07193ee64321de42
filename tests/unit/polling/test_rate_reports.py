"""Reports of request rates, and how the clients of projects share them."""

import logging
import threading

import pytest

from exporter.base.clock import SYSTEM_CLOCK
from exporter.config.settings import ProjectSettings
from exporter.logs.logger import get_logger
from exporter.polling.rate_reports import RateReports
from exporter.simulator.server import DEFAULT_CREDENTIALS
from exporter.sls.clients import Clients
from tests.support.settings import project_settings
from tests.support.sls_client import Notes

ENDPOINT = "https://example.com"


class Shown(dict[tuple[str, str], float]):
    """The newest limit of each project."""

    def show(self, endpoint: str, project: str, limit: float) -> None:
        self[endpoint, project] = limit

    def note(self, endpoint: str, project: str, limit: float, is_lowered: bool) -> None:  # noqa: FBT001  a callback
        assert not is_lowered
        self.show(endpoint, project, limit)


def settings_of(requests_per_second: float, *, interval: float = 60.0) -> ProjectSettings:
    return project_settings(ENDPOINT, interval=interval, requests_per_second=requests_per_second)


def clients_of(shown: Shown, *, total_shards: int = 1) -> Clients:
    return Clients(
        provider=lambda _: lambda: DEFAULT_CREDENTIALS,
        observer=Notes(),
        clock=SYSTEM_CLOCK,
        cancelled=threading.Event(),
        on_rate_change=shown.note,
        total_shards=total_shards,
    )


def test_rate_that_falls_and_recovers_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    shown = Shown()
    reports = RateReports(shown.show, get_logger("exporter.polls"))
    for limit, is_lowered in [(10.0, False), (5.0, True), (6.0, True), (3.0, True), (9.0, False)]:
        reports.changed(ENDPOINT, "shop", limit, is_lowered)
        assert shown == {(ENDPOINT, "shop"): limit}
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "request rate lowered after a refusal"),
        ("INFO", "request rate recovered"),
    ]
    assert [getattr(record, "facts", None) for record in caplog.records] == [
        {"sls_endpoint": ENDPOINT, "project": "shop", "requests_per_second": each}
        for each in ("5", "9")
    ]


def test_rate_of_a_project_is_kept_over_changed_settings() -> None:
    shown = Shown()
    clients = clients_of(shown)
    before = clients.get(settings_of(100.0), "shop").rate
    after = clients.get(settings_of(6.0, interval=30.0), "shop").rate
    assert after is before
    assert after.limit == 6.0
    assert clients.get(settings_of(100.0), "shop").rate.limit == 6.0
    assert clients.get(settings_of(100.0), "bank").rate is not before
    assert shown == {(ENDPOINT, "shop"): 6.0, (ENDPOINT, "bank"): 10.0}


@pytest.mark.parametrize(
    ("total", "ceiling", "limit"), [(1, 100.0, 10.0), (4, 100.0, 2.5), (4, 8.0, 2.0)]
)
def test_exporters_that_share_a_project_share_its_rate(
    total: int, ceiling: float, limit: float
) -> None:
    clients = clients_of(Shown(), total_shards=total)
    assert clients.get(settings_of(ceiling), "shop").rate.limit == limit


def test_rate_of_listing_projects_is_not_shown() -> None:
    shown = Shown()
    clients_of(shown).get(settings_of(100.0), None)
    assert shown == {}
