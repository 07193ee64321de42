"""Everything that the schema of the values accepts renders to valid objects, or is explained."""

from collections import Counter
from typing import Any

import helm_python
from hypothesis import HealthCheck, Phase, given, settings

from tests.support.chart_values import chart_values
from tests.support.helm import KUBERNETES, check, render


@settings(
    max_examples=40,
    deadline=None,
    # Without shrinking, which renders for minutes.
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(values=chart_values())
def test_values_of_the_schema_render_to_valid_objects_or_are_explained(
    values: dict[str, Any],
) -> None:
    try:
        found = render(values)
    except helm_python.HelmRenderError as error:
        # The function fail of a template, and no error of the template itself.
        assert str(error).startswith("execution error at (")  # noqa: PT017
        return
    names: Counter[tuple[str, ...]] = Counter()
    for manifest in found.manifests:
        check(manifest, KUBERNETES[-1])
        metadata = manifest["metadata"]
        names[manifest["kind"], metadata.get("namespace", "watch"), metadata["name"]] += 1
    assert [name for name, count in names.items() if count > 1] == []
