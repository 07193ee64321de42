"""Every generated file is current."""

import pytest

from tools.generate import GENERATED, main
from tools.paths import CHART, ROOT


@pytest.mark.parametrize("name", GENERATED)
def test_generated_file_is_current(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == GENERATED[name](), "run make generate"


def test_every_dashboard_and_copied_file_of_the_chart_is_generated() -> None:
    shipped = {
        path.relative_to(ROOT).as_posix()
        for folder in ("dashboards", "files")
        for path in (CHART / folder).iterdir()
    }
    assert shipped <= GENERATED.keys()


def test_name_of_a_file_that_is_not_generated_is_rejected(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["README.md"]) == 2
    assert capsys.readouterr().err.startswith("not generated: README.md; ")
