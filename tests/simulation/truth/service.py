"""A simulated service with a latency and a quota, on a held clock."""

from collections.abc import Callable

from msgspec import Struct

from benchmarks.standin import TokenBucket
from exporter.simulator.calls import Call
from exporter.simulator.errors import ServiceError
from exporter.simulator.wire import Request, Response
from exporter.simulator.world import World
from tests.support.faulty_simulator import FaultySimulator


class Service(Struct, frozen=True, kw_only=True):
    """The speed of the service and its quota.

    ``seconds`` is by how much one request delays the next: the latency, divided by the number of
    requests that are under way at the same time. ``quota`` is in requests per second.
    """

    seconds: float = 0.0
    quota: float | None = None


FAST = Service()


class SlowSimulator(FaultySimulator):
    """A simulator that lets time pass while it responds, and refuses what is over a quota."""

    def __init__(
        self,
        world: World,
        service: Service,
        *,
        pass_time: Callable[[float], None],
        monotonic: Callable[[], float],
    ) -> None:
        super().__init__(world)
        self._seconds = service.seconds
        self._pass_time = pass_time
        self._monotonic = monotonic
        quota = service.quota
        self._bucket = None if quota is None else TokenBucket(quota, now=monotonic())

    def response_to(self, call: Call, request: Request) -> Response:
        """Respond with the state in the middle of the time that the response takes."""
        if self._seconds:
            self._pass_time(self._seconds / 2)
        if self._bucket is not None and not self._bucket.take(self._monotonic()):
            return self._error(ServiceError(403, "ReadQuotaExceed", "too many reads"))
        response = super().response_to(call, request)
        if self._seconds:
            self._pass_time(self._seconds / 2)
        return response
