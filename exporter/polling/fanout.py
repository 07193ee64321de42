"""Requests about one logstore, sent in parallel. Requests that get no response come last.

This module does not depend on the kind of request: groups, shards or listings.
"""

import heapq
import threading
from collections.abc import Callable, Collection, Hashable, Iterable
from itertools import count
from typing import Any, Generic, NamedTuple, TypeVar

from exporter.sls.errors import Cancelled, SlsError, TimedOut, Unreachable

LIMIT = 3
"""After this many requests without a response, a round skips those that would hardly get one."""

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

Submit = Callable[[Callable[[], None]], object]
"""Runs a callable on another thread. Raises RuntimeError after a stop."""


class Unresponsive(Generic[K]):
    """A record, kept from round to round, of the things that got no response.

    Once a round has had ``LIMIT`` requests without a response, it skips the things that got none
    the last time, or all things if it is not ``trusting``. It does not lock: callers do.
    """

    def __init__(self, *, trusting: bool = True) -> None:
        self._trusting = trusting
        self._turns = count(1)
        self._last: dict[K, int] = {}
        self._failures: list[TimedOut | Unreachable] = []

    def begin_round(self, things: Collection[K]) -> list[K]:
        """Begin a round with these things, forget all others, and return them in turn."""
        self._failures = []
        self._last = {thing: turn for thing, turn in self._last.items() if thing in things}
        return self.in_turn(things)

    def in_turn(self, things: Iterable[K]) -> list[K]:
        """Sort things: first those that responded, then those that were silent longest ago."""
        return sorted(things, key=lambda thing: self._last.get(thing, 0))

    def is_suspect(self, thing: K) -> bool:
        """Return whether a thing got no response the last time."""
        return thing in self._last

    def check(self, thing: K) -> None:
        """Raise the error of previous requests if this one would hardly get a response."""
        if len(self._failures) >= LIMIT and not (self._trusting and thing not in self._last):
            latest = self._failures[-1]
            raise type(latest)(
                f"skipped because {LIMIT} earlier requests got no response",
                operation=latest.operation,
            )

    def note(self, thing: K, error: SlsError | None) -> None:
        """Remember the outcome of a request about a thing."""
        if isinstance(error, TimedOut | Unreachable):
            self._failures.append(error)
            self._last[thing] = next(self._turns)
        else:
            self._last.pop(thing, None)

    def ask(self, thing: K, request: Callable[[], T]) -> T:
        """Make a request about a thing on this thread, or skip it; raises SlsError."""
        self.check(thing)
        try:
            response = request()
        except SlsError as error:
            if isinstance(error, TimedOut | Unreachable):
                self.note(thing, error)
            raise
        self.note(thing, None)
        return response


class FanOut:
    """The requests of one poll, sent on several threads in the order of their priority.

    The thread that calls ``run`` takes part. It asks ``submit`` for at most ``width - 1`` more,
    which help while there is work; without ``submit`` it works alone. A response is handled on the
    thread that received it, under one lock, and this may add requests.
    """

    def __init__(
        self,
        *,
        submit: Submit | None = None,
        width: int = 1,
        on_response: Callable[[], None] = lambda: None,
    ) -> None:
        self._submit = submit
        self._helpers_wanted = width - 1 if submit else 0
        self._on_response = on_response
        self._condition = threading.Condition()
        self._order = count()
        self._queue: list[_Request] = []
        self._under_way = 0
        self._helpers = 0
        self._failure: BaseException | None = None
        self._spare_waiting = 0
        self.sent = 0
        """Number of requests so far, except spare ones."""

    @property
    def waiting(self) -> int:
        """Number of requests that are not sent yet, except spare ones."""
        return len(self._queue) - self._spare_waiting

    def add(
        self,
        request: Callable[[], T],
        then: Callable[[T | SlsError], None],
        *,
        priority: tuple[float, ...],
        is_spare: bool = False,
    ) -> None:
        """Queue a request; lower priorities go first. ``then`` gets its result or its error.

        Raise StopRequest in ``request`` to skip it without a result. A spare request is no reason
        to send requests faster, so it is not counted.
        """
        with self._condition:
            order = next(self._order)
            heapq.heappush(self._queue, _Request(priority, order, request, then, is_spare))
            self._spare_waiting += is_spare
            self._condition.notify()
            # The thread that runs this takes one request itself, so that it does not idle.
            others = len(self._queue) + self._under_way - 1
            is_helper_wanted = self._helpers < min(self._helpers_wanted, others)
            self._helpers += is_helper_wanted
        if is_helper_wanted and self._submit is not None:
            try:
                self._submit(self._help)
            except RuntimeError:  # the exporter is stopping
                with self._condition:
                    self._helpers -= 1

    def run(self) -> None:
        """Send requests until none is queued or active. Raises Cancelled and unexpected errors."""
        while True:
            self._work()
            with self._condition:
                self._condition.wait_for(lambda: self._queue or not self._under_way)
                if not self._queue and not self._under_way:
                    break
        failure, self._failure = self._failure, None
        try:
            if failure is not None:
                raise failure
        finally:
            del failure  # its traceback refers to this frame, and to connections

    def _help(self) -> None:
        try:
            self._work()
        finally:
            with self._condition:
                self._helpers -= 1

    def _work(self) -> None:
        while (request := self._take()) is not None:
            try:
                outcome: Any = _outcome(request.send)
                self._on_response()
                with self._condition:
                    if outcome is not _SKIPPED and self._failure is None:
                        request.then(outcome)
            except BaseException as error:  # noqa: BLE001  run() raises it on the poll's own thread
                with self._condition:
                    self._failure = self._failure or error
                    self._queue.clear()
                    self._spare_waiting = 0
            finally:
                with self._condition:
                    self._under_way -= 1
                    self._condition.notify_all()

    def _take(self) -> "_Request | None":
        with self._condition:
            if not self._queue:
                return None
            self._under_way += 1
            request = heapq.heappop(self._queue)
            self._spare_waiting -= request.is_spare
            self.sent += not request.is_spare
            return request


class StopRequest(Exception):  # noqa: N818  not an error
    """A signal from a queued request that is no longer needed when its turn comes."""


class _Request(NamedTuple):
    """A queued request, sorted by its priority. ``order`` is unique and decides between equals."""

    priority: tuple[float, ...]
    order: int
    send: Callable[[], Any]
    then: Callable[[Any], None]
    is_spare: bool


_SKIPPED = object()


def _outcome(request: Callable[[], T]) -> object:
    try:
        return request()
    except StopRequest:
        return _SKIPPED
    except Cancelled:
        raise
    except SlsError as error:
        return error
