"""The accuracy of the alert over simulated hours: scenes, metrics, and alerts that would fire."""

from dataclasses import replace
from pathlib import Path

import pytest

from exporter.model.progress import Cause
from tests.simulation.truth import alerts, replay, scenes
from tests.simulation.truth.alerts import Firing
from tests.simulation.truth.burrow import Commit, Status, evaluate
from tests.simulation.truth.causes import causes_in
from tests.simulation.truth.judges import (
    OURS,
    Outcome,
    Trouble,
    Verdict,
    judge_firings,
    true_stalls,
    worst,
)
from tests.simulation.truth.scene import DAY, Scene
from tests.simulation.truth.scenes import SCENES
from tests.simulation.truth.service import FAST
from tests.simulation.truth.stage import TROUBLED, Frame
from tests.simulation.truth.table import (
    DOCUMENT,
    judged,
    outcomes_of,
    recording_of,
    recordings_of,
    render,
    render_causes,
    scene_of,
    shipped_rules,
    shown_in,
)
from tests.support import promtool
from tools.marks import between
from tools.paths import RULES

each_scene = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)

# In random order, a test that compares all scenes may have to play them all.
pytestmark = pytest.mark.timeout(900)

LARGE = "64 busy shards, 20 groups 20 s behind; one group is dead on one shard"
LARGE_WITH_QUOTA = "the same, quota of 20 requests per second, of which consumers use 16"
LARGE_AND_SLOW = "the same, 250 ms per request, 8 requests in parallel"
AGE = "sls_consumer_group_checkpoint_age_seconds"


def frames_of(name: str) -> list[Frame]:
    return recording_of(scene_of(name)).frames


def frame_at(name: str, at: float) -> Frame:
    return next(frame for frame in frames_of(name) if frame.at == at)


def fired_in(name: str) -> list[Firing]:
    return alerts.firings(shipped_rules(), frames_of(name))


def states(frame: Frame) -> dict[str, float]:
    """Return the numbers of shards by state, without the states that no shard is in."""
    found = frame.samples.get("sls_consumer_group_shards", {})
    return {dict(labels)["state"]: value for labels, value in found.items() if value}


def values(name: str, metric: str, shard: str) -> list[float]:
    return [found[shard] for frame in frames_of(name) if shard in (found := frame.by_shard(metric))]


# The table


@each_scene
def test_alert_is_right_in_every_scene(scene: Scene) -> None:
    if scene.looks_like is None:
        assert outcomes_of(scene)[OURS].verdict is Verdict.RIGHT
    else:
        assert outcomes_of(scene)[OURS].verdict is Verdict.FALSE_ALARM
        found = judged(recordings_of(scene), scene.looks_like)
        assert found[OURS].verdict is Verdict.RIGHT


@each_scene
def test_alert_is_right_in_every_scene_in_group_granularity(scene: Scene) -> None:
    shown = scene.trouble or scene.looks_like
    for group, recording in recordings_of(scene).items():
        trouble = None
        if shown is not None and group == TROUBLED:
            trouble = replace(shown, shards=frozenset({""}))
        fired = alerts.firings(shipped_rules(), recording.group_frames)
        assert {each.shard for each in fired} <= {""}
        found = judge_firings(fired, trouble, watched_from=recording.frames[0].at)
        assert found.verdict is Verdict.RIGHT, group


def test_the_table_in_the_document_is_what_the_scenes_give() -> None:
    assert between(DOCUMENT.read_text(), "table") == render(), (
        "run python -m tools.generate docs/truth.md"
    )


@each_scene
def test_likely_causes_are_right_in_every_scene(scene: Scene) -> None:
    assert shown_in(scene).verdict is Verdict.RIGHT


@each_scene
def test_causes_add_up_to_the_stalled_shards_in_every_scrape(scene: Scene) -> None:
    for recording in recordings_of(scene).values():
        for frame in recording.frames:
            assert sum(causes_in(frame).values()) == states(frame).get("stalled", 0)


