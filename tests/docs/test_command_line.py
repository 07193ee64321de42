"""The page of the command line shows the real help, and names every flag."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from exporter.commands.flags import COMMANDS
from tests.support.commands import run
from tests.support.docs import PAGES, blocks, read

TEXT = read("docs/command-line.md")
WIDTH: Mapping[str, str] = {"COLUMNS": "100"}
FLAG = re.compile(r"--[a-z]+(?:[.-][a-z]+)*")


def words(text: str) -> list[str]:
    """Remove line breaks, which depend on the version of Python."""
    return text.split()


def test_the_page_begins_with_the_help_of_the_program() -> None:
    assert words(blocks(TEXT, "text")[0]) == words(run("--help", environ=WIDTH).stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_its_section_with_its_help(command: str) -> None:
    section = TEXT.split(f"\n## {command}\n")[1]
    shown = run(command, "--help", environ=WIDTH).stdout
    assert words(blocks(section, "text")[0]) == words(shown), f"the help is now:\n{shown}"


def test_the_sections_are_the_commands_in_their_order() -> None:
    assert re.findall(r"^## (.*)$", TEXT, flags=re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_document_names_a_flag_that_does_not_exist(page: Path) -> None:
    flags = set(FLAG.findall("".join(blocks(TEXT, "text"))))
    text = page.read_text(encoding="utf-8")
    of_ours = set(re.findall(r"--(?:config|web|log|sharding)[.][a-z]+(?:[.-][a-z]+)*", text))
    assert of_ours - flags == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_document_names_a_command_that_does_not_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    lines = "".join(blocks(text, "sh"))
    named = re.findall(r"^sls-exporter ([a-z]+)", lines, flags=re.MULTILINE)
    named += re.findall(r"`sls-exporter ([a-z]+)", text)
    assert set(named) - set(COMMANDS) == set()
