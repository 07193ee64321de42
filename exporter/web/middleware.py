"""The middleware before the application: rate limit, configured headers, basic authentication.

As in exporter-toolkit, they apply in this order and to every path, including health checks.
"""

from collections.abc import Callable, Mapping

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.base.clock import Clock
from exporter.web.auth import Authenticator
from exporter.web.config_file import WebConfig
from exporter.web.config_schema import RateLimitConfig
from exporter.web.headers import PLAIN_HEADERS
from exporter.web.workers import Workers


class TokenBucket:
    """A token bucket that is full at first. Not thread-safe: only the event loop uses it."""

    def __init__(self, limit: RateLimitConfig, now: Callable[[], float]) -> None:
        self.limit = limit
        self._now = now
        self._tokens = float(limit.burst)
        self._at = now()

    def take(self) -> bool:
        """Take a token, and return whether there was one."""
        now = self._now()
        gained = (now - self._at) / self.limit.interval
        self._tokens = min(self._tokens + gained, float(self.limit.burst))
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class AccessMiddleware:
    """An ASGI application that wraps another one. It calls ``config`` for each request."""

    def __init__(
        self,
        app: ASGIApp,
        config: Callable[[], WebConfig],
        clock: Clock,
        threads: Workers,
    ) -> None:
        self._app = app
        self._config = config
        self._clock = clock
        self._authenticator = Authenticator(threads)
        self._bucket: TokenBucket | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reject the request with 429 or 401, or pass it to the application."""
        config = self._config()
        if not self._within(config.rate_limit):
            refusal = PlainTextResponse("Too Many Requests\n", 429, headers=PLAIN_HEADERS)
            await refusal(scope, receive, send)
            return
        send = _adding(config.headers, send)
        if config.users and not await self._authenticator.accepts(
            config.users, _authorization(scope)
        ):
            headers = PLAIN_HEADERS | {"WWW-Authenticate": 'Basic realm="sls-exporter"'}
            await PlainTextResponse("Unauthorized\n", 401, headers=headers)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _within(self, limit: RateLimitConfig | None) -> bool:
        if limit is None:
            self._bucket = None
            return True
        if self._bucket is None or self._bucket.limit != limit:
            self._bucket = TokenBucket(limit, self._clock.monotonic)
        return self._bucket.take()


def _authorization(scope: Scope) -> bytes | None:
    found = [value for name, value in scope["headers"] if name == b"authorization"]
    # If there are two, it is unclear which one applies, so ignore both.
    return bytes(found[0]) if len(found) == 1 else None


def _adding(headers: Mapping[str, str], send: Send) -> Send:
    if not headers:
        return send

    # As in Go, values are sent as UTF-8. Starlette encodes them as Latin-1.
    encoded = {name: value.encode().decode("latin-1") for name, value in headers.items()}

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(encoded)
        await send(message)

    return sending