def test_every_scene_with_a_stall_has_a_cause() -> None:
    stalls = {
        scene.name
        for scene in SCENES
        if any(causes_in(frame) for frame in recording_of(scene).frames)
    }
    assert stalls == {scene.name for scene in SCENES if scene.likely is not None}


def test_every_cause_but_unknown_decides_a_scene() -> None:
    shown = {cause for scene in SCENES if scene.likely for cause, _ in scene.likely.causes}
    assert shown == set(Cause) - {Cause.UNKNOWN}


def test_the_table_of_causes_in_the_document_is_what_the_scenes_give() -> None:
    assert between(DOCUMENT.read_text(), "table of causes") == render_causes(), (
        "run python -m tools.generate docs/truth.md"
    )


@pytest.mark.parametrize("by_shard", [True, False], ids=["shard", "group"])
def test_prometheus_evaluates_the_rules_over_the_scenes_as_their_model_does(
    tmp_path: Path, *, by_shard: bool
) -> None:
    # A slow service changes nothing for Prometheus.
    fast = [scene for scene in SCENES if scene.service == FAST]
    recordings = {scene.name: recording_of(scene) for scene in fast}
    recorded = {
        name: each.frames if by_shard else each.group_frames for name, each in recordings.items()
    }
    path = replay.write(tmp_path, RULES, shipped_rules(), recorded)
    promtool.run("promtool", "test", "rules", path)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        (LARGE, 375.0),
        (LARGE_WITH_QUOTA, 375.0),
        (LARGE_AND_SLOW, 375.0),
        ("32 busy shards, 8 groups 20 s behind; one dead shard; exporter restarted", 375.0),
        ("the same, the poll that would be the first to see the stall is missed", 420.0),
        ("logstore deleted and created again with lower cursors; one of two consumers dies", 368.0),
        ("quiet night, then a first log; one of two consumers is dead", 374.0),
        ("4 groups that commit every 5 minutes", None),
    ],
)
def test_our_alarm_comes_once_and_in_time(name: str, seconds: float | None) -> None:
    outcome = outcomes_of(scene_of(name))[OURS]
    assert (outcome.verdict, outcome.seconds) == (Verdict.RIGHT, seconds)


@each_scene
def test_scene_has_the_trouble_that_its_world_shows(scene: Scene) -> None:
    stalls = {
        (group, shard): since
        for group, recording in recordings_of(scene).items()
        for shard, since in true_stalls(recording).items()
    }
    trouble = scene.trouble or scene.looks_like
    expected: dict[tuple[str, str], float] = {}
    if trouble is not None and "" in trouble.shards:
        trouble = trouble.behind
    if trouble is not None:
        expected = {(TROUBLED, shard): trouble.since for shard in trouble.shards}
    assert stalls == pytest.approx(expected)


@each_scene
def test_our_alarm_lasts_as_long_as_the_trouble(scene: Scene) -> None:
    fired = [each for each in fired_in(scene.name) if scene.trouble]
    ended = {each.alert for each in fired if each.until is not None}
    back = scene.name == "whole group dead for 20 minutes, then back"
    assert ended == ({alerts.SHARD_STALLED, alerts.GROUP_STALLED} if back else set())


# Metrics in the scenes


def test_the_services_own_lag_stays_at_two_seconds_behind_a_dead_group() -> None:
    name = "whole group dead after one last log, producers silent"
    late = [frame for frame in frames_of(name) if frame.at >= 1875.0]
    assert {frame.by_shard(alerts.LAG)["0"] for frame in late} == {2.0}
    assert late[-1].by_shard(alerts.STALLED)["0"] == 3600.0 - 1801.0


def test_an_idle_shard_is_caught_up_while_its_checkpoint_grows_12_hours_old() -> None:
    last = frames_of("idle for 12 hours")[-1]
    assert states(last) == {"caught_up": 2.0}
    assert last.by_shard(alerts.STALLED) == {"0": 0.0, "1": 0.0}
    assert last.by_shard(AGE) == {"0": 43_140.0, "1": 43_140.0}


