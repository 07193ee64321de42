"""The check for plain words finds a planted word in each kind of text, and none in this tree."""

from pathlib import Path

import pytest

from tools import prose
from tools.paths import ROOT

PLANTED = [
    *("anew", "beside", "for ever", "seldom", "reckoned", "nobody", "were told", "of ours"),
    *("at once", "may not", "faults", "stands still", "answered", "rights", "the right to"),
    *("verdict", "good poll", "well or not", "unanswered", "foreign names", "swallowed"),
    *("silent peer", "withdrawn", "stand-in", "since when", "misbehaviour"),
]


def found(text: str, name: str = "exporter/planted.py") -> list[str]:
    return [hit.found for hit in prose.hits(Path(name), text)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("exporter/planted.py", '"""Return the answer anew."""\n'),
        ("exporter/planted.py", "wait()  # until nobody can answer\n"),
        ("exporter/planted.py", 'raise ValueError(f"the answer of {host} is late")\n'),
        ("tests/planted.py", "def test_server_sends_an_answer() -> None: ...\n"),
        ("helm/values.yaml", "# Scrapes that get an answer.\nanswers: 3\n"),
    ],
    ids=["docstring", "comment", "message", "test name", "value of the chart"],
)
def test_planted_word_is_found(name: str, text: str) -> None:
    assert "answer" in found(text, name)


def test_hit_has_its_line_and_a_better_word() -> None:
    (hit,) = prose.hits(Path("a.py"), '"""One.\n\nTwo at\nonce.\n"""\n')
    assert str(hit) == (
        "a.py:3: 'at\\nonce': use immediately, at the same time (it has two meanings)"
    )


def test_every_rule_finds_its_words() -> None:
    unused = set(prose.RULES)
    for word in PLANTED:
        (hit,) = prose.hits(Path("exporter/planted.py"), f"# {word}\n")
        assert hit.found == word
        unused.discard(hit.rule)
    assert not unused


def test_code_and_identifiers_are_not_checked() -> None:
    assert found('"""Return ``answer`` or `fault`."""\nanswer = {"answer": f"is {answer}"}\n') == []


def test_word_is_allowed_in_tests_that_inject_failures() -> None:
    assert found("# a fault\n", "tests/faults/planted.py") == []
    assert found("# an injected fault, a fault\n") == ["fault"]


def test_check_fails_for_a_planted_word_and_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "exporter").mkdir()
    (tmp_path / "exporter" / "planted.py").write_text("# whoever\n", encoding="utf-8")
    assert prose.main(tmp_path) == 1
    assert capsys.readouterr().out.startswith("exporter/planted.py:1: 'whoever': use no one,")


def test_hidden_folders_are_not_checked(tmp_path: Path) -> None:
    hidden = tmp_path / "tests" / ".build"
    hidden.mkdir(parents=True)
    for folder in (hidden, hidden.parent):
        (folder / "planted.py").write_text("# whoever\n", encoding="utf-8")
    assert list(prose.files(tmp_path)) == [tmp_path / "tests" / "planted.py"]


def test_project_uses_no_such_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(list(prose.files(ROOT))) > 400
    assert prose.main() == 0, capsys.readouterr().out
