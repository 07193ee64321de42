"""The newest results of listings: their entries, their state, and the time of the next attempt."""

from collections.abc import Sequence

import pytest

from exporter.config.credentials import CredentialsConfig
from exporter.model.names import EntryKey, GroupKey, TargetKey
from exporter.model.snapshot import EntryStatus
from exporter.polling.listings import ListingKey, Listings
from exporter.sls.errors import AccessDenied, Cancelled, NotFound, SlsError, TimedOut
from exporter.sls.json_values import Parsed
from tests.support.held_clock import HeldClock
from tests.support.log_lines import Log
from tests.support.snapshots import ENDPOINT

KEY = EntryKey("https://sls.example.com", "shop")
LISTING = ListingKey(KEY, None)
ONE, OTHER = (
    CredentialsConfig(access_key_id=f"id-{name}", access_key_secret="-")
    for name in ("one", "other")
)
LATE = TimedOut("late", operation="ListLogStores")
DENIED = AccessDenied("no", operation="ListLogStores", code="Unauthorized", status=401)
GONE = NotFound("no", operation="ListLogStores", code="ProjectNotExist", status=404)


class Kept:
    """Listings on a held clock, with their log."""

    def __init__(self) -> None:
        self.held = HeldClock(1000.0)
        self.log = Log()
        self.counted: list[tuple[GroupKey, str]] = []
        self.listings = Listings(
            lambda key, code: self.counted.append((key, code)),
            self.log.logger,
            clock=self.held.clock,
        )

    def read(self, outcome: SlsError | Sequence[str], key: ListingKey = LISTING) -> EntryStatus:
        """Read a listing that fails, or that has these entries."""

        def request() -> Parsed[str]:
            if isinstance(outcome, SlsError):
                raise outcome
            return Parsed(entries=tuple(outcome), faults=())

        return self.listings.read(key, TargetKey(ENDPOINT, "shop", ""), request)


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_success_has_its_time_and_no_failure(kept: Kept) -> None:
    assert kept.read(["a"]) == EntryStatus(key=KEY, last_success=1000.0)
    assert kept.listings.entries(LISTING) == ("a",)


def test_failure_keeps_entries_and_the_time_of_the_last_success(kept: Kept) -> None:
    kept.read(["a"])
    kept.held.advance(60.0)
    kept.read(LATE)
    kept.held.advance(60.0)
    status = kept.read(LATE)
    assert status.last_success == 1000.0
    assert status.failure is not None
    assert (status.failure.code, status.failure.since) == ("timeout", 1060.0)
    assert kept.listings.entries(LISTING) == ("a",)
    assert kept.counted == [(GroupKey(ENDPOINT, "shop", "", ""), "timeout")] * 2
    assert kept.listings.failing == {GroupKey(ENDPOINT, "shop", "", "")}
    assert kept.read([]).failure is None
    assert kept.listings.entries(LISTING) == ()
    assert kept.listings.failing == frozenset()
    assert [line["msg"] for line in kept.log.events] == ["poll fails", "poll recovered"]


def test_object_that_does_not_exist_loses_its_entries(kept: Kept) -> None:
    kept.read(["a"])
    assert kept.read(GONE).last_success == 1000.0
    assert kept.listings.entries(LISTING) == ()


def test_listing_is_due_again_soon_until_its_first_success(kept: Kept) -> None:
    assert kept.listings.is_due(LISTING)
    kept.read(LATE)
    assert not kept.listings.is_due(LISTING)
    assert kept.listings.seconds_to_due() == 1.0
    assert kept.listings.unread == 1
    kept.held.advance(1.0)
    assert kept.listings.is_due(LISTING)
    kept.read(["a"])
    kept.read(LATE)
    kept.held.advance(3600.0)
    assert not kept.listings.is_due(LISTING)
    assert kept.listings.seconds_to_due() is None
    assert kept.listings.unread == 0


def test_refused_listing_is_due_later_and_does_not_count_as_unread(kept: Kept) -> None:
    kept.read(DENIED)
    assert kept.listings.seconds_to_due() == 30.0
    assert kept.listings.unread == 0


def test_stop_during_a_listing_changes_nothing(kept: Kept) -> None:
    with pytest.raises(Cancelled):
        kept.read(Cancelled(operation="ListLogStores"))
    assert kept.counted == []
    assert kept.listings.is_due(LISTING)


def test_listings_that_are_not_needed_are_forgotten(kept: Kept) -> None:
    other = ListingKey(KEY._replace(project="bank"), None)
    kept.read(LATE)
    kept.read(["b"], other)
    kept.listings.keep_only({other})
    assert kept.listings.seconds_to_due() is None
    assert kept.listings.failing == frozenset()
    assert kept.listings.entries(other) == ("b",)


def test_new_credentials_keep_what_was_listed_with_the_old_ones(kept: Kept) -> None:
    old, new = ListingKey(KEY, ONE), ListingKey(KEY, OTHER)
    kept.read(["a"], old)
    assert kept.listings.entries(new) == ("a",)
    kept.listings.keep_only({new})
    kept.read(DENIED, new)
    assert kept.listings.entries(new) == ("a",)


def test_each_account_has_its_own_entries_and_one_failure_is_that_of_all(kept: Kept) -> None:
    one, other = ListingKey(KEY, ONE), ListingKey(KEY, OTHER)
    kept.read(["a"], one)
    assert kept.read(DENIED, other).failure is not None
    assert kept.listings.entries(other) == ()
    kept.held.advance(60.0)
    status = kept.read(["a"], one)
    assert status.failure is not None
    assert status.last_success is None
    kept.held.advance(60.0)
    assert kept.read(["b"], other) == EntryStatus(key=KEY, last_success=1060.0)
    kept.listings.keep_only({one, other})
    assert [kept.listings.entries(key) for key in (one, other)] == [("a",), ("b",)]
