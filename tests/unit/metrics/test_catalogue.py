"""Values that a scrape shows of snapshots, and counters."""

from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families

from exporter.config.labels import OWN_LABELS
from exporter.config.schema import MetricsConfig
from exporter.metrics.catalogue import (
    CATALOGUE,
    OF_ENTRIES,
    OF_GROUPS,
    OF_LOGSTORES,
    OF_SHARDS,
)
from exporter.metrics.exposition import render
from exporter.metrics.gzip_stream import plain
from exporter.metrics.polled_text import PolledText
from exporter.metrics.self_metrics import SelfMetrics
from exporter.model.names import EntryKey, ProjectKey, TargetKey
from exporter.model.progress import Cause, Outlook, Totals
from exporter.model.shards import ConsumerGroup
from exporter.model.snapshot import (
    EntryStatus,
    Failure,
    GroupSettings,
    GroupStatus,
    TargetStatus,
    View,
)
from exporter.sls.operations import OPERATION_NAMES
from tests.support.scrape import Scrape, parsed
from tests.support.snapshots import ENDPOINT, KEY, group, shard, target, with_unnamed

SHOP = ProjectKey("https://example.com", "shop")
PER_SHARD = (
    "sls_consumer_group_checkpoint_age_seconds",
    "sls_consumer_group_checkpoint_update_timestamp_seconds",
    "sls_consumer_group_lag_seconds",
    "sls_consumer_group_oldest_unread_timestamp_seconds",
    "sls_consumer_group_unread_log_groups",
    "sls_consumer_group_stalled_seconds",
)


def collected(
    *targets: TargetStatus, at: float = 60.0, config: MetricsConfig | None = None
) -> Scrape:
    """Scrape at a reading of the monotonic clock; polls were at 50."""
    return parsed(
        b"".join(
            plain(PolledText().write(View(targets=targets), config or MetricsConfig(), at))
        ).decode()
    )


def test_age_and_stall_go_on_between_polls() -> None:
    behind = shard(unread=5, lag_seconds=70.0, oldest_unread_at=950.0)
    first = collected(target(group(behind)), at=60.0)
    later = collected(target(group(behind)), at=75.5)
    assert first.value("sls_consumer_group_checkpoint_age_seconds") == 110.0
    assert later.value("sls_consumer_group_checkpoint_age_seconds") == 125.5
    assert first.value("sls_consumer_group_stalled_seconds") == 60.0
    assert later.value("sls_consumer_group_stalled_seconds") == 75.5
    assert later.value("sls_consumer_group_lag_seconds") == 70.0


def test_stall_stops_one_interval_after_the_reading_while_the_age_goes_on() -> None:
    behind = shard(unread=5, oldest_unread_at=950.0)
    found = collected(target(group(behind)), at=50.0 + 90.0)
    assert found.value("sls_consumer_group_stalled_seconds") == 110.0
    assert found.value("sls_consumer_group_checkpoint_age_seconds") == 190.0


def test_late_poll_keeps_the_series_of_a_group_until_it_is_stuck() -> None:
    status = target(group(shard()), retention_seconds=60.0)
    late = collected(status, at=50.0 + 900.0)
    assert late.value("sls_consumer_group_up") == 1
    assert late.value("sls_consumer_group_checkpoint_age_seconds") == 1000.0
    assert late.value("sls_logstore_retention_seconds") == 60.0
    stuck = collected(status, at=50.0 + 900.1)
    assert stuck.value("sls_consumer_group_up") == 0
    assert stuck.value("sls_consumer_group_poll_interval_seconds") == 60.0
    assert not any(stuck.find(name) for name in PER_SHARD)
    assert not stuck.find("sls_logstore_retention_seconds")


def test_a_checkpoint_written_after_our_last_look_at_the_time_has_age_zero() -> None:
    found = collected(target(group(shard(updated_at=2000.0))))
    assert found.value("sls_consumer_group_checkpoint_age_seconds") == 0.0


