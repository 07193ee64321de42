"""Any file results in a configuration or in a ConfigError that shows no secret."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.config.json_schema import json_schema
from exporter.config.problems import ConfigError
from exporter.config.reader import parse
from exporter.config.schema import Config
from tests.unit.config.test_problems import GOOD

KEYS = sorted(
    {"projects", "<<", ""}.union(
        *(model["properties"] for model in json_schema()["$defs"].values())
    )
)
SCALARS = st.one_of(
    st.sampled_from(
        ["", "~", "5m", "1h", "true", "v4", "a.*", "'['", "${A}", "$${A}", "*a", "&a b"]
    ),
    st.sampled_from(
        ["!!str x", "0", "-1", "h:0", "'https://[', x", "shard", "'\"'", "- a", "a: b"]
    ),
    st.text(max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(st.sampled_from(KEYS), inner), max_size=4).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        ),
    ),
    max_leaves=12,
)


def attempt(text: str | bytes, **environ: str) -> Config | ConfigError:
    try:
        return parse(text, name="c.yaml", environ=environ, base_dir=Path("/nowhere"))
    except ConfigError as error:
        return error


def assert_presentable(error: Config | ConfigError) -> None:
    if isinstance(error, Config):
        return
    # Without the parser's or the model's error behind it, which would show the text.
    assert (error.__cause__, error.__context__) == (None, None)
    assert error.problems
    for line in str(error).splitlines():
        assert line.isprintable()
        assert len(line) < 2000
        assert line.startswith("c.yaml:")


@given(st.text())
@example("\ud800")
@example("a: " + "\x85" * 3)
@example("? ? ? ?")
@example("!<%FF> a")
@example("%TAG ! %FF\n--- !a b")
@settings(deadline=None)
def test_any_text_is_a_configuration_or_an_error(text: str) -> None:
    assert_presentable(attempt(text))


@given(st.binary())
@settings(deadline=None)
def test_any_bytes_are_a_configuration_or_an_error(content: bytes) -> None:
    assert_presentable(attempt(content))


@given(st.lists(st.tuples(st.sampled_from(KEYS), VALUES), max_size=4), st.text(max_size=5))
@settings(deadline=None)
def test_any_structure_is_a_configuration_or_an_error(
    pairs: list[tuple[str, str]], variable: str
) -> None:
    text = GOOD + "".join(f"{key}: {value}\n" for key, value in pairs)
    assert_presentable(attempt(text, A=variable))


SECRET_KEYS = ["access_key_id", "access_key_secret", "security_token"]
PLACES = [
    "credentials: {{{key}: {value}}}\n",
    "credentials: {{{key}: [{value}]}}\n",
    "credentials: {{{key}: {{{value}: x}}}}\n",
    "credentials: {{{key}: x, {value}}}\n",
    "credentials: [{value}]\n",
    "credentials: {value}\n",
    "credentials: {{{key}: {value}, {key}: {value}}}\n",
    "credentials: {{{key}: *{value}}}\n",
    "credentials: {{{key}: !{value} x}}\n",
    "credentials: {{{key}: '{value}', lag: x}}\nlag: x\n",
]


@given(
    st.sampled_from(PLACES),
    st.sampled_from(SECRET_KEYS),
    st.from_regex(r"Q[A-Za-z0-9]{12}[ /+]?[A-Za-z0-9]{4}Q", fullmatch=True),
)
@settings(max_examples=300, deadline=None)
def test_a_secret_in_any_place_is_never_shown(place: str, key: str, secret: str) -> None:
    result = attempt(GOOD + place.format(key=key, value=secret))
    assert isinstance(result, ConfigError)
    assert secret not in f"{result} {result!r}"


@given(st.from_regex(r"Q[!-~]{16}Q", fullmatch=True))
@settings(deadline=None)
def test_a_secret_from_a_variable_never_shows(secret: str) -> None:
    text = f"{GOOD}credentials: {{access_key_id: A, access_key_secret: '${{S}}'}}\n"
    config = attempt(text, S=secret)
    assert isinstance(config, Config)
    assert secret not in f"{config!r} {config.model_dump_json()}"
    fault = attempt(text.replace("access_key_id: A", "security_token: '${S}é'"), S=secret)
    assert isinstance(fault, ConfigError)
    assert secret not in f"{fault} {fault!r}"


@pytest.mark.parametrize("text", ["[" * 500, "- " * 500, "{a: " * 500, "a: {b: *c}"])
def test_the_result_without_libyaml_is_the_same(text: str) -> None:
    script = """
import sys
sys.modules["yaml._yaml"] = None
import yaml
from pathlib import Path
from exporter.config.problems import ConfigError
from exporter.config.reader import parse
assert not yaml.__with_libyaml__
try:
    parse(sys.argv[1], name="c.yaml", environ={}, base_dir=Path())
except ConfigError as error:
    print(error)
"""
    command = [sys.executable, "-c", script, text]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout == f"{attempt(text)}\n"
