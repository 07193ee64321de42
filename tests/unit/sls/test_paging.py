"""Listings in pages that change while they are read."""

from collections.abc import Callable, Sequence

import pytest
from msgspec import Struct

from exporter.simulator.world import World
from exporter.sls.errors import InvalidResponse, TimedOut
from exporter.sls.json_values import Parsed
from exporter.sls.paging import read_listing
from exporter.sls.responses import Page
from tests.support.exchange import Exchange
from tests.support.faulty_simulator import FaultySimulator
from tests.support.simulator_worlds import PROJECT, small_world
from tests.support.sls_client import rig


def pages_of(readings: Sequence[Sequence[str]], *, size: int) -> Callable[[int], Page]:
    """Return a reader of pages, before each of which the listing becomes the next one."""
    listings = iter(readings)

    def read_page(offset: int) -> Page:
        names = next(listings)
        entries = tuple(names[offset : offset + size])
        return Page(names=Parsed(entries=entries, faults=()), count=len(entries), total=len(names))

    return read_page


def listed(*readings: str, size: int = 2) -> str:
    """List names of one letter."""
    return "".join(read_listing(pages_of(readings, size=size), "ListLogStores").entries)


def test_listing_that_does_not_change_is_read_once() -> None:
    assert listed("abc", "abc") == "abc"


def test_listing_that_shrinks_between_two_pages_is_read_again() -> None:
    assert listed("abcde", "bcde", "bcde", "bcde") == "bcde"


def test_listing_that_grows_between_two_pages_is_read_again() -> None:
    assert listed("bcd", "abcd", "abcd", "abcd") == "abcd"


def test_listing_that_becomes_empty_is_read_again() -> None:
    assert listed("abc", "", "") == ""


def test_listing_that_changes_in_each_reading_has_the_names_of_all_readings() -> None:
    assert listed("abcd", "bcd", "bcd", "cd", "xcd", "cd") == "abdcx"


def test_name_on_two_pages_is_listed_once() -> None:
    assert listed("ab..", "..bc") == "abc"


@pytest.mark.parametrize(("names", "pages"), [(1, 200), (500, 200), (10_000, 10)])
def test_endless_listing_is_an_error(names: int, pages: int) -> None:
    offsets: list[int] = []

    def read_page(offset: int) -> Page:
        offsets.append(offset)
        return Page(names=Parsed(entries=("a",), faults=()), count=names, total=2_000_000_000)

    with pytest.raises(InvalidResponse, match="the listing goes on beyond 200 pages of 500"):
        read_listing(read_page, "ListLogStores")
    assert offsets == [names * page for page in range(pages)]


def test_page_that_fails_fails_the_listing() -> None:
    def read_page(offset: int) -> Page:
        if offset:
            raise TimedOut("late", operation="ListLogStores")
        return Page(names=Parsed(entries=("a",), faults=()), count=1, total=2)

    with pytest.raises(TimedOut):
        read_listing(read_page, "ListLogStores")


class DeletionAfterPage(Struct, frozen=True, kw_only=True):
    """The regular response, after which a logstore is deleted."""

    world: World
    logstore: str

    def apply(self, exchange: Exchange) -> None:
        """Delete the logstore, and respond as if it still existed."""
        response = exchange.answer()
        self.world.delete_logstore(PROJECT, self.logstore)
        exchange.respond(response)


def test_logstore_stays_when_another_is_deleted_between_two_pages() -> None:
    held, world = small_world()
    for number in range(520):
        world.create_logstore(PROJECT, f"store-{number:03}", shards=1)
    with (
        FaultySimulator(world) as simulator,
        rig(simulator.endpoint, clock=held.clock) as made,
    ):
        deletion = DeletionAfterPage(world=world, logstore="store-007")
        simulator.faults.add(deletion, operation="ListLogStores", times=1)
        found = made.client.list_logstores().entries
    assert sorted(found) == sorted(world.logstores(PROJECT))
    assert len(found) == 520
