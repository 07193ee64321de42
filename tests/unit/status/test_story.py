"""The story of a group on the page: causes, remedies, rates, the plot and the link."""

from collections.abc import Mapping, Sequence
from math import inf

import pytest

from exporter import __version__
from exporter.model.names import GroupKey, TargetKey
from exporter.model.progress import Cause, Outlook, Totals
from exporter.model.snapshot import GroupStatus, View
from exporter.status import page, rows
from exporter.status.history import Histories, History, Point
from exporter.status.plot import plot
from exporter.status.wording import CAUSE_NAMES, CAUSE_REMEDIES, LOSS_REMEDY
from tests.support.snapshots import group, target
from tests.support.status_views import (
    HOSTILE,
    MONOTONIC,
    NOW,
    Element,
    behind,
    caught_up,
    page_of,
    read,
    with_outlook,
)

PUBLIC = TargetKey("https://cn-shanghai.log.aliyuncs.com", "shop", "orders")


def shown(status: GroupStatus, histories: Mapping[GroupKey, History] | None = None) -> Element:
    """Return the row of a group on the page."""
    view = View(targets=(target(status, key=TargetKey(*status.key[:3])),))
    found = rows.document(view, monotonic=MONOTONIC, wall=NOW, histories=histories or {})
    html = page.page(found, {}, telemetry_path="/metrics").decode()
    return read(html).one("tbody", role="rowgroup")


def causes_of(status: GroupStatus) -> list[str]:
    return [line.text for line in shown(status).all("p", class_="problem")]


def history_of(points: Sequence[tuple[float, int]]) -> History:
    history = History()
    for at, unread in points:
        history.add(at, unread, Totals(consumed=int(at), written=int(3 * at)), interval=60.0)
    return history


@pytest.mark.parametrize("cause", [*Cause])
def test_stall_shows_its_likely_cause_and_remedy(cause: Cause) -> None:
    stalled = group(
        caught_up(0, consumer="a"), behind(1, stalled=2400, consumer="b"), causes={1: cause}
    )
    (line,) = causes_of(stalled)
    assert line == (
        f"Likely cause: {CAUSE_NAMES[cause]} (shard 1, last owner b, for 40m, since"
        f" 1969-12-31 23:36:50 UTC). {CAUSE_REMEDIES[cause]}"
    )


def test_causes_are_shown_the_worst_first_with_their_shards() -> None:
    stalled = group(
        *(behind(number, stalled=400 + number, consumer="a") for number in range(8)),
        behind(8, stalled=900, consumer="b"),
        causes={8: Cause.OWNER_CHANGING, **dict.fromkeys(range(8), Cause.GROUP_SILENT)},
    )
    first, second = causes_of(stalled)
    assert first.startswith("Likely cause: owner changes (shard 8, last owner b, for 15m, since ")
    assert second.startswith(
        "Likely cause: group is silent (shards 7, 6, 5, 4 and 4 more, last owner a, for 6m 47s, "
    )


def test_stall_without_an_owner_names_none() -> None:
    (line,) = causes_of(group(behind(0, stalled=600, consumer=""), causes={0: Cause.UNKNOWN}))
    assert line.startswith("Likely cause: unknown (shard 0, for 10m, since ")


def test_lost_data_is_shown_with_its_owners_and_a_remedy() -> None:
    lost = group(
        behind(0, stalled=90_000, expired=True, consumer="a"),
        behind(1, stalled=400, consumer="b"),
        causes={1: Cause.GROUP_SILENT},
    )
    first, second = causes_of(lost)
    assert first == (
        "Data was deleted before it was read (shard 0, last owner a, for 1d 1h, since"
        f" 1969-12-30 23:16:50 UTC). {LOSS_REMEDY}"
    )
    assert second.startswith("Likely cause: group is silent (shard 1, last owner b, ")


def test_group_without_a_stall_has_no_cause() -> None:
    assert causes_of(group(behind(0, stalled=20), caught_up(1))) == []


def test_hostile_owner_is_shown_as_text() -> None:
    stalled = group(behind(0, stalled=900, consumer=HOSTILE), causes={0: Cause.OWNER_STUCK})
    row = shown(stalled)
    assert f"last owner {HOSTILE}" in row.one("p", class_="problem").text
    assert not row.all("img") + row.all("script")


