"""A configuration whose polls cannot be done in their time is told what to change."""

from pathlib import Path

import pytest

from exporter.model.names import TargetKey
from exporter.polling.capacity import requests_a_poll, shortages
from exporter.polling.targets import GroupTarget, Target
from tests.support.running import running
from tests.support.settings import project_settings


def target(
    number: int = 0,
    *,
    project: str = "shop",
    groups: int = 1,
    shards: frozenset[int] | None = None,
    interval: float = 60.0,
    rate: float = 10.0,
    lag: bool = True,
    workers: int = 8,
) -> Target:
    settings = project_settings(
        lag=lag, interval=interval, workers=workers, requests_per_second=rate
    )
    return Target(
        key=TargetKey(project, f"store-{number}"),
        groups=tuple(GroupTarget(name=f"group-{group}", shards=shards) for group in range(groups)),
        settings=settings,
        refresh_seconds=300.0,
    )


@pytest.mark.parametrize(
    ("asked", "requests"),
    [
        (target(lag=False, groups=3), 3),
        (target(groups=3), 5),
        (target(groups=2, shards=frozenset({0, 1, 2, 3})), 7),
        (target(groups=0), 0),
    ],
)
def test_a_poll_takes_a_request_a_group_and_for_the_lag_the_shards_and_their_ends(
    asked: Target, requests: int
) -> None:
    assert requests_a_poll(asked) == requests


def test_what_fits_is_not_warned_of() -> None:
    assert shortages([]) == []
    assert shortages([target(number, lag=False) for number in range(600)]) == []


def test_more_requests_than_the_rate_allows_are_warned_of_with_the_remedy() -> None:
    (warned,) = shortages([target(number, lag=False) for number in range(601)])
    assert warned == (
        "project shop: polling its 601 logstores takes at least 601 requests every 60 s, and 10 a"
        " second are allowed: polls will come late or be left out. Set"
        " polling.requests_per_second to 11 or more, or polling.interval to 61s or more"
    )


def test_more_work_than_the_workers_can_do_is_warned_of_with_the_remedy() -> None:
    def targets(workers: int) -> list[Target]:
        return [target(number, rate=1000.0, workers=workers) for number in range(500)]

    assert shortages(targets(3)) == []
    (warned,) = shortages(targets(2))
    assert warned == (
        "project shop: polling its 500 logstores takes at least 1500 requests every 60 s, which is"
        " more than 2 workers can do at 0.1 s a request: polls will come late or be left out. Set"
        " polling.workers to 3 or more, or polling.interval to 75s or more"
    )


def test_the_remedies_work() -> None:
    def targets(interval: float, rate: float, workers: int = 8) -> list[Target]:
        return [
            target(number, interval=interval, rate=rate, workers=workers) for number in range(500)
        ]

    assert len(shortages(targets(60.0, 10.0))) == 1
    assert shortages(targets(60.0, 25.0)) == []
    assert shortages(targets(150.0, 10.0)) == []
    assert shortages(targets(75.0, 1000.0, 2)) == []


def test_each_project_has_its_own_limits() -> None:
    apart = [target(number, project=f"p{number % 2}", lag=False) for number in range(1000)]
    assert shortages(apart) == []
    together = [*apart, *(target(number, project="p1", lag=False) for number in range(200))]
    assert [warning[:11] for warning in shortages(together)] == ["project p1:"]


def test_the_daemon_warns_once_at_its_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "credentials: {access_key_id: key, access_key_secret: secret}\n"
        "polling: {interval: 1s, requests_per_second: 1}\n"
        "lag: false\n"
        "projects:\n  - project: shop\n    endpoint: http://127.0.0.1:9\n    logstores:\n"
        "      - {logstore: orders, consumer_groups: [a, b, c]}\n"
    )
    with running(config, enable_lifecycle=True) as exporter:
        assert exporter.post("/-/reload").status_code == 200
    warned = [text for text in caplog.messages if "project shop: polling its 1 logstores" in text]
    assert len(warned) == 1
    assert "Set polling.requests_per_second to 3 or more" in warned[0]
