"""The operations of SLS as methods, each with its deadline, retries and request rate."""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar
from urllib.parse import quote, unquote, urlencode

from msgspec import Struct

from exporter.base.clock import Clock
from exporter.config.settings import ProjectSettings
from exporter.http.failure import HttpFailure
from exporter.http.response import Response
from exporter.http.transport import Transport
from exporter.model.credentials import Credentials, CredentialsUnavailableError, Refreshable
from exporter.model.names import ProjectKey
from exporter.model.shards import Checkpoint, ConsumerGroup, Shard
from exporter.sls import operations
from exporter.sls.errors import (
    CLOCK_CODES,
    Cancelled,
    NoCredentials,
    SlsError,
    Throttled,
    TimedOut,
    http_error,
    is_rejected_key,
)
from exporter.sls.json_values import Parsed
from exporter.sls.observer import Observer
from exporter.sls.operations import Operation
from exporter.sls.paging import PAGE_SIZE, read_listing
from exporter.sls.request_rate import RequestRate
from exporter.sls.responses import Page, parsed
from exporter.sls.server_clock import ServerClock
from exporter.sls.signing import RequestParts, V1Auth, V4Auth
from exporter.sls.timeouts import AdaptiveTimeout

TRIES = 3
_BACKOFF_SECONDS = 0.2
_BACKOFF_CAP_SECONDS = 5.0
_SMOOTHING = 20  # of the latency: about this many requests count

T = TypeVar("T")


