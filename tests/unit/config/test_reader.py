"""Valid configurations: parsed values, values that stay text, and settings of a project."""

import dataclasses
from pathlib import Path

import pydantic
import pytest
import trustme

from exporter.config.patterns import Pattern
from exporter.config.problems import ConfigError
from exporter.config.reader import load, parse
from exporter.config.schema import Config
from exporter.config.settings import ProjectSettings, project_settings
from exporter.model.endpoint import Endpoint
from tests.unit.config.test_problems import GOOD, in_logstore, in_project


def read(text: str | bytes, **environ: str) -> Config:
    return parse(text, name="c.yaml", environ=environ, base_dir=Path("conf"))


def settings_of(config: Config) -> ProjectSettings:
    return project_settings(config, config.projects[0])


def test_the_least_configuration_gets_every_default() -> None:
    config = read(GOOD)
    assert config.model_dump(exclude={"projects"}) == {
        "credentials": None,
        "signature": "v1",
        "polling": {
            "interval": 60.0,
            "timeout": 10.0,
            "stale_after": 180.0,
            "workers": 8,
            "requests_per_second": 100.0,
        },
        "discovery": {"interval": 300.0},
        "lag": True,
        "stall_after": 300.0,
        "lag_limit": 600.0,
        "labels": {},
        "metrics": {"consumer_label": True, "granularity": "shard", "max_series": 1_000_000},
        "http": {"ca_file": None, "proxy_from_environment": False},
        "exclude_projects": (),
    }
    logstore = config.projects[0].logstores[0]
    assert logstore.logstore.text == "l"
    assert [name.text for name in logstore.group_names] == ["g"]
    assert (logstore.exclude_consumer_groups, logstore.shards, logstore.consumers) == (
        (),
        None,
        None,
    )
    assert (config.projects[0].exclude_logstores, logstore.exclude_consumers) == ((), ())


@pytest.mark.parametrize(
    "text", ["no", "007", "1e3", "0x1f", "1_000", "yes", "12:30:45", "2024-01-01", "=", "true"]
)
def test_text_that_yaml_would_guess_at_stays_text(text: str) -> None:
    assert read(GOOD.replace("[g]", f"[{text}]")).projects[0].logstores[0].group_names == (
        Pattern.parse(text),
    )


def test_a_quoted_null_is_a_name() -> None:
    names = read(GOOD.replace("[g]", "['null', \"~\"]")).projects[0].logstores[0].group_names
    assert [name.text for name in names] == ["null", "~"]


@pytest.mark.parametrize("nothing", ["", "~", "null"])
@pytest.mark.parametrize("key", ["credentials", "signature", "polling", "lag", "http", "discovery"])
def test_an_optional_key_without_a_value_counts_as_absent(key: str, nothing: str) -> None:
    assert read(f"{GOOD}{key}: {nothing}\n") == read(GOOD)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1500ms", 1.5),
        ("60s", 60.0),
        ("3m", 180.0),
        ("1h30m", 5400.0),
        ("1d", 86_400.0),
        ("2w", 1_209_600.0),
        ("1y", 31_536_000.0),
        ("1m0s1ms", 60.001),
    ],
)
def test_durations_are_read_as_seconds(text: str, seconds: float) -> None:
    assert read(f"{GOOD}stall_after: {text}\n").stall_after == seconds


@pytest.mark.parametrize("word", ["true", "True", "TRUE", "yes", "on", "'yes'"])
def test_words_for_true_are_true(word: str) -> None:
    assert read(f"{GOOD}http: {{proxy_from_environment: {word}}}\n").http.proxy_from_environment


@pytest.mark.parametrize("word", ["false", "False", "FALSE", "no", "off"])
def test_words_for_false_are_false(word: str) -> None:
    assert not read(f"{GOOD}lag: {word}\n").lag


def test_numbers_are_read_from_their_text() -> None:
    config = read(
        in_logstore("shards: [0, 12]") + "polling: {workers: 3, requests_per_second: 0.5}"
    )
    assert config.polling.workers == settings_of(config).polling.workers == 3
    assert config.polling.requests_per_second == 0.5
    assert config.projects[0].logstores[0].shards == (0, 12)