def test_a_shard_never_consumed_has_no_age_and_counts_as_unconsumed() -> None:
    never = shard(checkpoint="", consumer="", updated_at=None, moved_at=None, unread=None)
    found = collected(target(group(replace(never, lag_seconds=None))))
    assert not any(found.find(name) for name in PER_SHARD)
    assert found.value("sls_consumer_group_shards", state="unconsumed") == 1


def test_an_empty_shard_never_consumed_has_no_stall() -> None:
    found = collected(target(group(shard(checkpoint="", unread=0))))
    assert not found.find("sls_consumer_group_stalled_seconds")


def test_unknown_values_are_absent() -> None:
    unknown = shard(unread=None, lag_seconds=None)
    found = collected(target(group(unknown), cursor_access=None))
    assert {name for name in PER_SHARD if found.find(name)} == {
        "sls_consumer_group_checkpoint_age_seconds",
        "sls_consumer_group_checkpoint_update_timestamp_seconds",
    }
    assert not found.find("sls_exporter_cursor_access")
    assert not found.find("sls_exporter_retention_access")
    assert not found.find("sls_logstore_retention_seconds")
    assert not found.find("sls_logstore_shards")
    assert not found.find("sls_consumer_group_info")


def test_every_state_is_always_present() -> None:
    found = collected(target(group(shard(0), shard(1, readonly=True))))
    states = {
        sample.labels["state"]: sample.value for sample in found.find("sls_consumer_group_shards")
    }
    assert states == {
        "caught_up": 1,
        "consuming": 0,
        "stalled": 0,
        "unconsumed": 0,
        "expired": 0,
        "finished": 1,
        "unknown": 0,
    }


def test_shards_that_no_response_names_count_as_unknown() -> None:
    found = collected(target(with_unnamed(group(shard(0)), 2)))
    assert found.value("sls_consumer_group_shards", state="caught_up") == 1
    assert found.value("sls_consumer_group_shards", state="unknown") == 2


def test_a_shard_is_counted_as_stalled_only_once_a_poll_has_seen_it_stall() -> None:
    behind = shard(unread=5, moved_at=701.0, oldest_unread_at=701.0, evaluated_at=None)
    found = collected(target(group(behind)), at=60.0)
    assert found.value("sls_consumer_group_stalled_seconds") == 309.0
    assert found.value("sls_consumer_group_shards", state="stalled") == 0
    assert found.value("sls_consumer_group_shards", state="consuming") == 1


def causes_of(found: Scrape) -> dict[str, float]:
    return {
        sample.labels["cause"]: sample.value
        for sample in found.find("sls_consumer_group_stalled_shards")
    }


def test_every_cause_is_always_present() -> None:
    assert causes_of(collected(target(group(shard())))) == {
        "waiting_for_parent": 0,
        "owner_changing": 0,
        "shard_stuck": 0,
        "owner_stuck": 0,
        "group_silent": 0,
        "unknown": 0,
    }
    assert causes_of(collected(target(group(has_snapshot=False)))) == {}


def test_stalled_shards_are_counted_by_their_cause() -> None:
    stalled = [shard(number, unread=5, moved_at=600.0) for number in range(3)]
    causes = {0: Cause.SHARD_STUCK, 1: Cause.SHARD_STUCK, 2: Cause.OWNER_STUCK}
    found = causes_of(collected(target(group(*stalled, shard(3), causes=causes))))
    assert {cause: count for cause, count in found.items() if count} == {
        "shard_stuck": 2,
        "owner_stuck": 1,
    }


def test_causes_add_up_to_the_stalled_shards_after_a_reload_of_stall_after() -> None:
    stalled = [shard(0, unread=5, moved_at=600.0), shard(1, unread=5, moved_at=800.0)]
    for stall_after, expected in (
        (100.0, {"shard_stuck": 1, "unknown": 1}),
        (300.0, {"shard_stuck": 1}),
        (500.0, {}),
    ):
        settings = GroupSettings(stall_after=stall_after, lag_limit=600.0)
        status = group(*stalled, causes={0: Cause.SHARD_STUCK}, settings=settings)
        found = collected(target(status))
        causes = {cause: count for cause, count in causes_of(found).items() if count}
        assert causes == expected
        assert found.value("sls_consumer_group_shards", state="stalled") == sum(causes.values())


