"""The order of the tests, in which those that take long begin first.

Otherwise one of them might begin last, and run alone while the other workers have ended.
"""

import pytest

LONGEST = (
    "tests/conformance/test_soak.py",
    "tests/conformance/test_consumer_libraries.py",
    "tests/conformance/test_prometheus.py",
    "tests/conformance/test_victoria_metrics.py",
    "tests/simulation/truth/test_table.py",
    "tests/process/test_wheel.py",
    "tests/process/test_kill.py",
    "tests/simulation/",
    "tests/process/",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first, and keep the random order otherwise."""
    items.sort(key=lambda item: rank(item.nodeid))


def rank(name: str) -> int:
    """Return the place of a test among the longest ones, the last place if it is none of them."""
    found = (place for place, start in enumerate(LONGEST) if name.startswith(start))
    return next(found, len(LONGEST))
