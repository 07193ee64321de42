"""A small world behind a simulator, with a client of it."""

from collections.abc import Iterator

import pytest

from exporter.simulator.server import Simulator
from exporter.simulator.world import World
from tests.support.held_clock import HeldClock
from tests.support.simulator_client import Client
from tests.support.simulator_worlds import small_world


@pytest.fixture
def placed() -> tuple[HeldClock, World]:
    return small_world()


@pytest.fixture
def held(placed: tuple[HeldClock, World]) -> HeldClock:
    return placed[0]


@pytest.fixture
def world(placed: tuple[HeldClock, World]) -> World:
    return placed[1]


@pytest.fixture
def simulator(world: World) -> Iterator[Simulator]:
    with Simulator(world) as simulator:
        yield simulator


@pytest.fixture
def client(simulator: Simulator, held: HeldClock) -> Iterator[Client]:
    with Client(simulator=simulator, wall=held.wall) as client:
        yield client