def test_the_lag_of_a_slow_consumer_grows_while_it_does_not_stall() -> None:
    name = "consumer too slow, falls behind"
    lags = [frame_at(name, at).by_shard(alerts.LAG)["0"] for at in (900.0, 1800.0, 3600.0)]
    assert lags == sorted(lags)
    assert lags[-1] > 1500.0
    assert max(values(name, alerts.STALLED, "0")) <= 120.0


def test_a_consumer_that_commits_rarely_is_never_called_stalled() -> None:
    found = [states(frame) for frame in frames_of("consumer that commits every 5 minutes")]
    assert all("stalled" not in each for each in found)


def test_after_a_rebalance_the_series_of_the_old_owner_are_gone() -> None:
    name = "rebalance: shards change owners"
    owners = [
        [dict(labels)["consumer"] for labels in frame_at(name, at).samples[alerts.STALLED]]
        for at in (1800.0, 2100.0, 3600.0)
    ]
    assert owners == [["c1", "c1"], ["c1", "c2"], ["c2", "c1"]]


def test_drained_parents_are_finished_while_their_children_go_on() -> None:
    last = frames_of("split and merge: the drained parents do not advance")[-1]
    assert states(last)["finished"] == 3.0
    assert last.by_shard(AGE)["0"] > 2700.0


def test_a_vanished_parent_has_no_series_any_more() -> None:
    name = "a drained parent vanishes with the retention time"
    vanishes_at = DAY + 630.0
    shards = {frame.at: set(frame.by_shard(alerts.STALLED)) for frame in frames_of(name)}
    assert shards[vanishes_at - 15.0] == {"0", "1", "2", "3"}
    assert shards[vanishes_at + 90.0] == {"1", "2", "3"}


@pytest.mark.parametrize("name", ["group deleted", "logstore deleted"])
def test_series_of_deleted_objects_are_removed_by_the_next_poll(name: str) -> None:
    assert frame_at(name, 1830.0).by_shard(alerts.STALLED).keys() == {"0", "1"}
    after = frame_at(name, 1860.0)
    assert after.by_shard(alerts.STALLED) == {}
    assert list(after.samples[alerts.UP].values()) == [0.0]


def test_in_an_outage_series_stay_for_stale_after_and_come_back_with_the_api() -> None:
    name = "API down for 10 minutes and back"
    shown = {frame.at: bool(frame.by_shard(alerts.STALLED)) for frame in frames_of(name)}
    last_good_poll, first_good_poll = 1790.0, 2450.0
    hidden = [at for at, there in shown.items() if not there and at > 110.0]
    assert min(hidden) == 1980.0
    assert last_good_poll + 180.0 < min(hidden)
    assert max(hidden) < first_good_poll <= 2460.0


def test_shards_with_unreadable_checkpoints_are_unknown_and_have_only_an_age() -> None:
    last = frames_of("checkpoints that cannot be read")[-1]
    assert states(last) == {"unknown": 2.0}
    for metric in (alerts.STALLED, alerts.LAG, alerts.OLDEST):
        assert last.by_shard(metric) == {}
    assert last.by_shard(AGE).keys() == {"0", "1"}


def test_group_of_which_no_response_names_a_shard_has_one_unknown_shard() -> None:
    last = frames_of("group never consumed, and the listing of shards fails from the start")[-1]
    assert states(last) == {"unknown": 1.0}
    assert last.by_shard(AGE) == {}


def test_a_group_that_was_never_consumed_is_unconsumed_and_does_not_stall() -> None:
    last = frames_of("group created, never consumed")[-1]
    assert states(last) == {"unconsumed": 2.0}
    assert last.by_shard(alerts.STALLED) == {}


def test_data_loss_alert_fires_when_data_is_lost() -> None:
    name = "dead for a day: unread data expires"
    lost = [each for each in fired_in(name) if each.alert == alerts.DATA_LOST]
    assert len(lost) == 1
    assert 0.0 <= lost[0].since - scenes.DATA_LOST_AT <= 60.0 + 15.0 + 15.0
    assert states(frames_of(name)[-1]) == {"expired": 2.0}


def test_emptied_shard_is_expired_without_a_stall() -> None:
    last = frames_of("dead for two days: all unread data has expired")[-1]
    assert states(last) == {"expired": 1.0, "caught_up": 1.0}
    assert last.by_shard(alerts.STALLED) == {"0": 0.0, "1": 0.0}