COUNTERS = {
    "sls_consumer_group_consumed_log_groups_total": 3_000_000.0,
    "sls_consumer_group_written_log_groups_total": 5.0,
    "sls_consumer_group_owner_changes_total": 6.0,
    "sls_consumer_group_checkpoint_resets_total": 7.0,
}


def with_outlook(status: GroupStatus, *, catch_up: float | None, loss: float | None) -> GroupStatus:
    assert status.snapshot is not None
    outlook = Outlook(catch_up_seconds=catch_up, data_loss_seconds=loss)
    return replace(status, snapshot=replace(status.snapshot, outlook=outlook))


CATCH_UP = "sls_consumer_group_catch_up_seconds"
DATA_LOSS = "sls_consumer_group_data_loss_seconds"


def test_a_group_that_never_catches_up_has_infinity_and_the_time_to_its_loss() -> None:
    found = collected(target(with_outlook(group(shard()), catch_up=inf, loss=7200.0)))
    assert (found.value(CATCH_UP), found.value(DATA_LOSS)) == (inf, 7200.0)


def test_a_group_that_catches_up_has_no_time_to_a_loss() -> None:
    found = collected(target(with_outlook(group(shard()), catch_up=600.0, loss=None)))
    assert found.value(CATCH_UP) == 600.0
    assert not found.find(DATA_LOSS)


def test_the_outlook_of_a_group_is_absent_while_it_is_unknown_or_not_served() -> None:
    assert not collected(target(with_outlook(group(shard()), catch_up=None, loss=None))).find(
        CATCH_UP
    )
    failing = group(failure=Failure(code="timeout", message="too late", since=1000.0))
    for found in (
        collected(target(with_outlook(group(shard()), catch_up=inf, loss=1.0)), at=50.0 + 900.1),
        collected(target(failing)),
    ):
        assert not found.find(CATCH_UP)
        assert not found.find(DATA_LOSS)


def test_counters_of_a_group_stay_while_no_snapshot_is_served() -> None:
    totals = Totals(consumed=3_000_000, written=5, owner_changes=6, checkpoint_resets=7)
    failure = Failure(code="timeout", message="too late", since=1000.0)
    for status, at in (
        (group(shard()), 60.0),
        (group(shard(), failure=failure), 50.0 + 180.1),
        (group(failure=failure, has_snapshot=False), 60.0),
    ):
        found = collected(target(replace(status, totals=totals)), at=at)
        assert {name: found.value(name) for name in COUNTERS} == COUNTERS


def test_counters_are_absent_until_their_values_are_known() -> None:
    failing = group(failure=Failure(code="timeout", message="too late", since=1000.0))
    assert not any(collected(target(failing)).find(name) for name in COUNTERS)
    found = collected(target(replace(group(shard()), totals=Totals())))
    assert found.value("sls_consumer_group_consumed_log_groups_total") == 0
    assert not found.find("sls_consumer_group_written_log_groups_total")


def test_counters_of_a_group_have_this_type_in_both_formats() -> None:
    view = View(targets=(target(replace(group(shard()), totals=Totals(written=0))),))
    text, openmetrics = (
        b"".join(plain(PolledText().write(view, MetricsConfig(), 60.0, openmetrics=is_open)))
        for is_open in (False, True)
    )
    for name in COUNTERS:
        assert f"# TYPE {name} counter\n".encode() in text
        assert f"# TYPE {name.removesuffix('_total')} counter\n".encode() in openmetrics
        assert f"\n{name}{{".encode() in openmetrics


def test_consumers_are_counted_once_and_only_with_a_name() -> None:
    owners = ("a", "a", "b", "")
    shards = (shard(number, consumer=owner) for number, owner in enumerate(owners))
    assert collected(target(group(*shards))).value("sls_consumer_group_consumers") == 2


