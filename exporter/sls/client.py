"""The operations that an exporter reads, each with its deadline, retries and pace.

All of them only read: HeartBeat and UpdateCheckPoint would take part in what is watched.
"""

import random
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Protocol, TypeVar
from urllib.parse import quote

from msgspec import Struct

from exporter.base.clock import Clock
from exporter.model.credentials import Credentials, CredentialsUnavailableError, Refreshable
from exporter.model.endpoint import Endpoint
from exporter.model.shards import Checkpoint, ConsumerGroup, Shard
from exporter.sls import responses
from exporter.sls.errors import (
    Cancelled,
    InvalidResponse,
    NoCredentials,
    SlsError,
    TimedOut,
    api_error,
    is_expired_token,
    is_passing,
)
from exporter.sls.json_values import Parsed, ShapeError, load_json, of_json
from exporter.sls.reading import Response
from exporter.sls.request_rate import RequestRate
from exporter.sls.signing import SignatureVersion, V1Auth, V4Auth
from exporter.sls.timeouts import AdaptiveTimeout
from exporter.sls.transport import Transport

TRIES = 3
_BACKOFF_SECONDS = 0.2
_BACKOFF_CAP_SECONDS = 5.0
PAGE_SIZE = 500
MAX_PAGES = 200
_MAX_LISTED = MAX_PAGES * PAGE_SIZE
# Unix seconds of this century: what has other digits tells no time that a skew could explain.
_UNIX_SECONDS = re.compile(r"[1-3][0-9]{9}")

T = TypeVar("T")


class Observer(Protocol):
    """What a client tells of its requests; a try that is cancelled is not told."""

    def request_ended(self, operation: str, seconds: float, error_code: str | None) -> None:
        """Take note of one try, with the code of its error if it failed."""
        ...

    def request_retried(self, operation: str) -> None:
        """Take note that a failed try will be followed by another."""
        ...

    def clock_skew(self, endpoint: str, seconds: float) -> None:
        """Take note of the server's clock minus ours, in seconds."""
        ...


class ClientSettings(Struct, frozen=True, kw_only=True):
    """How to reach one project."""

    endpoint: Endpoint
    project: str | None
    """None for the listing of projects, which asks the endpoint itself."""
    signature: SignatureVersion
    region: str | None
    timeout: float
    """Seconds for one operation, its retries included; fewer while the project answers nothing."""