def test_variables_are_replaced_in_values_of_every_type() -> None:
    text = in_logstore('consumers: ["${POD}-.*"]\nshards: ["${SHARD}"]') + "stall_after: ${N}m\n"
    config = read(text, POD="web", SHARD="4", N="7")
    logstore = config.projects[0].logstores[0]
    assert logstore.consumers == (Pattern.parse("web-.*"),)
    assert logstore.shards == (4,)
    assert config.stall_after == 420.0


def test_a_variable_brings_text_and_nothing_but_text() -> None:
    value = "x, y]\nlag: false # ${OTHER}"
    config = read(
        f"{GOOD}credentials:\n  access_key_id: ${{ID}}\n  access_key_secret: ${{SECRET}}\n",
        ID="a]:{#,&*!|>%@`",
        SECRET="~",
    )
    assert config.credentials is not None
    assert config.credentials.access_key_id == "a]:{#,&*!|>%@`"
    assert config.credentials.access_key_secret is not None
    assert config.credentials.access_key_secret.get_secret_value() == "~"
    with pytest.raises(ConfigError, match="invisible characters"):
        read(GOOD.replace("[g]", "['${VALUE}']"), VALUE=value)


def test_a_doubled_dollar_sign_keeps_a_reference_literal() -> None:
    logstore = read(GOOD.replace("[g]", "['$${POD}', 'a$', '$$']")).projects[0].logstores[0]
    assert [name.text for name in logstore.group_names] == ["${POD}", "a$", "$$"]


def test_comments_and_keys_are_left_alone_by_variables() -> None:
    assert read(f"# ${{UNSET}}\n{GOOD}lag: false # ${{UNSET}}\n").lag is False


def test_an_alias_repeats_a_value() -> None:
    text = GOOD.replace("[g]", "&groups [g, 'h.*']") + (
        "  - logstore: m\n    consumer_groups: *groups\n"
    )
    first, second = read(text).projects[0].logstores
    assert first.consumer_groups == second.consumer_groups
    assert len(second.consumer_groups) == 2


def test_json_file_is_accepted() -> None:
    text = '{"projects": [{"project": "p", "endpoint": "h", "logstores": '
    text += '[{"logstore": "l", "consumer_groups": ["g"]}]}], "lag": false}'
    assert read(text).lag is False


def test_a_byte_order_mark_and_windows_line_ends_are_fine() -> None:
    assert read(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()) == read(GOOD)


def test_a_project_without_settings_of_its_own_gets_the_global_ones() -> None:
    config = read(f"{GOOD}signature: v4\nlag: false\n")
    settings = settings_of(config)
    assert settings.endpoint == Endpoint.parse("cn-shanghai.log.aliyuncs.com")
    assert (settings.signature, settings.region) == ("v4", "cn-shanghai")
    assert (settings.lag, settings.credentials) == (False, None)
    assert (settings.polling.interval, settings.polling.timeout, settings.polling.stale_after) == (
        60.0,
        10.0,
        180.0,
    )


def test_a_project_overrides_polling_and_http_key_by_key() -> None:
    config = read(
        "polling: {interval: 30s, timeout: 3s}\nhttp: {proxy_from_environment: true}\n"
        + in_project(
            "polling: {timeout: 5s, workers: 2, requests_per_second: 1}\nlag: false\nregion: eu-1"
        )
    )
    settings = settings_of(config)
    assert (settings.polling.interval, settings.polling.timeout) == (30.0, 5.0)
    assert (settings.polling.stale_after, settings.polling.workers) == (180.0, 2)
    assert settings.polling.requests_per_second == 1.0
    assert settings.http.proxy_from_environment
    assert (settings.lag, settings.region) == (False, "eu-1")


def test_a_project_can_switch_off_global_settings() -> None:
    config = read(
        "http: {proxy_from_environment: true}\nlag: false\n"
        + in_project("http: {proxy_from_environment: false}\nlag: true")
    )
    settings = settings_of(config)
    assert (settings.http.proxy_from_environment, settings.lag) == (False, True)


def test_project_settings_are_equal_if_a_default_is_written_out() -> None:
    written_out = read(in_project("polling: {interval: 60s, stale_after: 3m}"))
    assert settings_of(written_out) == settings_of(read(GOOD))
    assert len({settings_of(written_out), settings_of(read(GOOD))}) == 1


