"""Links between documents have targets, and metrics, modules and tests that they name exist."""

import re
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

from exporter.metrics.catalogue import CATALOGUE
from tests.support.docs import PAGES
from tools.markdown import anchors
from tools.paths import ROOT

LINK = re.compile(r"\]\((?!https?://)([^)\s]+)\)")
TWIN = re.compile(r"\[[^\]]+\]\([^)\s]+\)")
METRIC = re.compile(r"\bsls_(?:consumer_group|logstore|exporter)_[a-z_]+\b")
MODULE = re.compile(r"\b(?:benchmarks|exporter|tests|tools)/[\w/]+\.py\b")
TEST = re.compile(r"\btest_\w+\b(?!\.py)")
SUFFIXES = ("_bucket", "_sum", "_count")


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert file.is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_page_begins_with_a_paragraph_about_it(page: Path) -> None:
    _, _, text = f"\n{page.read_text(encoding='utf-8')}".partition("\n# ")
    _, *paragraphs = [part for part in text.split("\n\n") if not TWIN.fullmatch(part.strip())]
    assert not paragraphs[0].startswith(("#", "|", "```", "<", "- "))


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            file = (page.parent / target.partition("#")[0]).resolve()
            waiting += sorted(file.glob("*.md")) if file.is_dir() else []
            waiting += [file] if file.suffix == ".md" else []
    assert {name(page) for page in PAGES} - {name(page) for page in reached} == set()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_metric_that_a_document_names_exists(page: Path) -> None:
    known = {metric.name for metric in CATALOGUE}
    known |= {metric.name + suffix for metric in CATALOGUE for suffix in SUFFIXES}
    named = set(METRIC.findall(page.read_text(encoding="utf-8")))
    # A name that ends with an underscore is the beginning of several.
    assert {each for each in named - known if not each.endswith("_")} == set()


@cache
def names_of_tests() -> frozenset[str]:
    files = (ROOT / "tests").rglob("test_*.py")
    found = [
        re.findall(r"^def (test_\w+)", file.read_text("utf-8"), re.MULTILINE) for file in files
    ]
    return frozenset(chain.from_iterable(found))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_module_and_test_that_a_document_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [file for file in MODULE.findall(text) if not (ROOT / file).is_file()] == []
    files = {file.stem for file in (ROOT / "tests").rglob("test_*.py")}
    assert set(TEST.findall(text)) - names_of_tests() - files == set()