def test_a_restart_of_the_exporter_neither_restarts_the_stall_nor_the_alarm() -> None:
    name = "exporter restarted twice in the middle of a stall"
    before, after = frame_at(name, 1965.0), frame_at(name, 2100.0)
    assert before.by_shard(alerts.STALLED)["0"] == 1965.0 - 1801.0
    assert after.by_shard(alerts.STALLED)["0"] == 2100.0 - 1801.0
    fired = [each for each in fired_in(name) if each.alert == alerts.SHARD_STALLED]
    assert [(each.shard, each.until) for each in fired] == [("0", None), ("1", None)]


def test_the_alarm_ends_once_when_the_consumer_is_back() -> None:
    fired = fired_in("whole group dead for 20 minutes, then back")
    ends = [each.until for each in fired if each.alert == alerts.SHARD_STALLED]
    assert len(ends) == 2
    for end in ends:
        assert end is not None
        # The first flush, the poll that sees it, a scrape; then 5 minutes of keep_firing_for.
        assert end <= scenes.BACK_AT + 60.0 + 60.0 + 15.0 + 300.0


@pytest.mark.parametrize("clock", ["fast", "slow"])
def test_ages_are_right_within_a_second_while_our_clock_is_5_minutes_off(clock: str) -> None:
    off = frames_of(f"our clock 5 minutes {clock}; one of two consumers dies")[-1]
    assert off.by_shard(AGE)["1"] == pytest.approx(3600.0 - 1800.0, abs=1.0)
    assert off.by_shard(alerts.STALLED)["1"] == pytest.approx(3600.0 - 1801.0, abs=1.0)


@pytest.mark.parametrize("name", [LARGE, LARGE_WITH_QUOTA, LARGE_AND_SLOW])
def test_stall_in_a_large_logstore_is_exact_while_all_other_shards_move(name: str) -> None:
    last = {group: each.frames[-1] for group, each in recordings_of(scene_of(name)).items()}
    stalled = {
        (group, shard): seconds
        for group, frame in last.items()
        for shard, seconds in frame.by_shard(alerts.STALLED).items()
    }
    assert len(stalled) == 64 * 20
    assert stalled.pop((TROUBLED, "5")) == 1050.0 - 600.0
    assert max(stalled.values()) <= 90.0
    assert states(last[TROUBLED]) == {"consuming": 63.0, "stalled": 1.0}


def test_polls_of_a_large_logstore_share_a_quota_and_fit_in_half_an_interval() -> None:
    last = frames_of(LARGE_WITH_QUOTA)[-1]
    refused = last.samples["sls_exporter_api_request_errors_total"]
    quota = sum(count for labels, count in refused.items() if ("code", "ReadQuotaExceed") in labels)
    requests = sum(last.samples["sls_exporter_api_requests_total"].values())
    assert 3.0 <= quota <= requests / 50
    assert mean_poll_seconds(last) <= 30.0


def test_polls_of_a_large_and_slow_logstore_take_10_seconds() -> None:
    assert mean_poll_seconds(frames_of(LARGE_AND_SLOW)[-1]) == pytest.approx(10.0, abs=2.0)


def mean_poll_seconds(frame: Frame) -> float:
    (seconds,) = frame.samples["sls_exporter_poll_duration_seconds_sum"].values()
    (count,) = frame.samples["sls_exporter_poll_duration_seconds_count"].values()
    return seconds / count


# Models of other alerts, and the classification of firings


def commits(*pairs: tuple[int, int], every: float = 60.0) -> tuple[Commit, ...]:
    """Return commits at even intervals from second 0 on, of (offset, lag)."""
    return tuple(
        Commit(offset=offset, at=number * every, lag=lag)
        for number, (offset, lag) in enumerate(pairs)
    )


