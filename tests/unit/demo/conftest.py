"""One small world for all tests of the simulator."""

import pytest

from aisle.demo.traffic import simulate
from aisle.demo.world import World, WorldConfig
from aisle.types import Event


@pytest.fixture(scope="session")
def world() -> World:
    return World(WorldConfig(n_groups=240, n_shoppers=300, seed=5, days=10))


@pytest.fixture(scope="session")
def history(world: World) -> list[Event]:
    return list(simulate(world))