def test_hidden_shards_have_no_series_and_count_for_their_group() -> None:
    shards = [shard(number, consumer=owner) for number, owner in enumerate(("mine", "other"))]
    found = collected(target(group(*shards, hidden=frozenset({1}))))
    for name in PER_SHARD:
        assert {sample.labels["shard"] for sample in found.find(name)} <= {"0"}
    assert found.value("sls_consumer_group_stalled_seconds", shard="0") == 0.0
    assert found.value("sls_consumer_group_shards", state="caught_up") == 2
    assert found.value("sls_consumer_group_consumers") == 2


def test_a_failing_group_shows_its_last_good_values_until_they_are_stale() -> None:
    failure = Failure(code="timeout", message="too late", since=1000.0)
    status = target(group(shard(), failure=failure))
    young = collected(status, at=50.0 + 180.0)
    assert young.value("sls_consumer_group_up") == 0
    assert young.value("sls_consumer_group_checkpoint_age_seconds") == 280.0
    stale = collected(status, at=50.0 + 180.1)
    assert stale.value("sls_consumer_group_up") == 0
    assert stale.value("sls_consumer_group_last_success_timestamp_seconds") == 1000.0
    assert {sample.name for sample in stale.samples} == {
        "sls_consumer_group_up",
        "sls_consumer_group_last_success_timestamp_seconds",
        "sls_consumer_group_poll_interval_seconds",
        "sls_consumer_group_stall_after_seconds",
        "sls_consumer_group_lag_limit_seconds",
        "sls_exporter_series",
        "sls_exporter_series_dropped",
        "sls_exporter_target_conflicts",
        "sls_exporter_targets",
    }


def test_logstore_and_listing_values_are_shown_where_known() -> None:
    status = target(
        group(shard(), listing=ConsumerGroup(name="group", order=False, timeout_seconds=60)),
        shards_by_status={"readwrite": 2, "readonly": 1},
        retention_seconds=604_800.0,
        cursor_access=False,
        retention_access=False,
    )
    found = collected(status)
    assert found.value("sls_logstore_shards", status="readonly") == 1
    assert found.value("sls_logstore_shards", status="readwrite") == 2
    assert found.value("sls_logstore_retention_seconds") == 604_800.0
    assert found.value("sls_exporter_cursor_access") == 0
    assert found.value("sls_exporter_retention_access") == 0
    assert found.value("sls_consumer_group_info", order="false", timeout_seconds="60") == 1


def test_info_of_a_group_without_a_timeout_has_an_empty_one() -> None:
    listing = ConsumerGroup(name="group", order=True, timeout_seconds=None)
    found = collected(target(group(shard(), listing=listing)))
    assert found.value("sls_consumer_group_info", order="true", timeout_seconds="") == 1


def test_settings_of_a_group_are_series_even_while_its_polls_fail() -> None:
    settings = GroupSettings(stall_after=7200.0, lag_limit=21_600.0)
    failure = Failure(code="timeout", message="too late", since=1000.0)
    status = target(
        group(shard()),
        group(name="nightly", settings=settings, failure=failure, has_snapshot=False),
    )
    found = collected(status)
    for name, limits in (("billing", (300.0, 600.0)), ("nightly", (7200.0, 21_600.0))):
        assert (
            found.value("sls_consumer_group_stall_after_seconds", consumer_group=name),
            found.value("sls_consumer_group_lag_limit_seconds", consumer_group=name),
        ) == limits


def test_same_stall_has_a_state_by_the_measure_of_each_group() -> None:
    behind = shard(unread=5, moved_at=400.0, oldest_unread_at=400.0)
    patient = GroupSettings(stall_after=600.0)
    found = collected(target(group(behind), group(behind, name="nightly", settings=patient)))
    assert found.value("sls_consumer_group_shards", consumer_group="billing", state="stalled") == 1
    assert found.value("sls_consumer_group_shards", consumer_group="nightly", state="stalled") == 0


