"""The newest result of each listing that the configuration needs.

A listing that fails keeps the entries of its last success. Until the first success, it is due again
soon.
"""

import threading
from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

from exporter.base.clock import Clock
from exporter.config.credentials import CredentialsConfig
from exporter.config.settings import ProjectSettings
from exporter.logs.logger import Logger
from exporter.model.names import EntryKey, GroupKey, TargetKey
from exporter.model.snapshot import EntryStatus
from exporter.polling.failures import failure_of, retry_seconds
from exporter.polling.outages import Outages
from exporter.sls.errors import Cancelled, NotFound, SlsError
from exporter.sls.json_values import Parsed

Entries = tuple[object, ...]


class ListingKey(NamedTuple):
    """A listing, with the credentials that it is read with (None for the default)."""

    entry: EntryKey
    credentials: CredentialsConfig | None


def listing_key(settings: ProjectSettings, project: str = "", logstore: str = "") -> ListingKey:
    """Return the key of a listing of projects, or of a project or logstore if one is given."""
    return ListingKey(EntryKey(str(settings.endpoint), project, logstore), settings.credentials)


class Listings:
    """The newest result of each listing, kept from round to round and over reloads.

    ``count`` gets the project or logstore and the code of each failure. Threads may share an
    instance.
    """

    def __init__(
        self, count: Callable[[GroupKey, str], None], log: Logger, *, clock: Clock
    ) -> None:
        self._count = count
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._listings: dict[EntryKey, dict[CredentialsConfig | None, _Listing]] = {}

    @property
    def failing(self) -> frozenset[GroupKey]:
        """The projects and logstores whose listings fail."""
        with self._lock:
            return frozenset().union(*(listing.outages.failing for listing in self._all()))

    @property
    def unread(self) -> int:
        """Number of listings that have never succeeded for a reason that can pass by itself."""
        with self._lock:
            return sum(
                listing.is_unread and not listing.failure_is_refusal for listing in self._all()
            )

    def entries(self, key: ListingKey) -> Entries:
        """Return the entries of the last successful listing.

        If a listing was only read with other credentials, its entries are returned.
        """
        with self._lock:
            known = self._listings.get(key.entry, {})
            listing = known.get(key.credentials) or next(iter(known.values()), None)
            return listing.entries if listing else ()

    def read(
        self, key: ListingKey, reported: TargetKey, request: Callable[[], Parsed[Any]]
    ) -> EntryStatus:
        """Read a listing, and return the new status of all listings with the same key.

        ``reported`` is the name in logs and counts. Raises Cancelled when the exporter stops.
        """
        with self._lock:
            of_key = self._listings.setdefault(key.entry, {})
            listing = of_key.get(key.credentials)
            if listing is None:
                listing = _Listing(key.entry, Outages(self._count, self._log, clock=self._clock))
        try:
            parsed = request()
        except Cancelled:
            raise
        except SlsError as error:
            listing.outages.poll_failed(reported, "", error)
            with self._lock:
                listing.failed(error, self._clock)
        else:
            if parsed.faults:
                listing.outages.entries_skipped(reported, "", parsed.faults)
            with self._lock:
                listing.succeeded(parsed.entries, self._clock)
        listing.outages.end_poll()
        with self._lock:
            of_key[key.credentials] = listing
            return min((each.status for each in of_key.values()), key=_goodness)

    def is_due(self, key: ListingKey) -> bool:
        """Return whether a listing has never succeeded, and it is time for the next attempt."""
        with self._lock:
            listing = self._listings.get(key.entry, {}).get(key.credentials)
            if listing is None:
                return True
            return listing.is_unread and self._clock.monotonic() >= listing.due_at

    def never_read(self, keys: Iterable[ListingKey]) -> Collection[EntryKey]:
        """Return what is listed by those that have never succeeded."""
        with self._lock:
            found = {key: self._listings.get(key.entry, {}).get(key.credentials) for key in keys}
        return {key.entry for key, each in found.items() if each is None or each.is_unread}

    def seconds_to_due(self) -> float | None:
        """Return the seconds until a listing is due; None if all have succeeded once."""
        with self._lock:
            due_at = min((each.due_at for each in self._all() if each.is_unread), default=None)
        return None if due_at is None else max(0.0, due_at - self._clock.monotonic())

    def keep_only(self, keys: Collection[ListingKey]) -> None:
        """Forget all other listings. A listing whose credentials have changed is kept."""
        wanted: dict[EntryKey, set[CredentialsConfig | None]] = {}
        for entry, credentials in keys:
            wanted.setdefault(entry, set()).add(credentials)
        with self._lock:
            known, self._listings = self._listings, {}
            for key in known.keys() & wanted.keys():
                kept = {each: known[key][each] for each in known[key].keys() & wanted[key]}
                left = [known[key][each] for each in known[key].keys() - wanted[key]]
                self._listings[key] = kept | dict(
                    zip(wanted[key] - kept.keys(), left, strict=False)
                )

    def _all(self) -> list["_Listing"]:
        return [listing for of_key in self._listings.values() for listing in of_key.values()]


class ListingReader:
    """A reader of listings for one pass over the configuration, which reads each of them once.

    ``needed`` are the listings that the pass has come across. Threads may share an instance.
    """

    def __init__(
        self,
        listings: Listings,
        is_wanted: Callable[[ListingKey], bool],
        on_entry: Callable[[EntryStatus], None],
    ) -> None:
        self._listings = listings
        self._is_wanted = is_wanted
        self._on_entry = on_entry
        self._read: set[ListingKey] = set()
        self.needed: set[ListingKey] = set()

    def entries(
        self, key: ListingKey, reported: TargetKey, request: Callable[[], Parsed[Any]]
    ) -> Entries:
        """Return the entries of a listing; if it fails or is not wanted, those of the last one."""
        self.needed.add(key)
        if key not in self._read and self._is_wanted(key):
            self._on_entry(self._listings.read(key, reported, request))
            self._read.add(key)
        return self._listings.entries(key)


class _Listing:
    """The newest result of one listing."""

    def __init__(self, key: EntryKey, outages: Outages) -> None:
        self.outages = outages
        self.entries: Entries = ()
        self.status = EntryStatus(key=key)
        self.due_at = 0.0
        """Monotonic time of the next attempt, while no attempt has succeeded."""

    @property
    def is_unread(self) -> bool:
        """True if no attempt has succeeded."""
        return self.status.last_success is None

    @property
    def failure_is_refusal(self) -> bool:
        """True if SLS refused the last attempt."""
        failure = self.status.failure
        return failure is not None and failure.is_refusal

    def succeeded(self, entries: Entries, clock: Clock) -> None:
        """Note a successful attempt."""
        self.entries = entries
        self.status = EntryStatus(key=self.status.key, last_success=clock.wall())

    def failed(self, error: SlsError, clock: Clock) -> None:
        """Note a failed attempt. A definite "does not exist" removes the entries."""
        now, before = clock.wall(), self.status
        failure = failure_of(error, since=before.failure.since if before.failure else now)
        self.status = EntryStatus(key=before.key, last_success=before.last_success, failure=failure)
        self.due_at = clock.monotonic() + retry_seconds(failure, now)
        if isinstance(error, NotFound):
            self.entries = ()


def _goodness(status: EntryStatus) -> tuple[bool, float]:
    return status.failure is None, status.last_success or 0.0
