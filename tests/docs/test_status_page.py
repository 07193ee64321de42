import json
import re

from exporter.status import api, rows
from exporter.status.selection import FAILING, KEYS, NAMES, TROUBLE
from exporter.status.wording import CAUSE_NAMES
from tests.support.status_views import document_of, varied
from tools.paths import ROOT

DOCS = ROOT / "docs"
PAGE = (DOCS / "status-page.md").read_text()


def documented(section: str) -> set[str]:
    """Return the code spans in a section."""
    text = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (found,) = (part for part in text if part.startswith(section))
    return set(re.findall(r"`([a-z_]+)`", found))


def test_every_field_of_the_json_is_documented() -> None:
    found = json.loads(api.as_json(document_of(varied()), {}))
    group = found["groups"][0]
    fields = {*found, *found["summary"], *group, *group["shards"][0]}
    assert fields <= documented("JSON")


def test_every_parameter_is_documented() -> None:
    names = {*NAMES, "state", "q", "sort", "page", "limit", "offset"}
    assert names | {*KEYS, FAILING, TROUBLE} <= documented("Parameters")


def test_every_state_is_documented() -> None:
    assert {state.value for state in rows.SEVERITY} <= documented("Reading the page")


def test_every_cause_is_documented_with_its_words() -> None:
    rows_of_causes = re.findall(r"^\| ([^|]+) \| `(\w+)` \|", PAGE, flags=re.MULTILINE)
    for cause, words in CAUSE_NAMES.items():
        assert (words, cause.value) in rows_of_causes


def test_the_pictures_are_there_and_small() -> None:
    names = re.findall(r"\((images/[a-z.-]+)\)", PAGE)
    assert names == ["images/status-light.png", "images/status-dark.png"]
    assert all(0 < (DOCS / name).stat().st_size < 200_000 for name in names)
