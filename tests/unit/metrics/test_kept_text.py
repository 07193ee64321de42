"""The text of a poll's results, written once after the poll and kept until the next poll."""

from collections.abc import ItemsView, Iterator

import pytest

from exporter.config.schema import MetricsConfig
from exporter.metrics.gzip_stream import Part, Piece, plain
from exporter.metrics.polled_text import PolledText
from exporter.model.progress import ShardProgress
from exporter.model.snapshot import GroupSnapshot, GroupStatus, Instant, View
from tests.support.snapshots import group, shard, target


class ReadShards(tuple[ShardProgress, ...]):
    """Shards that count how often they are iterated."""

    __slots__ = ()
    reads = 0

    def __iter__(self) -> Iterator[ShardProgress]:
        ReadShards.reads += 1
        return super().__iter__()


class ReadCounts(dict[str, int]):
    """Numbers of shards by their status, which count how often they are iterated."""

    reads = 0

    def items(self) -> ItemsView[str, int]:  # type: ignore[override]  # a built-in dict view
        ReadCounts.reads += 1
        return super().items()


class Polled:
    """A logstore with a group, and whether its parts were read since the previous check."""

    def __init__(self) -> None:
        self.text = PolledText()
        snapshot = GroupSnapshot(
            polled=Instant(server=1000.0, monotonic=50.0), shards=ReadShards([shard()])
        )
        self.group = GroupStatus(
            key=group().key, snapshot=snapshot, interval=60, stale_after=180.0, stall_after=300.0
        )
        self.status = target(self.group, shards_by_status=ReadCounts(readwrite=1))
        self._seen = (ReadShards.reads, ReadCounts.reads)

    def scrape(self, config: MetricsConfig) -> None:
        written = b"".join(plain(self.text.write(View(targets=(self.status,)), config, 60.0)))
        assert b"sls_logstore_shards" in written

    def read(self) -> tuple[bool, bool]:
        """Return whether the shards of the group were read, and those of the logstore."""
        before, self._seen = self._seen, (ReadShards.reads, ReadCounts.reads)
        return self._seen[0] > before[0], self._seen[1] > before[1]


CONFIG = MetricsConfig()


@pytest.fixture
def polled() -> Polled:
    return Polled()


def test_scrape_does_not_read_prepared_shards_again(polled: Polled) -> None:
    polled.text.prepare(polled.status, CONFIG)
    assert polled.read() == (True, True)
    polled.scrape(CONFIG)
    polled.scrape(CONFIG)
    assert polled.read() == (False, False)


def test_group_that_is_prepared_during_a_poll_is_not_read_again(polled: Polled) -> None:
    polled.text.prepare_group(polled.group, CONFIG)
    assert polled.read() == (True, False)
    polled.scrape(CONFIG)
    assert polled.read() == (False, True)


def test_what_no_poll_has_prepared_the_first_scrape_does(polled: Polled) -> None:
    polled.scrape(CONFIG)
    assert polled.read() == (True, True)
    polled.scrape(CONFIG)
    assert polled.read() == (False, False)


def test_new_configuration_causes_groups_to_be_written_again(polled: Polled) -> None:
    polled.text.prepare(polled.status, CONFIG)
    polled.read()
    polled.scrape(MetricsConfig.model_construct(consumer_label=False))
    assert polled.read() == (True, False)


def test_keep_only_forgets_text_of_absent_groups_and_logstores(polled: Polled) -> None:
    polled.text.prepare(polled.status, CONFIG)
    polled.read()
    polled.text.keep_only([polled.group.key])
    polled.scrape(CONFIG)
    assert polled.read() == (False, False)
    polled.text.keep_only([polled.group.key._replace(consumer_group="mail")])
    polled.scrape(CONFIG)
    assert polled.read() == (True, False)
    polled.text.keep_only([polled.group.key._replace(logstore="clicks")])
    polled.scrape(CONFIG)
    assert polled.read() == (True, True)


# Text that is kept compressed


def kept(consumer: str) -> list[Part]:
    """Return the text of the only value that a shard has between polls."""
    only = shard(consumer=consumer, updated_at=None, unread=None)
    parts = PolledText().write(View(targets=(target(group(only)),)), MetricsConfig(), 60.0)
    return [
        part
        for part in parts
        if next(iter(plain([part]))).startswith(b"sls_consumer_group_lag_seconds{")
    ]


def test_only_lines_of_more_than_2048_bytes_are_compressed_by_themselves() -> None:
    (short,) = kept("")
    assert isinstance(short, bytes)
    room = 2048 - len(short)
    (whole,) = kept("w" * room)
    assert isinstance(whole, bytes)
    assert len(whole) == 2048
    (compressed,) = kept("w" * (room + 1))
    assert isinstance(compressed, Piece)
    assert compressed.text() == whole.replace(b'="w', b'="ww')


def test_defaults_show_a_million_series_of_shards_with_their_consumers() -> None:
    config = MetricsConfig()
    assert (config.granularity, config.consumer_label) == ("shard", True)
    assert config.max_series == 1_000_000