def test_retention_of_a_group_is_shown_while_its_values_are_served() -> None:
    known = group(shard(), retention_seconds=86_400.0)
    name = "sls_consumer_group_retention_seconds"
    assert collected(target(known)).value(name) == 86_400.0
    assert not collected(target(known), at=50.0 + 900.1).find(name)
    assert not collected(target(replace(known, retention_seconds=None))).find(name)


def test_oldest_unconsumed_data_is_that_of_shards_without_a_checkpoint() -> None:
    name = "sls_consumer_group_oldest_unconsumed_timestamp_seconds"
    consumed = shard(0, unread=5, oldest_unread_at=100.0)
    never = shard(1, checkpoint="", unread=5, oldest_unread_at=300.0)
    older = shard(2, checkpoint="", unread=5, oldest_unread_at=200.0)
    empty = shard(3, checkpoint="", unread=0)
    assert not collected(target(group(consumed, empty))).find(name)
    assert collected(target(group(consumed, never, empty))).value(name) == 300.0
    hidden = group(consumed, never, older, empty, hidden=frozenset({2}))
    assert collected(target(hidden)).value(name) == 200.0
    assert not collected(target(hidden), at=50.0 + 900.1).find(name)


def test_series_counts_what_this_scrape_shows_of_polls() -> None:
    behind = shard(2, unread=5, oldest_unread_at=990.0)
    found = collected(target(group(shard(0), shard(1), behind)))
    own = {
        "sls_exporter_series",
        "sls_exporter_series_dropped",
        "sls_exporter_target_conflicts",
        "sls_exporter_targets",
    }
    assert found.value("sls_exporter_series") == sum(
        sample.name not in own for sample in found.samples
    )


def test_series_of_shards_are_bounded_group_by_group_and_counted() -> None:
    status = target(group(shard(0), shard(1), name="first"), group(shard(0), name="second"))
    whole = collected(status)
    assert whole.value("sls_exporter_series_dropped") == 0
    of_second = sum(
        "shard" in sample.labels and sample.labels["consumer_group"] == "second"
        for sample in whole.samples
    )
    of_shards = sum("shard" in sample.labels for sample in whole.samples)
    found = collected(status, config=MetricsConfig.model_construct(max_series=of_shards - 1))
    assert found.value("sls_exporter_series_dropped") == of_second
    assert {
        sample.labels["consumer_group"] for sample in found.samples if "shard" in sample.labels
    } == {"first"}
    assert found.value("sls_consumer_group_shards", consumer_group="second", state="caught_up") == 1
    assert found.value("sls_exporter_series") == whole.value("sls_exporter_series") - of_second


def test_as_many_series_of_shards_as_are_allowed_are_shown_and_not_one_more() -> None:
    names = ("first", "second", "third")
    status = target(*(group(shard(0), shard(1), name=name) for name in names))
    of_group = sum("shard" in sample.labels for sample in collected(status).samples) // len(names)
    for shown, spare in ((3, 0), (2, of_group - 1), (2, 0), (1, of_group - 1), (1, 0), (0, 9)):
        config = MetricsConfig.model_construct(max_series=shown * of_group + spare)
        found = collected(status, config=config)
        assert sum("shard" in sample.labels for sample in found.samples) == shown * of_group
        assert found.value("sls_exporter_series_dropped") == (3 - shown) * of_group


def test_targets_counts_those_that_were_not_polled_yet() -> None:
    written = b"".join(
        plain(
            PolledText().write(
                View(targets=(target(),), pending=frozenset({TargetKey(ENDPOINT, "shop", "new")})),
                MetricsConfig(),
                60.0,
            )
        )
    )
    assert parsed(written.decode()).value("sls_exporter_targets") == 2


def test_target_in_its_first_poll_counts_once() -> None:
    view = View(targets=(target(group(shard())),), pending=frozenset({KEY}))
    written = b"".join(plain(PolledText().write(view, MetricsConfig(), 60.0)))
    assert parsed(written.decode()).value("sls_exporter_targets") == 1


