"""The JSON Schema accepts a variable as each value, and has the limits that the exporter has."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml

from exporter.config.json_schema import json_schema
from exporter.config.problems import ConfigError
from exporter.config.reader import parse

FULL = """\
credentials: {access_key_id: a, access_key_secret: b, security_token: c, profile: d,
  role_arn: e, external_id: f, role_session_name: g, sts_endpoint: h}
signature: v4
polling: {interval: 60s, timeout: 10s, stale_after: 3m, workers: 8, requests_per_second: 100}
discovery: {interval: 5m}
lag: true
stall_after: 5m
lag_limit: 10m
labels: {env: prod}
metrics: {consumer_label: true, granularity: shard, max_series: 5}
http: {ca_file: a.pem, proxy_from_environment: false}
exclude_projects: [a]
projects:
  - project: p
    endpoint: h
    region: r
    signature: v1
    polling: {interval: 60s, timeout: 10s, stale_after: 3m, workers: 8, requests_per_second: 1}
    lag: false
    exclude_logstores: [a]
    logstores:
      - logstore: l
        consumer_groups: [g, {name: h, stall_after: 5m, lag_limit: 10m, labels: {a: b}}]
        exclude_consumer_groups: [a]
        shards: [0]
        consumers: [a]
        exclude_consumers: [a]
"""
BESIDE = (
    "projects: [{project: p, endpoint: h, logstores: [{logstore: l, consumer_groups: [g]%s}]}]\n"
)
LIMITED = {
    "polling: {workers: %s}\n" + BESIDE % "": (1, 1000),
    "polling: {requests_per_second: %s}\n" + BESIDE % "": (1, 10_000),
    "metrics: {max_series: %s}\n" + BESIDE % "": (1, 100_000_000),
    BESIDE % ", shards: [%s]": (0, 2**31 - 1),
}


def refused(documents: Sequence[object], directory: Path) -> set[int]:
    """Return the numbers of the documents that the schema refuses."""
    schema = directory / "schema.json"
    schema.write_text(json.dumps(json_schema()), encoding="utf-8")
    files = [directory / f"{number}.json" for number in range(len(documents))]
    for file, document in zip(files, documents, strict=True):
        file.write_text(json.dumps(document), encoding="utf-8")
    program = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [program, "--output-format=json", "--schemafile", schema, *files],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    report = json.loads(done.stdout)
    assert not report.get("parse_errors")
    return {int(Path(each["filename"]).stem) for each in report.get("errors", [])}


def with_one_variable(value: object) -> Iterator[object]:
    """Yield the value with a variable in place of a single value in it, one after the other."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from ({**value, key: changed} for changed in with_one_variable(item))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for changed in with_one_variable(item):
                yield [*value[:index], changed, *value[index + 1 :]]
    else:
        yield "${NAME}"


def test_schema_accepts_a_variable_as_each_value(tmp_path: Path) -> None:
    full = yaml.safe_load(FULL)
    documents = [full, *with_one_variable(full)]
    assert len(documents) > 40
    assert [documents[number] for number in sorted(refused(documents, tmp_path))] == []


def test_schema_has_the_limits_of_the_exporter(tmp_path: Path) -> None:
    cases = [
        (text % number, number in limits)
        for text, limits in LIMITED.items()
        for number in (limits[0] - 1, *limits, limits[1] + 1)
    ]
    found = refused([yaml.safe_load(text) for text, _ in cases], tmp_path)
    for number, (text, is_valid) in enumerate(cases):
        assert (number not in found) == is_valid, text
        if is_valid:
            parse(text, name="c", environ={}, base_dir=tmp_path)
        else:
            with pytest.raises(ConfigError):
                parse(text, name="c", environ={}, base_dir=tmp_path)


def test_schema_refuses_the_names_of_labels_that_the_exporter_refuses(tmp_path: Path) -> None:
    valid = ["team", "jobs", "le2", "exported", "_private"]
    taken = ["checkpoint", "shard", "job", "le", "__name__", "exported_team", "my-team"]
    documents = [yaml.safe_load(FULL) | {"labels": {name: "a"}} for name in (*valid, *taken)]
    found = refused(documents, tmp_path)
    assert [name for number, name in enumerate((*valid, *taken)) if number in found] == taken
    for name in valid:
        parse(f"labels: {{{name}: a}}\n" + BESIDE % "", name="c", environ={}, base_dir=tmp_path)
    for name in taken:
        with pytest.raises(ConfigError):
            parse(f"labels: {{{name}: a}}\n" + BESIDE % "", name="c", environ={}, base_dir=tmp_path)
