"""The world that several tests of commands begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import Demo, demo_world


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """Serve the world of the demonstration."""
    with demo_world(tmp_path) as served:
        yield served
