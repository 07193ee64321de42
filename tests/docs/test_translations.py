"""Translated pages say what their English twins say."""

from pathlib import Path

import pytest

from tools.markdown import anchors
from tools.translations import Translation, differences, digest, main, read, translations

TRANSLATIONS = translations()
TWINS = {each.twin: each.path for each in TRANSLATIONS}

ENGLISH = """\
# Metrics

[简体中文](zh-CN/metrics.md)

The default of `stall_after` is 5 minutes. See [alerts](alerts.md#choices) and [logs](logging.md).

## The exporter itself

| metric | default | meaning |
|---|---|---|
| `sls_exporter_up` | `5m` | see [above](#metrics), 3 times |

- `--web.listen-address`: address

```sh
# Poll once.
sls-exporter once   # prints a table
```
"""
CHINESE = """\
# 指标

[English](../metrics.md)

`stall_after` 默认 5 分钟，见[告警](alerts.md#choices)、[日志](../logging.md)和[术语](glossary.md)。

<a id="the-exporter-itself"></a>
## exporter 自身

| 指标 | 默认值 | 含义 |
|---|---|---|
| `sls_exporter_up` | `5m` | 见[上文](#metrics)，3 次 |

- `--web.listen-address`：地址

```sh
# 轮询一次
sls-exporter once   # 打印一张表
```
"""


@pytest.mark.parametrize("translation", TRANSLATIONS, ids=lambda each: str(each.path))
def test_translated_page_says_what_its_twin_says(translation: Translation) -> None:
    assert list(differences(translation, TWINS)) == []


def test_pages_for_newcomers_are_translated() -> None:
    pages = (
        "README",
        "docs/README",
        "docs/getting-started",
        "docs/configuration",
        "docs/credentials",
    )
    assert {Path(f"{page}.md") for page in pages} <= TWINS.keys()


def found(tmp_path: Path, english: str, chinese: str, *, recorded: str = "") -> list[str]:
    """Return the differences of a made-up page from its twin."""
    folder = tmp_path / "docs" / "zh-CN"
    folder.mkdir(parents=True)
    (tmp_path / "docs" / "metrics.md").write_text(english, encoding="utf-8")
    first = f"<!-- twin: ../metrics.md sha256:{recorded or digest(english)} -->\n"
    path = Path("docs/zh-CN/metrics.md")
    (tmp_path / path).write_text(first + chinese, encoding="utf-8")
    twins = {
        Path(f"docs/{name}"): Path(f"docs/zh-CN/{name}") for name in ("metrics.md", "alerts.md")
    }
    return list(differences(read(path, tmp_path), twins))


def test_equal_pages_have_no_differences(tmp_path: Path) -> None:
    assert found(tmp_path, ENGLISH, CHINESE) == []


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        (
            "[English](../metrics.md)\n",
            "",
            "needs the line [English](../metrics.md) below its title",
        ),
        ("## exporter", "### exporter", "levels of headings: [1, 3], in docs/metrics.md: [1, 2]"),
        ("## exporter 自身\n", "", "levels of headings: [1], in docs/metrics.md: [1, 2]"),
        ('<a id="the-exporter-itself"></a>\n', "", 'needs <a id="the-exporter-itself"></a>'),
        ("`stall_after`", "`stall-after`", "lacks `stall_after`"),
        ("`stall_after`", "`stall_after` 和 `lag`", "has `lag`, unlike the twin"),
        ("5 分钟", "6 分钟", "lacks the number 5"),
        ("`5m` |", "`6m` |", "row 2 of a table lacks `5m`"),
        ("，3 次", "", "row 2 of a table lacks the number 3"),
        ("| 含义 |", "|", "tables have other rows or columns"),
        ("| `sls_exporter_up` | `5m` | 见[上文](#metrics)，3 次 |\n", "", "other rows or columns"),
        ("- `--web", "`--web", "0 items of lists instead of 1"),
        ("`--web.listen-address`", "`--web.address`", "lacks `--web.listen-address`"),
        ("sls-exporter once ", "sls-exporter twice ", "block 1 has other code"),
        ("```sh\n", "```text\n", "block 1 has other code"),
        (
            "(alerts.md#choices)",
            "(../alerts.md#choices)",
            "lacks a link to docs/zh-CN/alerts.md#choi",
        ),
        ("(alerts.md#choices)", "(alerts.md)", "links to docs/zh-CN/alerts.md, unlike the twin"),
        ("(../logging.md)", "(logging.md)", "lacks a link to docs/logging.md"),
        ("(#metrics)", "(#指标)", "lacks a link to docs/zh-CN/metrics.md#metrics"),
    ],
)
def test_difference_of_a_page_is_found(tmp_path: Path, old: str, new: str, difference: str) -> None:
    assert old in CHINESE
    assert difference in "\n".join(found(tmp_path, ENGLISH, CHINESE.replace(old, new, 1)))


def test_english_page_without_a_link_to_its_translation_is_found(tmp_path: Path) -> None:
    english = ENGLISH.replace("[简体中文](zh-CN/metrics.md)\n", "")
    assert found(tmp_path, english, CHINESE) == [
        "docs/metrics.md needs the line [简体中文](zh-CN/metrics.md) below its title"
    ]


def test_missing_block_is_found(tmp_path: Path) -> None:
    (difference,) = found(tmp_path, ENGLISH + "```sh\nmore\n```\n", CHINESE)
    assert difference == "exporter 自身: block 2 has other code"


def test_changed_words_of_the_twin_are_found(tmp_path: Path) -> None:
    changed = ENGLISH.replace(": address", ": an address")
    (difference,) = found(tmp_path, changed, CHINESE, recorded=digest(ENGLISH))
    assert difference.startswith("docs/metrics.md has changed; update the page, then run python -m")


def test_other_line_breaks_of_the_twin_do_not_count_as_a_change(tmp_path: Path) -> None:
    changed = ENGLISH.replace("5 minutes. See", "5 minutes.\nSee")
    assert found(tmp_path, changed, CHINESE, recorded=digest(ENGLISH)) == []


def test_page_without_a_twin_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# 指标\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"^page\.md: the first line must be <!-- twin: PATH"):
        read(Path("page.md"), tmp_path)


def test_command_records_only_the_named_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert found(tmp_path, ENGLISH, CHINESE, recorded="0" * 16) != []
    assert main([], tmp_path) == 1
    printed = "docs/zh-CN/metrics.md: docs/metrics.md has changed; update the page"
    assert printed in capsys.readouterr().out
    assert main(["docs/zh-CN/metrics.md"], tmp_path) == 0
    main([], tmp_path)
    assert printed not in capsys.readouterr().out


def test_anchors_are_those_of_headings_and_explicit_ones() -> None:
    text = '# One two\n```sh\n# no heading\n```\n<a id="three"></a>\n\n## 三、四\n## One two\n'
    assert anchors(text) == {"one-two", "three", "三四", "one-two-1"}
