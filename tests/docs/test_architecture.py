"""The page of the architecture shows the layers that are enforced and names every module."""

import re
import tomllib

from tests.support.docs import blocks, read
from tools.paths import ROOT

TEXT = read("docs/architecture.md")


def test_the_layers_are_those_that_are_enforced() -> None:
    settings = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]
    (layers,) = [each for each in settings["contracts"] if each["type"] == "layers"]
    assert blocks(TEXT, "text")[2].splitlines() == layers["layers"]
    assert layers["exhaustive"]


def test_steps_of_a_checkpoint_are_numbered_and_name_existing_modules() -> None:
    steps = re.findall(r"^ *(\d+)  (\w+)\.(\w+) ", blocks(TEXT, "text")[1], flags=re.MULTILINE)
    assert [int(number) for number, _, _ in steps] == list(range(1, 11))
    assert "takes ten steps" in TEXT
    for _, package, module in steps:
        assert (ROOT / "exporter" / package / f"{module}.py").is_file()


def test_every_module_is_listed_on_the_page() -> None:
    table = TEXT.partition("\n## Threads\n")[0]
    rooms = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", table, flags=re.MULTILINE)
    named = {name for room in rooms for name in re.findall(r"\w+", room)}
    modules = {path.stem for path in (ROOT / "exporter").glob("[a-z]*.py")}
    packages = {path.parent.name for path in (ROOT / "exporter").glob("*/__init__.py")}
    assert named == modules | packages


def test_decisions_are_numbered_without_gaps_and_have_all_sections() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    for number, page in enumerate(pages, start=1):
        text = page.read_text(encoding="utf-8")
        assert page.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {number}. ")
        for part in ("**Question.**", "**Decision.**", "**Why.**", "**Cost.**"):
            assert text.count(part) == 1, page.name


def test_undocumented_protocol_of_uvicorn_is_used_by_one_module() -> None:
    users = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "exporter").rglob("*.py")
        if "uvicorn.protocols" in path.read_text(encoding="utf-8")
    ]
    assert users == ["exporter/web/connection.py"]
    assert "uvicorn.protocols" in read(
        "docs/decisions/0005-uvicorns-protocol-over-our-own-acceptor.md"
    )