def test_profile_and_role_can_share_names_with_a_project() -> None:
    config = read(
        GOOD.replace("project: p", "project: payments").replace("logstore: l", "logstore: audit")
        + "credentials: {profile: payments, role_arn: 'acs:ram::1:role/audit',"
        " role_session_name: payments, sts_endpoint: cn-shanghai.log.aliyuncs.com}\n"
    )
    assert config.projects[0].project.text == "payments"


def test_credentials_of_a_project_replace_the_global_ones_whole() -> None:
    config = read(
        in_project("credentials: {access_key_id: B, access_key_secret: b}")
        + "credentials: {access_key_id: A, access_key_secret: a, security_token: t}\n"
    )
    own = settings_of(config).credentials
    assert own is not None
    assert (own.access_key_id, own.security_token) == ("B", None)


def test_one_project_at_two_endpoints_may_be_listed_twice_with_other_logstores() -> None:
    text = GOOD + GOOD.removeprefix("projects:\n").replace("logstore: l", "logstore: m")
    assert len(read(text).projects) == 2


def test_stale_after_grows_with_a_long_interval_unless_it_is_set() -> None:
    config = read("polling: {interval: 5m}\n" + GOOD)
    assert settings_of(config).polling.stale_after == 900.0
    config = read("polling: {interval: 50s}\n" + GOOD)
    assert settings_of(config).polling.stale_after == 180.0
    config = read("polling: {interval: 5m, stale_after: 6m}\n" + GOOD)
    assert settings_of(config).polling.stale_after == 360.0
    config = read(in_project("polling: {interval: 5m}"))
    assert settings_of(config).polling.stale_after == 900.0


def test_a_long_interval_is_valid_if_every_project_has_a_longer_stale_after() -> None:
    text = "polling: {interval: 10m}\n" + in_project("polling: {stale_after: 1h}")
    assert read(text).projects[0].polling.stale_after == 3600.0


def test_files_are_found_next_to_the_configuration_and_only_their_paths_are_kept(
    tmp_path: Path,
) -> None:
    (tmp_path / "id").write_text("LTAI\n", encoding="utf-8")
    (tmp_path / "secret").write_text("hunter2\n", encoding="utf-8")
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "config.yaml").write_text(
        f"{GOOD}credentials:\n  access_key_id_file: id\n"
        f"  access_key_secret_file: {tmp_path}/secret\n"
        "http: {ca_file: ./ca.pem}\n",
        encoding="utf-8",
    )
    config = load(tmp_path / "config.yaml", environ={})
    assert config.credentials is not None
    assert config.credentials.access_key_id_file == tmp_path / "id"
    assert config.credentials.access_key_secret_file == tmp_path / "secret"
    assert config.http.ca_file == tmp_path / "ca.pem"
    assert "hunter2" not in repr(config)
    assert "hunter2" not in config.model_dump_json()


def test_printed_text_contains_no_secret() -> None:
    config = read(
        f"{GOOD}credentials: {{access_key_id: LTAI, access_key_secret: hunter2,"
        " security_token: hunter3}\n"
    )
    settings = settings_of(config)
    shown = f"{config!r} {config} {config.model_dump()} {config.model_dump_json()} {settings!r}"
    assert "hunter" not in shown
    assert "**********" in shown


def test_a_configuration_cannot_be_changed() -> None:
    config = read(GOOD)
    with pytest.raises(pydantic.ValidationError):
        config.lag = False  # type: ignore[misc] # that it is refused is the point
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.projects[0].project.text = "q"  # type: ignore[misc] # the same


@pytest.mark.parametrize(
    ("text", "literal", "matching", "other"),
    [
        ("app", True, "app", "app-1"),
        ("app_1-b", True, "app_1-b", "app_1-"),
        ("a.b", False, "axb", "a.bc"),
        ("app-.*", False, "app-1", "my-app-1"),
        ("a|bc", False, "bc", "ac"),
        (r"a\.b", False, "a.b", "axb"),
        ("(?i)app", False, "APP", "apps"),
    ],
)
def test_a_pattern_matches_whole_names(text: str, literal: bool, matching: str, other: str) -> None:  # noqa: FBT001 - a column of the table
    pattern = Pattern.parse(text)
    assert pattern.literal is literal
    assert pattern.matches(matching)
    assert not pattern.matches(other)
    assert not pattern.matches(f"{matching}\n")
    assert str(pattern) == text
