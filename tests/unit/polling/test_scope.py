"""The scope of polls: which names are polled, and which requests they cause."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.config.patterns import Pattern
from exporter.polling.scope import EVERYTHING, Scope
from exporter.simulator.demo_world import AUDIT, CLICKS, ORDERS, PLATFORM, SHOP
from tests.support.commands import Demo, assembled, demo_world


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with demo_world(tmp_path) as served:
        yield served


def found(demo: Demo, scope: Scope) -> set[tuple[str, str, str]]:
    """Return the names of the groups that are polled in a scope."""
    with assembled(demo, scope=scope) as parts:
        parts.manager.discover()
        return {
            (*target.key.names, group.name)
            for target in parts.manager.targets
            for group in target.groups
        }


def test_everything_is_polled_by_default(demo: Demo) -> None:
    assert len(found(demo, EVERYTHING)) == 9


def test_patterns_must_match_whole_names(demo: Demo) -> None:
    assert found(demo, Scope(consumer_group=Pattern.parse("st.*d"))) == {(SHOP, ORDERS, "stalled")}
    assert found(demo, Scope(logstore=Pattern.parse("udit"))) == set()
    assert found(demo, Scope(project=Pattern.parse("demo-platform"))) == {
        (PLATFORM, AUDIT, "expired"),
        (PLATFORM, AUDIT, "steady"),
    }


def test_all_patterns_must_match(demo: Demo) -> None:
    scope = Scope(
        project=Pattern.parse("demo-s.*"),
        logstore=Pattern.parse(f"{ORDERS}|{CLICKS}"),
        consumer_group=Pattern.parse("steady"),
    )
    assert found(demo, scope) == {(SHOP, ORDERS, "steady"), (SHOP, CLICKS, "steady")}


def test_names_beyond_the_scope_cause_no_requests(demo: Demo) -> None:
    found(demo, Scope(project=Pattern.parse(PLATFORM)))
    assert not [each for each in demo.simulator.requests if each.project == SHOP]
    found(demo, Scope(logstore=Pattern.parse(ORDERS)))
    listed = {each.logstore for each in demo.simulator.requests if each.project == SHOP}
    assert listed <= {ORDERS, "", None}
