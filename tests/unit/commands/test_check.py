"""The explanation of a configuration: complete, without the network, without secrets."""

from pathlib import Path

import pytest

from exporter.commands.check import explain
from exporter.config.reader import parse

FULL = """\
credentials: {access_key_id: LTAI, access_key_secret: hunter2}
polling: {workers: 3}
projects:
  - project: my-project
    endpoint: cn-shanghai.log.aliyuncs.com
    signature: v4
    polling: {interval: 30s, timeout: 5s, stale_after: 2m, workers: 2, requests_per_second: 2.5}
    stall_after: 15m
    logstores:
      - logstore: orders
        consumer_groups: [billing, mailer]
        shards: [0, 1]
      - logstore: "app-.*"
        consumer_groups: [".*", billing]
        exclude_consumer_groups: ["etl-.*"]
        consumers: [pod-1]
        exclude_consumers: [pod-2, "canary-.*"]
    exclude_logstores: ["app-test", "ord.*"]
  - project: "team-.*"
    endpoint: http://127.0.0.1:8080
    lag: false
    logstores:
      - {logstore: audit, consumer_groups: [archiver]}
exclude_projects: [team-a, "g.*"]
"""
EXPLAINED = """\
project my-project at https://cn-shanghai.log.aliyuncs.com
  credentials: from the configuration
  signature: v4, as configured; region cn-shanghai, from the endpoint's name
  each logstore is polled every 30s, with up to 2 requests at the same time
  a request may take 5s; at most 2.5 are sent per second
  series are dropped after 2m of failures
  a shard is stalled once it is behind and has not moved for 15m
  a lag above 10m is too high
  permissions needed: log:GetConsumerGroupCheckPoint, log:ListShards, log:GetCursorOrData, \
log:GetLogStore, log:ListLogStores, log:ListConsumerGroup
  logstore orders
    left out, because it is excluded
    consumer groups: billing, mailer
    only shards: 0, 1
    requests per poll: 5 at rest, 7 busy, 14 after a start
  logstore like app-.*
    but not: app-test, like ord.*
    consumer groups: like .*, billing
    but not: like etl-.*
    only shards owned by: pod-1
    no shards owned by: pod-2, like canary-.*
    but also any shard that is stalled, expired, unconsumed or unknown
    requests per poll: 1 + G + 0.8 N + 0.2 S at rest, 1 + 1.5 G + N + 0.25 S busy, 2 + 2 G + 4 S \
after a start
      G: consumer groups, N: shards of the selected owners, S: shards

project like team-.* at http://127.0.0.1:8080
  but not: team-a, like g.*
  credentials: from the configuration
  signature: v1, the default
  each logstore is polled every 1m, with up to 3 requests at the same time
  a request may take 10s; at most 100 are sent per second
  series are dropped after 3m of failures
  end cursors are not read: ages are known, but neither lag nor stalls
  permissions needed: log:GetConsumerGroupCheckPoint, log:ListProject
  logstore audit
    consumer groups: archiver
    requests per poll: 1
"""
BARE = FULL.partition("\n")[2]


def explained(text: str, **environ: str) -> str:
    config = parse(text, name="config.yaml", environ=environ, base_dir=Path())
    return "".join(f"{line}\n" for line in explain(config, environ))


def test_every_part_of_a_configuration_is_explained() -> None:
    assert explained(FULL) == EXPLAINED


def test_excluded_project_is_explained_as_left_out() -> None:
    text = FULL.replace('"g.*"', '"my-.*"')
    assert explained(text) == EXPLAINED.replace(
        "aliyuncs.com\n", "aliyuncs.com\n  left out, because it is excluded\n"
    ).replace("like g.*", "like my-.*")


def test_keys_of_the_environment_are_found_there() -> None:
    text = explained(
        BARE, ALIBABA_CLOUD_ACCESS_KEY_ID="LTAI", ALIBABA_CLOUD_ACCESS_KEY_SECRET="hunter2"
    )
    assert text.count("credentials: from the environment\n") == 2
    assert "hunter2" not in text


def test_missing_keys_are_reported_but_the_configuration_stays_valid() -> None:
    assert explained(BARE).count("credentials: none yet (no credentials: ") == 2


def test_groups_named_in_full_cost_one_request_each_without_lag() -> None:
    text = FULL.replace("[archiver]", "[archiver, backup, '.*']")
    assert explained(text).endswith(": G\n      G: consumer groups\n")


