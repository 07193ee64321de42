"""The page about conformance lists its tests."""

import re

from tests.support.docs import read
from tools.paths import ROOT


def test_every_file_of_conformance_is_in_the_table() -> None:
    section = read("docs/testing.md").partition("\n## Conformance\n")[2].partition("\n## ")[0]
    rows = "".join(line for line in section.splitlines() if line.startswith("|"))
    files = {path.name for path in (ROOT / "tests" / "conformance").glob("test_*.py")}
    assert set(re.findall(r"`(test_\w+\.py)`", rows)) == files