@pytest.mark.parametrize(
    ("window", "ends", "now", "status"),
    [
        (commits((10, 0), (20, 0)), (20,), 9000.0, Status.OK),
        (commits((10, 1), (20, 1), (30, 1)), (40,), 121.0, Status.WARN),
        (commits((10, 2), (20, 1), (30, 2)), (40,), 121.0, Status.OK),
        (commits((10, 1), (20, 1), (30, 1)), (40,), 241.0, Status.STOP),
        (commits((10, 1), (20, 1), (30, 1)), (30, 40), 241.0, Status.WARN),
        (commits((10, 0), (20, 1), (30, 1)), (40,), 121.0, Status.OK),
        (commits((10, 1), (30, 1), (20, 1)), (40,), 121.0, Status.REWIND),
        (commits((10, 1), (10, 2), (10, 3)), (40,), 121.0, Status.STALL),
        (commits((10, 1)), (40,), 1.0, Status.STOP),
    ],
)
def test_burrows_rules_are_applied_in_its_order(
    window: tuple[Commit, ...], ends: tuple[int, ...], now: float, status: Status
) -> None:
    assert evaluate(window, ends, now) is status


def stalled_frame(at: float, seconds: float, *, up: float = 1.0) -> Frame:
    shard = (("consumer", "c1"), ("shard", "0"))
    return Frame(at, {alerts.STALLED: {shard: seconds}, alerts.UP: {(): up}})


def rule(*, hold: float, keep: float) -> alerts.Rule:
    return alerts.Rule(
        name="A",
        holds=lambda frame: ["0"] if frame.by_shard(alerts.STALLED).get("0", 0.0) > 300.0 else [],
        hold_seconds=hold,
        keep_seconds=keep,
    )


def test_the_model_of_alerts_waits_for_as_long_as_for_says() -> None:
    frames = [stalled_frame(at, 301.0) for at in (0.0, 15.0, 30.0)]
    assert alerts.firings([rule(hold=30.0, keep=0.0)], frames) == [
        Firing(alert="A", shard="0", since=30.0)
    ]
    assert alerts.firings([rule(hold=31.0, keep=0.0)], frames) == []


def test_the_model_of_alerts_keeps_firing_over_a_gap() -> None:
    seconds = [301.0, 0.0, 301.0, 0.0, 0.0, 0.0]
    frames = [stalled_frame(15.0 * number, value) for number, value in enumerate(seconds)]
    assert alerts.firings([rule(hold=0.0, keep=30.0)], frames) == [
        Firing(alert="A", shard="0", since=0.0, until=75.0)
    ]


@pytest.mark.parametrize(
    ("spoke", "trouble", "verdict"),
    [
        ([], None, Verdict.RIGHT),
        ([("0", 400.0)], None, Verdict.FALSE_ALARM),
        ([("0", 400.0)], ("0", 50.0), Verdict.RIGHT),
        ([("0", 440.1)], ("0", 50.0), Verdict.LATE),
        ([("0", 49.0)], ("0", 50.0), Verdict.FALSE_ALARM),
        ([("1", 400.0)], ("0", 50.0), Verdict.FALSE_ALARM),
        ([], ("0", 50.0), Verdict.MISSED),
    ],
)
def test_firings_are_classified_against_the_actual_trouble(
    spoke: list[tuple[str, float]], trouble: tuple[str, float] | None, verdict: Verdict
) -> None:
    truth = None if trouble is None else Trouble(since=trouble[1], shards=frozenset(trouble[0]))
    ours = [Firing(alert=alerts.SHARD_STALLED, shard=shard, since=at) for shard, at in spoke]
    found = judge_firings(ours, truth, watched_from=0.0)
    assert found.verdict is verdict


def test_the_worst_outcome_of_a_group_counts() -> None:
    right = Outcome(verdict=Verdict.RIGHT)
    told = Outcome(verdict=Verdict.RIGHT, seconds=300.0)
    late = Outcome(verdict=Verdict.LATE, seconds=900.0)
    missed = Outcome(verdict=Verdict.MISSED)
    early, later = (Outcome(verdict=Verdict.FALSE_ALARM, seconds=at) for at in (10.0, 20.0))
    ranked = [early, later, missed, late, told, right]
    for at, outcome in enumerate(ranked):
        assert worst(reversed(ranked[at:])) is outcome
