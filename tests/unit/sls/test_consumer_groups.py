"""Consumer groups of a listing that lacks some of their settings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.shards import ConsumerGroup
from exporter.sls.json_values import Parsed
from exporter.sls.responses import consumer_groups


@pytest.mark.parametrize(
    "timeout", [None, -1, 2**31 + 1, 0.5, 1e300, "", "soon", True, [60], {"seconds": 60}]
)
def test_group_without_a_usable_timeout_is_a_group(timeout: object) -> None:
    answer = [{"name": "billing", "timeout": timeout, "order": True}]
    expected = ConsumerGroup(name="billing", timeout_seconds=None, order=True)
    assert consumer_groups(answer) == Parsed(entries=(expected,))


VALUES: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just([])
)


@given(
    st.fixed_dictionaries(
        {"name": st.just("billing")}, optional={"timeout": VALUES, "order": VALUES}
    )
)
def test_group_with_a_name_is_always_a_group(entry: object) -> None:
    (group,) = consumer_groups([entry]).entries
    assert group.name == "billing"
    assert group.timeout_seconds is None or group.timeout_seconds >= 0