REGIONS = """\
projects:
  - project: my-project
    endpoint: ENDPOINT
    logstores: [{logstore: orders, consumer_groups: [billing]}]
"""
UT = "cn-hangzhou-acdr-ut-3"


@pytest.mark.parametrize(
    ("endpoint", "lines", "expected"),
    [
        ("cn-hangzhou-internal.log.aliyuncs.com", "", ["signature: v1, the default"]),
        ("cn-hangzhou.log.aliyuncs.com", "signature: v1", ["signature: v1, as configured"]),
        (
            "cn-hangzhou-internal.log.aliyuncs.com",
            "signature: v4",
            ["signature: v4, as configured; region cn-hangzhou, from the endpoint's name"],
        ),
        (
            "log-global.aliyuncs.com\n    signature: v4\n    region: cn-hangzhou",
            "",
            ["signature: v4, as configured; region cn-hangzhou, from the configuration"],
        ),
        (
            f"{UT}-intranet.log.aliyuncs.com",
            "",
            [f"signature: v4, which the region requires; region {UT}, from the endpoint's name"],
        ),
        (
            f"logs.example.org\n    region: {UT}",
            "signature: v1",
            [
                f"signature: v4, which the region requires; region {UT}, from the configuration",
                "warning: signature v1 is ignored, because the region accepts only v4",
            ],
        ),
        (
            "cn-hangzhou.log.aliyuncs.com\n    region: cn-hangzhou",
            "",
            [
                "signature: v1, the default",
                "warning: region is ignored, because only signature v4 contains the region",
            ],
        ),
    ],
)
def test_signature_is_explained_with_its_reason(
    endpoint: str, lines: str, expected: list[str]
) -> None:
    text = explained(f"{REGIONS.replace('ENDPOINT', endpoint)}{lines}\n")
    found = [line.strip() for line in text.splitlines()]
    assert [line for line in found if "signature" in line] == expected


ROLES = """\
credentials: {access_key_id: LTAI, access_key_secret: hunter2}
projects:
  - project: my-project
    endpoint: cn-shanghai.log.aliyuncs.com
    credentials: {role_arn: "acs:ram::2:role/reader", external_id: hunter3}
    logstores: [{logstore: orders, consumer_groups: [billing]}]
"""


def test_role_is_explained_with_its_key_and_permission() -> None:
    text = explained(ROLES)
    assert (
        "  credentials: RAM role acs:ram::2:role/reader at https://sts.aliyuncs.com, assumed with"
        " the key from the configuration\n"
        "  permission needed to assume the role: sts:AssumeRole on acs:ram::2:role/reader\n"
    ) in text
    assert "hunter" not in text


def test_variables_without_effect_are_warned_of() -> None:
    keys = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "hunter2"}
    text = explained(BARE, **keys, ALIBABA_CLOUD_CREDENTIALS_URI="http://localhost/hunter3")
    warning = (
        "  warning: ALIBABA_CLOUD_CREDENTIALS_URI has no effect, because another source comes first"
    )
    assert text.splitlines().count(warning) == 2
    assert "hunter" not in text


ALL_CONFIGURED = (
    "warning: ALIBABA_CLOUD_PROFILE, ALIBABA_CLOUD_ROLE_ARN have no effect, because the"
    " configuration has credentials for each project"
)


@pytest.mark.parametrize(
    ("top", "environ", "warning"),
    [
        (
            "credentials: {profile: none}",
            {},
            "warning: the global credentials have no effect, because each project has its own",
        ),
        (
            "",
            {"ALIBABA_CLOUD_PROFILE": "p", "ALIBABA_CLOUD_ROLE_ARN": "r"},
            ALL_CONFIGURED,
        ),
    ],
)
def test_credentials_that_no_project_uses_are_warned_of(
    top: str, environ: dict[str, str], warning: str
) -> None:
    key = "{access_key_id: LTAI, access_key_secret: hunter2}"
    own = ROLES.partition("\n")[2].replace(
        '{role_arn: "acs:ram::2:role/reader", external_id: hunter3}', key
    )
    assert "warning" not in explained(own)
    text = explained(f"{own}{top}\n", **environ)
    assert [line for line in text.splitlines() if "warning" in line] == [warning]