@settings(deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_any_label_value_comes_back_whole_in_both_formats(logstore: str, consumer: str) -> None:
    registry = CollectorRegistry()
    key = TargetKey(ENDPOINT, "shop", logstore)
    status = target(group(shard(consumer=consumer), key=key), key=key)
    for parse, accept in (
        (text_string_to_metric_families, "text/plain"),
        (parse_openmetrics, "application/openmetrics-text;version=1.0.0"),
    ):
        found = render(
            registry,
            lambda is_open: PolledText().write(
                View(targets=(status,)), MetricsConfig(), 60.0, openmetrics=is_open
            ),
            accept=accept,
        )
        written = b"".join(found.body)
        ages = [
            sample.labels
            for family in parse(written.decode())
            for sample in family.samples
            if sample.name == "sls_consumer_group_checkpoint_age_seconds"
        ]
        assert [(labels["logstore"], labels["consumer"]) for labels in ages] == [
            (logstore, consumer)
        ]


def test_catalog_names_each_metric_once_and_marks_polled_ones() -> None:
    names = [metric.name for metric in CATALOGUE]
    assert len(names) == len(set(names))
    polled = (*OF_SHARDS, *OF_GROUPS, *OF_LOGSTORES)
    assert [
        metric
        for metric in CATALOGUE
        if metric.help.endswith("Polled on the exporter's schedule, not at the scrape.")
    ] == [*polled, *OF_ENTRIES]
    assert {metric.labels[:2] for metric in polled} == {("project", "logstore")}
    assert all((metric.kind == "counter") == metric.name.endswith("_total") for metric in CATALOGUE)


def test_all_exported_metrics_are_in_the_catalog_with_their_labels() -> None:
    registry = CollectorRegistry()
    own = SelfMetrics(registry, operations=OPERATION_NAMES)
    own.request_ended(SHOP, "GetCheckPoint", 0.1, "timeout")
    own.clock_skew("https://example.com", 0.0)
    own.server_time_ignored("https://example.com")
    own.request_limit("https://example.com", "shop", 10.0)
    own.interval_usage("https://example.com", "shop", 0.1)
    own.poll_failed(group().key, "timeout")
    polled_group = group(
        shard(unread=3, lag_seconds=1.0, oldest_unread_at=990.0),
        shard(1, checkpoint="", unread=3, oldest_unread_at=990.0),
        listing=ConsumerGroup(name="group", order=True, timeout_seconds=60),
        retention_seconds=86_400.0,
    )
    polled_group = with_outlook(polled_group, catch_up=inf, loss=1.0)
    status = target(
        replace(polled_group, totals=Totals(written=0), cursor_access=True),
        shards_by_status={"readwrite": 1, "readonly": 0},
        retention_seconds=86_400.0,
        retention_access=True,
    )
    entry = EntryStatus(key=EntryKey("https://example.com", "shop"), last_success=1000.0)
    view = View(targets=(status,), entries=(entry,), matches={"projects[0].logstores[0]": 1})
    polled = PolledText().write(view, MetricsConfig(), 60.0)
    written = b"".join(render(registry, lambda _: polled).body).decode()
    catalogue = {metric.name: metric for metric in CATALOGUE}
    seen = set()
    for family in text_string_to_metric_families(written):
        if family.name.startswith(("process_", "python_")):
            continue
        name = f"{family.name}_total" if family.type == "counter" else family.name
        metric = catalogue[name]
        # The text format has no infos.
        kind = "gauge" if metric.kind == "info" else metric.kind
        assert (family.type, family.documentation) == (kind, metric.help)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), sample.name
        seen.add(name)
    assert seen == set(catalogue)


def test_constant_labels_cannot_have_the_name_of_a_label_of_a_metric() -> None:
    assert {label for family in CATALOGUE for label in family.labels} <= OWN_LABELS
