"""The consumer libraries that the documents name."""

import pytest

from tests.conformance.libraries import LIBRARIES, Library
from tools.paths import ROOT


@pytest.mark.parametrize("library", LIBRARIES, ids=str)
def test_page_about_compatibility_names_each_library(library: Library) -> None:
    page = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith("| Consumer libraries |")]
    assert f"`{library.package}` {library.version}" in row


@pytest.mark.parametrize("library", LIBRARIES, ids=str)
def test_results_name_each_library_with_the_version_that_was_run(library: Library) -> None:
    page = (ROOT / "docs" / "truth.md").read_text(encoding="utf-8")
    assert f"`{library.package}` {library.version}" in page
    assert f"| {library.name} library |" in page
