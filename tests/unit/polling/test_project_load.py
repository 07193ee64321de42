"""The load of a project: the rate and the time that its polls need, and their budget."""

from functools import partial

import pytest

from exporter.model.snapshot import TargetStatus
from exporter.polling.fanout import FanOut
from exporter.polling.project_load import ProjectLoad
from exporter.polling.refinements import EXACT_READINGS
from exporter.polling.targets import Target
from tests.support.snapshots import group, shard
from tests.support.snapshots import target as status_of
from tests.support.targets import target


class Load:
    """The load of a project on a held clock."""

    def __init__(self, *targets: Target) -> None:
        self.now = 1000.0
        self.load = ProjectLoad(monotonic=lambda: self.now)
        for each in targets:
            self.load.expect(each)

    def begin(self, logstore: str = "store-0", requests: int = 0) -> FanOut:
        fan = FanOut()
        self.load.started(logstore, fan)
        for _ in range(requests):
            fan.add(lambda: None, lambda _: None, priority=(0.0,))
        return fan

    def poll(
        self,
        *,
        requests: int,
        seconds: float = 0.0,
        logstore: str = "store-0",
        status: TargetStatus | None = None,
    ) -> None:
        self.begin(logstore, requests).run()
        self.now += seconds
        self.load.ended(logstore, status or status_of(group()))


def logstores(count: int, *, interval: float = 60.0) -> list[Target]:
    """Return logstores of one group and two shards: 4 requests at rest."""
    return [target(number, interval=interval) for number in range(count)]


# The request rate


def test_project_without_logstores_needs_nothing() -> None:
    load = Load()
    assert load.load.needed() == 0.0
    assert load.load.usage_ratio() == 0.0


def test_first_polls_need_to_fit_in_half_of_an_interval() -> None:
    assert Load(*logstores(30)).load.needed() == pytest.approx(30 * 4 / 30.0)


def test_polls_need_what_the_last_one_took_with_a_quarter_more() -> None:
    load = Load(*logstores(1))
    load.poll(requests=48)
    assert load.load.needed() == pytest.approx(48 / 60.0 * 1.25)


def test_large_poll_fades_over_the_next_ones() -> None:
    load = Load(*logstores(1))
    for requests, expected in ((64, 64), (4, 34), (4, 19), (4, 11.5)):
        load.poll(requests=requests)
        assert load.load.needed() == pytest.approx(expected / 60.0 * 1.25)


def test_poll_under_way_needs_the_rest_of_its_requests_in_the_rest_of_half_its_interval() -> None:
    load = Load(*logstores(1))
    load.poll(requests=40)
    load.begin(requests=100)
    assert load.load.needed() == pytest.approx(100 / 30.0)
    load.now += 20.0
    assert load.load.needed() == pytest.approx(100 / 10.0)
    load.now += 100.0
    assert load.load.needed() == 100.0, "a late poll needs all of them within a second"


def test_poll_under_way_is_expected_to_need_what_the_last_one_took() -> None:
    load = Load(*logstores(1))
    load.poll(requests=60)
    load.begin()
    assert load.load.needed() == pytest.approx(60 / 30.0)


def test_poll_that_was_stopped_does_not_change_what_is_expected() -> None:
    load = Load(*logstores(1))
    load.poll(requests=40)
    load.begin(requests=3).run()
    load.load.ended("store-0", None)
    assert load.load.needed() == pytest.approx(40 / 60.0 * 1.25)


def test_logstores_that_left_need_nothing() -> None:
    load = Load(*logstores(2))
    load.poll(requests=40)
    load.load.keep_only({"store-1"})
    assert load.load.needed() == pytest.approx(4 / 30.0)
    load.poll(requests=40)
    assert load.load.needed() == pytest.approx(4 / 30.0)


def test_logstore_with_another_interval_is_measured_again() -> None:
    load = Load(*logstores(1))
    load.poll(requests=600)
    load.load.expect(target(0))
    assert load.load.needed() == pytest.approx(12.5)
    load.load.expect(target(0, interval=30.0))
    assert load.load.needed() == pytest.approx(4 / 15.0)


# The share of the interval


def test_usage_is_the_longest_poll_by_its_interval() -> None:
    load = Load(*logstores(2))
    load.poll(requests=1, seconds=30.0)
    load.poll(requests=1, seconds=15.0, logstore="store-1")
    assert load.load.usage_ratio() == 0.5


def test_usage_is_the_sum_of_the_polls_if_they_wait_for_few_workers() -> None:
    load = Load(*(target(number, workers=2) for number in range(4)))
    for number in range(4):
        load.poll(requests=1, seconds=45.0, logstore=f"store-{number}")
    assert load.load.usage_ratio() == 1.5


def test_polls_that_do_not_fit_have_a_usage_above_1() -> None:
    load = Load(target(0, interval=60.0), target(1, interval=30.0))
    load.poll(requests=1, seconds=40.0)
    load.poll(requests=1, seconds=40.0, logstore="store-1")
    assert load.load.usage_ratio() == pytest.approx(4 / 3)


def test_usage_counts_a_poll_while_it_runs() -> None:
    load = Load(*logstores(1))
    load.begin(requests=1)
    load.now += 90.0
    assert load.load.usage_ratio() == 1.5, "the first poll has not ended yet"
    load.load.ended("store-0", status_of(group()))
    load.begin()
    load.now += 6.0
    assert load.load.usage_ratio() == 1.5, "the new poll is shorter so far"
    load.load.ended("store-0", status_of(group()))
    assert load.load.usage_ratio() == 0.1


def test_usage_counts_current_polls_that_hold_all_workers() -> None:
    load = Load(*(target(number, workers=2) for number in range(4)))
    for number in range(2):
        load.begin(f"store-{number}", requests=1)
    load.now += 120.0
    assert load.load.usage_ratio() == 2.0


# Budget


def test_half_of_what_the_rate_allows_is_shared_after_what_polls_need() -> None:
    load = Load(*logstores(10))
    budget = partial(load.load.budget, 60.0)
    assert budget(10.0) == ((300 - 40) // 10, EXACT_READINGS)
    assert budget(100.0) == ((3000 - 40) // 10, EXACT_READINGS)


def test_poll_may_spend_two_requests_however_low_the_rate_is() -> None:
    assert Load(*logstores(10)).load.budget(60.0, 0.1)[0] == 2


def test_logstores_with_shorter_intervals_count_as_often_as_they_are_polled() -> None:
    load = Load(*logstores(10, interval=30.0))
    assert load.load.budget(60.0, 10.0)[0] == (300 - 80) // 10


@pytest.mark.parametrize(("count", "exact"), [(45, EXACT_READINGS), (46, 0)])
def test_large_projects_read_no_times_for_exactness_alone(count: int, exact: int) -> None:
    assert Load(*logstores(count)).load.budget(60.0, 1000.0)[1] == exact


def test_number_of_shards_counts_as_it_was_listed() -> None:
    load = Load(*logstores(1))
    listed = status_of(group(), shards_by_status={"readwrite": 90, "readonly": 8})
    load.poll(requests=100, status=listed)
    assert load.load.budget(60.0, 10.0)[0] == 300 - 100


def test_shards_of_other_consumers_count_as_a_fifth() -> None:
    load = Load(target(0, consumers=("mine",)))
    shards = [shard(number, consumer="mine" if number < 8 else "other") for number in range(98)]
    listed = status_of(group(*shards, name="group-0"), shards_by_status={"readwrite": 98})
    load.poll(requests=10, status=listed)
    assert load.load.budget(60.0, 10.0)[0] == 300 - (2 + 8 + 18)