def test_unread_data_and_rates_are_shown() -> None:
    status = group(behind(0, stalled=20), behind(1, stalled=20))
    history = history_of([(MONOTONIC - 60 * n, 1) for n in reversed(range(7))])
    trend = shown(status, {status.key: history}).one("p", class_="trend")
    assert [span.text for span in trend.all("span")][1:] == [
        "2,400 log groups unread", "reads 1/s", "written 3/s",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("outlook", "words"),
    [
        (Outlook(), []),
        (Outlook(catch_up_seconds=0.0), []),
        (Outlook(catch_up_seconds=5400.0), ["caught up in 1h 30m"]),
        (Outlook(catch_up_seconds=inf), ["never catches up at this speed"]),
        (
            Outlook(catch_up_seconds=inf, data_loss_seconds=7200.0),
            ["loses data in 2h at this speed"],
        ),
        (
            Outlook(catch_up_seconds=inf, data_loss_seconds=0.0),
            ["loses data now"],
        ),
        (
            Outlook(catch_up_seconds=60.0, data_loss_seconds=30.0),
            ["loses data in 30s at this speed"],
        ),
    ],
)
def test_end_of_the_backlog_is_predicted(outlook: Outlook, words: list[str]) -> None:
    row = shown(with_outlook(group(behind(0, stalled=20)), outlook))
    trend = row.one("p", class_="trend")
    assert [span.text for span in trend.all("span")] == ["1,200 log groups unread", *words]


def test_rates_are_not_shown_if_the_snapshot_is_too_old() -> None:
    status = group(behind(0, stalled=20))
    view = View(targets=(target(status),))
    history = history_of([(60.0 * n, 1) for n in range(7)])
    found = rows.document(view, monotonic=5000.0, wall=NOW, histories={status.key: history})
    assert found.groups[0].rates == (None, None)
    assert history.rates.read == 1.0


def test_group_of_the_public_service_has_a_link_to_its_console() -> None:
    link = shown(group(caught_up(), key=PUBLIC)).one("a", class_="console")
    assert link.attributes["href"] == (
        "https://sls.console.aliyun.com/lognext/project/shop/logsearch/orders?slsRegion=cn-shanghai"
    )
    assert link.attributes["rel"] == "noreferrer"
    assert not shown(group(caught_up())).all("a", class_="console")


def test_plot_is_an_image_with_a_text() -> None:
    status = group(caught_up())
    history = history_of([(0.0, 5), (60.0, 1234)])
    image = shown(status, {status.key: history}).one("svg")
    assert image.one("title").text == "Unread log groups in the last hour, at most 1,234"


def lines(*points: tuple[float, float], now: float = 3600.0, interval: float = 60.0) -> list[str]:
    drawn = plot([Point(*each) for each in points], now, interval=interval)
    if not drawn:
        return []
    return [str(line.attributes["points"]) for line in read(drawn).all("polyline")]


def test_plot_scales_the_hour_and_the_largest_value() -> None:
    assert lines((0.0, 0), (1800.0, 50), (3600.0, 100), interval=1000.0) == [
        "0.0,21.0 60.0,11.0 120.0,1.0"
    ]


def test_plot_keeps_usual_ripples_small() -> None:
    drawn = plot([Point(0.0, 0), Point(3600.0, 5)], 3600.0, interval=9999.0, least=10.0)
    assert read(drawn).one("polyline").attributes["points"] == "0.0,21.0 120.0,11.0"


def test_plot_of_a_group_is_scaled_by_what_is_written_until_a_stall() -> None:
    status = group(caught_up())
    history = history_of([(MONOTONIC - 60 * n, 450) for n in reversed(range(7))])
    line = shown(status, {status.key: history}).one("polyline").attributes["points"]
    assert line is not None
    assert {point.split(",")[1] for point in line.split()} == {"11.0"}  # of 300 s at 3 per second


def test_plot_of_nothing_unread_is_a_line_at_the_bottom() -> None:
    assert lines((3540.0, 0), (3600.0, 0)) == ["118.0,21.0 120.0,21.0"]


def test_plot_has_a_gap_where_polls_failed() -> None:
    drawn = lines((0.0, 1), (60.0, 1), (600.0, 1), (660.0, 1))
    assert [line.count(",") for line in drawn] == [2, 2]


def test_plot_needs_two_samples_of_the_last_hour() -> None:
    assert lines((0.0, 1), (60.0, 1), now=3650.0) == []
    assert lines() == []


def test_page_of_many_samples_stays_small() -> None:
    status = group(caught_up())
    history = history_of([(60.0 * n, n % 7) for n in range(200)])
    drawn = plot(history.points, 60.0 * 199, interval=60.0)
    assert 0 < len(drawn) < 1200
    assert status.key not in Histories().view()


def test_footer_shows_the_version() -> None:
    footer = read(page_of(View())).one("footer")
    assert f"sls-exporter {__version__}" in footer.text
