"""Helm 3 and Helm 4 render the chart as the engine of the other tests does."""

import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings

from tests.conformance.go_programs import go_program
from tests.conformance.libraries import BUILD_SECONDS
from tests.support.chart_faults import CONTRADICTORY, INVALID, LEAST
from tests.support.chart_values import chart_values
from tests.support.helm import CI_VALUES, KUBERNETES, NAMESPACE, RELEASE, Manifest, read, render
from tools.paths import CHART

pytestmark = pytest.mark.timeout(BUILD_SECONDS)

each_helm = pytest.mark.parametrize("helm", ["helm3", "helm4"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The rendered objects, or the message of an error."""

    objects: Sequence[Manifest] = ()
    error: str | None = None


def escaped(values: Mapping[str, Any]) -> str:
    """Return values as JSON with the escapes of YAML, which does not know surrogate pairs."""
    text = json.dumps(values, ensure_ascii=False)
    return re.sub(r"[^ -~]", lambda found: f"\\U{ord(found[0]):08x}", text)


def template(helm: str, values: Mapping[str, Any]) -> Result:
    """Render with Helm, which reads the values from standard input."""
    # The real releases of Helm get their default version of Kubernetes at their build.
    flags = ("--namespace", NAMESPACE, "--kube-version", KUBERNETES[-1], "--values", "-")
    done = subprocess.run(
        [go_program(helm), "template", RELEASE, CHART, *flags],
        input=escaped(values),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        return Result(error=done.stdout + done.stderr)
    return Result(objects=in_order(yaml.load_all(done.stdout, yaml.CSafeLoader)))


def in_order(manifests: Iterable[Manifest | None]) -> list[Manifest]:
    """Return objects ordered by kind and name; Helm orders them by their installation."""
    found = [each for each in manifests if each is not None]
    return sorted(found, key=lambda each: (each["kind"], each["metadata"]["name"]))


def message_or_number(each: object) -> str | None:
    return each if isinstance(each, str) else None


@each_helm
def test_helm_lints_the_chart_without_a_warning(helm: str) -> None:
    done = subprocess.run(
        [go_program(helm), "lint", "--strict", CHART, "--values", CHART / "ci/least-values.yaml"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 chart(s) linted, 0 chart(s) failed" in done.stdout
    assert "[" not in done.stdout, "the level of a message"


@each_helm
@pytest.mark.parametrize("path", CI_VALUES, ids=lambda path: path.stem)
def test_objects_of_a_feature_are_those_of_the_engine(helm: str, path: Path) -> None:
    values = read(path)
    assert template(helm, values) == Result(objects=in_order(render(values).manifests))


@each_helm
@pytest.mark.parametrize(("values", "message"), INVALID, ids=message_or_number)
def test_invalid_value_is_rejected_with_its_location(
    helm: str, values: Mapping[str, Any], message: str
) -> None:
    error = template(helm, {**LEAST, **values}).error
    assert error is not None
    assert message in error


@each_helm
@pytest.mark.parametrize(("values", "message"), CONTRADICTORY, ids=message_or_number)
def test_contradictory_values_are_rejected_with_an_explanation(
    helm: str, values: Mapping[str, Any], message: str | None
) -> None:
    found = template(helm, {**LEAST, **values})
    if message is None:
        assert found == Result(objects=in_order(render({**LEAST, **values}).manifests))
    else:
        assert found.error is not None
        assert message in found.error


@settings(
    max_examples=20,
    deadline=None,
    # Without shrinking, which renders for minutes.
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(values=chart_values())
def test_random_values_have_the_objects_or_the_error_of_the_engine(values: dict[str, Any]) -> None:
    found = [template(helm, values) for helm in ("helm3", "helm4")]
    try:
        expected = Result(objects=in_order(render(values).manifests))
    except helm_python.HelmRenderError as error:
        message = str(error).partition("): ")[2]
        assert message, "behind the position in the template"
        assert all(message in (each.error or "") for each in found)
    else:
        assert found == [expected, expected]
