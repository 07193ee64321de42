"""The errors that the page about the web configuration shows are those of the program."""

from pathlib import Path

import pytest

from exporter.config.problems import ConfigError
from tests.support.docs import blocks, read
from tests.support.web_config import load_web_config


def test_documentation_of_web_configuration_shows_the_real_errors(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text("basic_auth_users:\n  prometheus: secret\nhttp_server_config:\n  header: {}\n")
    with pytest.raises(ConfigError) as caught:
        load_web_config(file)
    shown = blocks(read("docs/web-configuration.md"), "text")[0]
    assert f"{caught.value}\n".replace(f"{tmp_path}/", "") == shown
