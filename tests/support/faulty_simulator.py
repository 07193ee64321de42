"""A simulator that injects the failures of a plan into its responses."""

import socket
import ssl
from collections.abc import Sequence
from typing import TypedDict, Unpack

from exporter.model.credentials import Credentials
from exporter.simulator.calls import Call
from exporter.simulator.server import Simulator
from exporter.simulator.wire import Request
from exporter.simulator.world import World
from tests.support.exchange import Exchange
from tests.support.fault_plan import FaultPlan


class Options(TypedDict, total=False):
    """The keyword arguments of a simulator."""

    credentials: Sequence[Credentials]
    address: tuple[str, int]
    tls: ssl.SSLContext | None
    check_signatures: bool
    check_clock: bool


class FaultySimulator(Simulator):
    """A simulator whose fault plan can change while the server runs."""

    def __init__(self, world: World, **options: Unpack[Options]) -> None:
        super().__init__(world, **options)
        self.faults = FaultPlan()

    def close(self) -> None:
        """Close the fault plan, then the server."""
        self.faults.close()
        super().close()

    def respond(self, call: Call, request: Request, connection: socket.socket) -> bool:
        """Let the first injected fault that matches a request replace the regular response."""
        planned = self.faults.match(call)
        if planned is None:
            return super().respond(call, request, connection)
        exchange = Exchange(
            request=request,
            connection=connection,
            released=planned.released,
            answer=lambda: self.response_to(call, request),
            note=lambda status: self.record(call, request, status),
        )
        planned.fault.apply(exchange)
        return exchange.keep_alive
