"""Target: names from an API response, all the way to the lines of a scrape."""

import gzip
import json

from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text_format
from prometheus_client.samples import Sample

from exporter.config.schema import MetricsConfig
from exporter.evaluation.shard import evaluate
from exporter.metrics import exposition
from exporter.metrics.polled_text import PolledText
from exporter.model.names import GroupKey, TargetKey
from exporter.model.progress import ShardEnd, Unread
from exporter.model.shards import decode_cursor
from exporter.model.snapshot import (
    GroupSnapshot,
    GroupStatus,
    Instant,
    TargetStatus,
    View,
)
from exporter.sls import json_values, responses
from tests.fuzz.checks import require, require_showable
from tests.fuzz.reader import NUMBERS, Reader
from tests.support.snapshots import ENDPOINT

NOW = 1_700_000_000.0
_OPENMETRICS = "application/openmetrics-text; version=1.0.0"
_LONGEST = 256


def labels(data: bytes) -> None:
    """Scrape a group whose responses have any names; the scrape must contain the same names."""
    reader = Reader(data)
    status = _status(reader)
    text, config = PolledText(), MetricsConfig.model_construct(consumer_label=reader.below(4) != 1)
    text.prepare(status, config)
    for now in (0.0, 1e6):
        found = [
            [
                each
                for family in read(_scraped(text, status, config, now, accept))
                for each in family.samples
            ]
            for accept, read in (("", text_format), (_OPENMETRICS, openmetrics))
        ]
        require(found[0] == found[1], "the formats differ")
        _compare(found[0], status, config)


def _scraped(
    text: PolledText, status: TargetStatus, config: MetricsConfig, now: float, accept: str
) -> str:
    plain, packed = (
        b"".join(
            exposition.render(
                CollectorRegistry(),
                lambda is_open: text.write(
                    View(targets=(status,)), config, now, openmetrics=is_open
                ),
                accept=accept,
                accept_encoding=encoding,
            ).body
        )
        for encoding in ("", "gzip")
    )
    require(gzip.decompress(packed) == plain, "compressed it is another text")
    require(b"\r" not in plain, "a line is cut in two")
    return plain.decode()


def _compare(samples: list[Sample], status: TargetStatus, config: MetricsConfig) -> None:
    for sample in samples:
        for value in sample.labels.values():
            require_showable(value, _LONGEST)
    up = [each.labels["consumer_group"] for each in samples if each.name == "sls_consumer_group_up"]
    require(up == [group.key.consumer_group for group in status.groups], "another group")
    told = [
        (each.labels["shard"], each.labels.get("consumer"))
        for each in samples
        if each.name == "sls_consumer_group_checkpoint_age_seconds"
    ]
    wanted = [
        (str(shard.shard), shard.consumer if config.consumer_label else None)
        for group in status.groups
        if group.snapshot is not None
        for shard in group.snapshot.shards
        if shard.updated_at is not None
    ]
    # An empty label is an absent one.
    require(
        [(shard, each or None) for shard, each in told]
        == [(shard, each or None) for shard, each in wanted],
        "other owners",
    )


def _status(reader: Reader) -> TargetStatus:
    listed = _sent({"logstores": [reader.text()], "total": 1})
    names = responses.logstore_names(listed).names.entries or ("orders",)
    listed = _sent([{"name": reader.text(), "timeout": reader.pick(NUMBERS)}])
    groups = responses.consumer_groups(listed).entries
    key = TargetKey(ENDPOINT, "shop", names[0])
    return TargetStatus(
        key=key,
        groups=tuple(
            GroupStatus(
                key=GroupKey(*key, group.name),
                snapshot=_snapshot(reader),
                last_success=NOW,
                interval=60.0,
                stale_after=1e9,
                listing=group,
            )
            for group in groups
        ),
        polled_monotonic=0.0,
        stale_after=1e9,
        shards_by_status={"readwrite": 1},
        retention_seconds=86_400.0,
        cursor_access=True,
    )


def _snapshot(reader: Reader) -> GroupSnapshot:
    entries = [
        {
            "shard": number,
            "checkpoint": reader.pick(("MTA=", "", "MQ==")),
            "updateTime": reader.pick(NUMBERS),
            "consumer": reader.text(),
        }
        for number in range(reader.below(4))
    ]
    found = responses.read_checkpoints(json.dumps(entries).encode(), NOW).entries
    shards = tuple(
        evaluate(
            each,
            previous=None,
            end=ShardEnd(cursor=decode_cursor("MTA=") or 0, readonly=False),
            unread=Unread(oldest_at=NOW - 5),
            seen_at=NOW,
        )
        for each in found
    )
    return GroupSnapshot(polled=Instant(server=NOW, monotonic=0.0), shards=shards)


def _sent(answer: object) -> object:
    """Return a response after it has passed through JSON, as every response does."""
    return json_values.load_json(json.dumps(answer).encode())