class SlsClient:
    """A client of one project, safe to share between threads.

    Every operation raises SlsError, of the tree in ``exporter.sls.errors``, and nothing else.
    """

    def __init__(
        self,
        settings: ClientSettings,
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
        self._rate = rate
        self._credentials = credentials
        self._observer = observer
        self._clock = clock
        self._cancelled = cancelled
        self._uniform = uniform
        self._patience = AdaptiveTimeout(settings.timeout)
        self._told: tuple[float, float] | None = None
        self._place = str(settings.endpoint)
        self._base_url = settings.endpoint.base_url(settings.project)
        self._host = settings.endpoint.host_header(settings.project)

    def server_now(self) -> float:
        """Return the server's clock, unix seconds; ours before the first answer.

        It is that of the newest answer, carried on by a clock that does not jump.
        """
        told = self._told
        if told is None:
            return self._clock.wall()
        server, monotonic = told
        return server + self._clock.monotonic() - monotonic

    def get_checkpoints(self, logstore: str, consumer_group: str) -> Parsed[Checkpoint]:
        """Return the checkpoint of every shard of a consumer group (GetCheckPoint)."""
        return self._call(
            "GetCheckPoint",
            f"/logstores/{_part(logstore)}/consumergroups/{_part(consumer_group)}",
            lambda body: responses.read_checkpoints(body, now=self.server_now()),
        )

    def list_consumer_groups(self, logstore: str) -> Parsed[ConsumerGroup]:
        """Return the consumer groups of a logstore, system groups included (ListConsumerGroup)."""
        return self._call(
            "ListConsumerGroup",
            f"/logstores/{_part(logstore)}/consumergroups",
            of_json(responses.consumer_groups),
        )

    def list_shards(self, logstore: str) -> Parsed[Shard]:
        """Return the shards of a logstore, read-only ones included (ListShards)."""
        return self._call(
            "ListShards", f"/logstores/{_part(logstore)}/shards", of_json(responses.shards)
        )

    def get_cursor(self, logstore: str, shard: int, position: str) -> str:
        """Return the cursor at ``begin``, at ``end`` (of the next write) or at unix seconds."""
        return self._call(
            "GetCursor",
            f"/logstores/{_part(logstore)}/shards/{shard}",
            of_json(responses.cursor),
            {"type": "cursor", "from": position},
        )

    def get_cursor_time(self, logstore: str, shard: int, cursor: str) -> int:
        """Return when the service received the log group at a cursor, whole unix seconds."""
        return self._call(
            "GetCursorTime",
            f"/logstores/{_part(logstore)}/shards/{shard}",
            of_json(responses.cursor_time),
            {"type": "cursor_time", "cursor": cursor},
        )

    def get_retention_days(self, logstore: str) -> int:
        """Return for how many days the logstore keeps its logs (GetLogStore)."""
        return self._call(
            "GetLogStore", f"/logstores/{_part(logstore)}", of_json(responses.retention_days)
        )

    def list_logstores(self) -> Parsed[str]:
        """Return the names of all logstores of the project, page by page (ListLogStores)."""
        return self._listing("ListLogStores", "/logstores", responses.logstore_names)

    def list_projects(self) -> Parsed[str]:
        """Return the names of all projects of the account here, page by page (ListProject)."""
        return self._listing("ListProject", "/", responses.project_names)

    def _listing(
        self, operation: str, path: str, parse: Callable[[object], responses.Page]
    ) -> Parsed[str]:
        names: list[str] = []
        faults: list[str] = []
        offset = 0
        for _ in range(MAX_PAGES):
            query = {"offset": str(offset), "size": str(PAGE_SIZE)}
            page = self._call(operation, path, of_json(parse), query)
            names += page.names.entries
            faults += page.names.faults
            offset += page.count
            if page.count == 0 or offset >= page.total:
                return Parsed(entries=tuple(dict.fromkeys(names)), faults=tuple(faults))
            if offset >= _MAX_LISTED:
                break
        raise InvalidResponse(
            f"the listing goes on beyond {MAX_PAGES} pages of {PAGE_SIZE}", operation=operation
        )

    def _call(
        self,
        operation: str,
        path: str,
        parse: Callable[[bytes], T],
        query: Mapping[str, str] | None = None,
    ) -> T:
        self._wait_for_place(self._rate.reserve() or 0.0, operation)
        with self._patience.request() as seconds:
            return self._tries(operation, path, parse, query or {}, time.monotonic() + seconds)

    def _tries(
        self,
        operation: str,
        path: str,
        parse: Callable[[bytes], T],
        query: Mapping[str, str],
        deadline: float,
    ) -> T:
        """Try until it succeeds, fails for good, or the deadline or the tries are used up."""
        failures: list[SlsError] = []
        while True:
            try:
                return self._try(operation, path, parse, query, deadline)
            except SlsError as error:
                failures.append(error)
                again = error.retryable or self._renewed(failures)
                pause = self._pause(len(failures), deadline) if again else None
                if pause is None:
                    # A try in what little time was left tells less than what came before it.
                    if isinstance(error, TimedOut) and len(failures) > 1:
                        raise failures[-2] from error
                    raise
                self._wait_for_place(pause, operation)
                self._observer.request_retried(operation)

    def _renewed(self, failures: Sequence[SlsError]) -> bool:
        """Have expired credentials fetched anew, once an operation; tell whether that helped."""
        expired = [is_expired_token(error) for error in failures]
        return (
            expired[-1]
            and not any(expired[:-1])
            and isinstance(self._credentials, Refreshable)
            and self._credentials.refresh()
        )

    def _pause(self, tried: int, deadline: float) -> float | None:
        """Return the seconds before another try, with full jitter; None if there is to be none."""
        pause = self._uniform(0.0, min(_BACKOFF_CAP_SECONDS, _BACKOFF_SECONDS * 2**tried))
        if tried == TRIES or time.monotonic() + pause >= deadline:
            return None
        place = self._rate.reserve(before=deadline)
        return None if place is None else max(pause, place)

    def _wait_for_place(self, seconds: float, operation: str) -> None:
        self._wait(seconds, operation)
        while (seconds := self._rate.begin()) > 0:
            self._wait(seconds, operation)

    def _wait(self, seconds: float, operation: str) -> None:
        if self._cancelled.wait(seconds) if seconds > 0 else self._cancelled.is_set():
            raise Cancelled(operation=operation)

    def _try(
        self,
        operation: str,
        path: str,
        parse: Callable[[bytes], T],
        query: Mapping[str, str],
        deadline: float,
    ) -> T:
        started = time.monotonic()
        code: str | None = None
        try:
            auth = self._auth(operation)
            sent = self._clock.monotonic()
            answer = self._transport.get(
                self._base_url,
                path,
                operation=operation,
                query=query,
                host=self._host,
                auth=auth,
                deadline=deadline,
            )
            self._note_skew(answer, sent)
            return _parsed(answer, operation, parse)
        except SlsError as error:
            code = error.code
            raise
        finally:
            if code != "cancelled":
                self._observer.request_ended(operation, time.monotonic() - started, code)

    def _auth(self, operation: str) -> V1Auth | V4Auth:
        try:
            credentials = self._credentials()
        except CredentialsUnavailableError as error:
            self._wait(0.0, operation)
            raise NoCredentials(str(error), operation=operation) from error
        if self._settings.signature == "v4":
            return V4Auth(credentials, region=self._settings.region or "", wall=self._clock.wall)
        return V1Auth(credentials, wall=self._clock.wall)

    def _note_skew(self, answer: Response, sent: float) -> None:
        """Report the least skew that explains whole seconds and the time on the way."""
        text = answer.headers.get("x-log-time", "")
        if not _UNIX_SECONDS.fullmatch(text):
            return
        server = int(text)
        # By the monotonic clock, since ours may jump while a request is under way.
        wall, monotonic = self._clock.wall(), self._clock.monotonic()
        behind = server - wall
        ahead = server + 1 - (wall - (monotonic - sent))
        skew = max(behind, 0.0) or min(ahead, 0.0)
        self._told = wall + skew, monotonic
        self._observer.clock_skew(self._place, skew)


def _parsed(answer: Response, operation: str, parse: Callable[[bytes], T]) -> T:
    request_id = answer.headers.get("x-log-requestid", "")
    try:
        if answer.status == HTTPStatus.OK:
            return parse(answer.body)
        refusal = responses.refusal(load_json(answer.body))
    except ShapeError as error:
        raise InvalidResponse(
            str(error),
            operation=operation,
            status=answer.status,
            request_id=request_id,
            # Proxies answer in their own way while what is behind them is away.
            retryable=is_passing(answer.status),
        ) from error
    raise api_error(
        operation=operation,
        status=answer.status,
        code=refusal.code,
        message=refusal.message,
        request_id=request_id,
    )


def _part(name: str) -> str:
    return quote(name, safe="", errors="replace")