class SlsClient:
    """A client of one project, safe to share between threads.

    ``project`` is None for the listing of projects, which asks the endpoint itself. An operation
    may take ``polling.timeout``, retries included, and less while the project does not respond.
    While SLS refuses it for a quota, it is sent again for up to ``polling.interval``.

    Every operation raises SlsError, of the tree in ``exporter.sls.errors``, and nothing else.
    """

    def __init__(
        self,
        settings: ProjectSettings,
        project: str | None,
        *,
        transport: Transport,
        rate: RequestRate,
        credentials: Callable[[], Credentials],
        observer: Observer,
        clock: Clock,
        cancelled: threading.Event,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self.rate = rate
        """The request rate of the project."""
        self._credentials = credentials
        self._observer = observer
        self._clock = clock
        self._cancelled = cancelled
        self._uniform = uniform
        self._timeout = AdaptiveTimeout(settings.polling.timeout)
        self.latency: float | None = None
        """Mean duration of the last requests in seconds, None before the first."""
        self._project = ProjectKey(str(settings.endpoint), project or "")
        self._server_clock = ServerClock(clock, endpoint=str(settings.endpoint), observer=observer)
        self._base_url = settings.endpoint.base_url(project)
        self._host = settings.endpoint.host_header(project)

    def server_now(self) -> float:
        """Return the server's time in Unix seconds, or the exporter's before the first response."""
        return self._server_clock.now()

    def get_checkpoints(self, logstore: str, consumer_group: str) -> Parsed[Checkpoint]:
        """Return the checkpoint of every shard of a consumer group (GetCheckPoint)."""
        return self._call(
            operations.GET_CHECKPOINT, logstore=logstore, consumer_group=consumer_group
        )

    def list_consumer_groups(self, logstore: str) -> Parsed[ConsumerGroup]:
        """Return the consumer groups of a logstore, system groups included (ListConsumerGroup)."""
        return self._call(operations.LIST_CONSUMER_GROUPS, logstore=logstore)

    def list_shards(self, logstore: str) -> Parsed[Shard]:
        """Return the shards of a logstore, read-only ones included (ListShards)."""
        return self._call(operations.LIST_SHARDS, logstore=logstore)

    def get_cursor(self, logstore: str, shard: int, position: str) -> str:
        """Return the cursor at ``begin``, at ``end`` (of the next write) or at unix seconds."""
        return self._call(
            operations.GET_CURSOR, logstore=logstore, shard=str(shard), position=position
        )

    def get_cursor_time(self, logstore: str, shard: int, cursor: str) -> int:
        """Return when the service received the log group at a cursor, whole unix seconds."""
        return self._call(
            operations.GET_CURSOR_TIME, logstore=logstore, shard=str(shard), cursor=cursor
        )

    def get_retention_days(self, logstore: str) -> int:
        """Return for how many days the logstore keeps its logs (GetLogStore)."""
        return self._call(operations.GET_LOGSTORE, logstore=logstore)

    def list_logstores(self) -> Parsed[str]:
        """Return the names of all logstores of the project, page by page (ListLogStores)."""
        return self._pages(operations.LIST_LOGSTORES)

    def list_projects(self) -> Parsed[str]:
        """Return the names of all projects of the account here, page by page (ListProject)."""
        return self._pages(operations.LIST_PROJECTS)

    def _pages(self, operation: Operation[Page]) -> Parsed[str]:
        return read_listing(
            lambda offset: self._call(operation, offset=str(offset), size=str(PAGE_SIZE)),
            operation.name,
        )

    def _call(self, operation: Operation[T], **parameters: str) -> T:
        """Send a request in its slot, and again in another slot while SLS throttles it."""
        request = _Request(operation, operation.path_of(parameters), operation.query_of(parameters))
        failures: list[SlsError] = []
        began = self._wait_for_slot(self.rate.reserve() or 0.0, operation.name)
        give_up = began + self._settings.polling.interval
        try:
            while True:
                try:
                    with self._timeout.request() as seconds:
                        return self._attempts(request, failures, began, time.monotonic() + seconds)
                except Throttled:
                    seconds_to_slot = self.rate.reserve(before=give_up)
                    if seconds_to_slot is None:
                        raise
                    began = self._wait_for_slot(seconds_to_slot, operation.name)
                    if began >= give_up:  # The limit was cut during the wait.
                        raise
                    self._observer.request_retried(operation.name)
        finally:
            failures.clear()  # their tracebacks refer to the list, and to connections

    def _attempts(
        self, request: "_Request[T]", failures: list[SlsError], began: float, deadline: float
    ) -> T:
        """Retry until the request succeeds, fails permanently or has no time or attempts left."""
        while True:
            try:
                return self._attempt(request, deadline)
            except Throttled:
                self.rate.refused(began)
                raise
            except SlsError as error:
                failures.append(error)
                again = error.retryable or self._renewed(failures, request.credentials)
                pause = self._pause(len(failures), deadline) if again else None
                if pause is None:
                    # The time left was short, so the failure before this timeout is more useful.
                    if isinstance(error, TimedOut) and len(failures) > 1:
                        raise failures[-2] from error
                    raise
                began = self._wait_for_slot(pause, request.operation.name)
                self._observer.request_retried(request.operation.name)

    def _renewed(self, failures: Sequence[SlsError], used: Credentials | None) -> bool:
        """Renew rejected credentials, once per operation. Return whether there are other ones."""
        rejected = [is_rejected_key(error) for error in failures]
        return (
            rejected[-1]
            and not any(rejected[:-1])
            and used is not None
            and isinstance(self._credentials, Refreshable)
            and self._credentials.refresh(used)
        )

    def _pause(self, tried: int, deadline: float) -> float | None:
        """Return the seconds before the next attempt, with full jitter; None if it is the last."""
        pause = self._uniform(0.0, min(_BACKOFF_CAP_SECONDS, _BACKOFF_SECONDS * 2**tried))
        left = deadline - time.monotonic()
        if tried == TRIES or pause >= left:
            return None
        seconds = self.rate.reserve(before=self.rate.monotonic() + left)
        return None if seconds is None else max(pause, seconds)

    def _wait_for_slot(self, seconds: float, operation: str) -> float:
        """Wait, begin the request in its slot, and return a time of the rate not after that."""
        self._wait(seconds, operation)
        began = self.rate.monotonic()
        while (seconds := self.rate.begin()) > 0:
            self._wait(seconds, operation)
            began = self.rate.monotonic()
        return began

    def _wait(self, seconds: float, operation: str) -> None:
        if self.rate.wait(self._cancelled, seconds) if seconds > 0 else self._cancelled.is_set():
            raise Cancelled(operation=operation)

    def _attempt(self, request: "_Request[T]", deadline: float) -> T:
        operation = request.operation
        started = time.monotonic()
        code: str | None = None
        skew: float | None = None
        try:
            auth = self._auth(request)
            sent = self._clock.monotonic()
            response = self._send(request, auth, deadline)
            skew = self._server_clock.note(response, sent=sent)
            return parsed(
                response,
                operation.name,
                lambda body: operation.read(body, self.server_now()),
            )
        except SlsError as error:
            if request.credentials is not None:
                error.conceal(request.credentials.secrets)
            code = error.code
            if code in CLOCK_CODES and skew is not None:
                self._server_clock.report(skew)
            raise
        finally:
            if code != "cancelled":
                seconds = time.monotonic() - started
                known = self.latency
                self.latency = seconds if known is None else known + (seconds - known) / _SMOOTHING
                self._observer.request_ended(self._project, operation.name, seconds, code)

    def _send(self, request: "_Request[T]", auth: V1Auth | V4Auth, deadline: float) -> Response:
        headers = {"Host": self._host}
        # A lone surrogate in a cursor, which only a wrong response has, becomes a question mark.
        query = {
            name: value.encode(errors="replace").decode() for name, value in request.query.items()
        }
        parts = RequestParts(method="GET", path=unquote(request.path), query=query, headers=headers)
        target = f"{request.path}?{urlencode(query, quote_via=quote)}" if query else request.path
        try:
            return self._transport.send(
                "GET",
                self._base_url,
                target,
                headers={**headers, **auth.sign(parts)},
                deadline=deadline,
            )
        except HttpFailure as failure:
            raise http_error(failure, request.operation.name) from failure

    def _auth(self, request: "_Request[T]") -> V1Auth | V4Auth:
        try:
            request.credentials = credentials = self._credentials()
        except CredentialsUnavailableError as error:
            self._wait(0.0, request.operation.name)
            raise NoCredentials(str(error), operation=request.operation.name) from error
        if self._settings.signature == "v4":
            return V4Auth(credentials, region=self._settings.region or "", wall=self._clock.wall)
        return V1Auth(credentials, wall=self._clock.wall)


class _Request(Struct, Generic[T]):
    """One operation as it is sent, and the credentials of the latest attempt."""

    operation: Operation[T]
    path: str
    query: Mapping[str, str]
    credentials: Credentials | None = None
