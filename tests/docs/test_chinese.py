"""Chinese pages and alerts have the terms of the glossary, and Chinese punctuation and spaces."""

from pathlib import Path

import pytest

from tools.chinese import problems, words_not_used
from tools.paths import ROOT
from tools.rules import CHINESE_TEXTS
from tools.translations import FOLDER, GLOSSARY, README

NOT_USED = words_not_used((ROOT / GLOSSARY).read_text(encoding="utf-8"))
TEXTS = sorted([*(ROOT / FOLDER).glob("*.md"), *ROOT.glob(str(README)), CHINESE_TEXTS])


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_chinese_text_has_no_unused_words_and_correct_spaces(path: Path) -> None:
    not_used = {} if path == ROOT / GLOSSARY else NOT_USED
    assert list(problems(path.read_text(encoding="utf-8"), not_used)) == []


def test_glossary_lists_the_term_for_each_word_that_is_not_used() -> None:
    assert NOT_USED["消费者组"] == "消费组"
    assert NOT_USED["分片"] == "分区"


def test_glossary_uses_no_word_in_two_columns() -> None:
    assert NOT_USED.keys() & set(NOT_USED.values()) == set()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("一个\n\n消费者组。", "line 3: '消费者组' is not used; write 消费组"),
        ("运行exporter", "line 1: '行e' needs a space"),
        ("8个线程", "line 1: '8个' needs a space"),
        ("设置`lag`", "line 1: '置`' needs a space"),
        ("见[alerts](alerts.md)", "line 1: '见a' needs a space"),
        ("默认值,", "line 1: '值,' needs full-width punctuation"),
        ("结束.", "line 1: '束.' needs full-width punctuation"),
        ("完成。 然后", "line 1: '。 ' has a needless space"),
        ("用 SLS ，", "line 1: ' ，' has a needless space"),
        ("**很好。**然后", "line 1: '**很好。**' is not bold; move the punctuation out of it"),
        (
            "有**（一个）组**",
            "line 1: '**（一个）组**' is not bold; move the punctuation out of it",
        ),
        ("第一行，\n第二行", "line 1: '，\\n第' is broken within a paragraph"),
    ],
)
def test_check_finds_words_spaces_and_punctuation(text: str, problem: str) -> None:
    assert list(problems(text, {"消费者组": "消费组"})) == [problem]


@pytest.mark.parametrize(
    "text",
    [
        "8 个线程，见 [配置](configuration.md)。",
        "- （可选）\n- **设置 `消费者组`**：\n\n**停滞**在此。",
        "| 值。 |\n|---|\n| （空） |",
        "```sh\nrun,运行 # 消费者组\n```",
        "<!-- 消费者组,a -->\n一\n\n二",
    ],
)
def test_check_accepts_code_tables_and_lists(text: str) -> None:
    assert list(problems(text, {"消费者组": "消费组"})) == []
