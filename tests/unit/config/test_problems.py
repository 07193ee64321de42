"""Every kind of configuration error, each with its exact error message."""
# ruff: noqa: E501 - one case a line, with its whole message

from pathlib import Path

import pytest

from exporter.config.problems import ConfigError
from exporter.config.reader import load, parse

GOOD = """\
projects:
- project: p
  endpoint: cn-shanghai.log.aliyuncs.com
  logstores:
  - logstore: l
    consumer_groups: [g]
"""
SEVERAL = GOOD.replace(
    "endpoint: cn-shanghai.log.aliyuncs.com",
    "endpoints: [cn-beijing.log.aliyuncs.com, cn-shenzhen.log.aliyuncs.com]",
)
KEYS = "credentials: {access_key_id: LTAI, access_key_secret: hunter2}\n"
UNKNOWN = "hunter2Abcdefghij0123456789xyz"  # has the format of a secret


def in_project(lines: str) -> str:
    """Add lines to the only project of a good file."""
    return GOOD + "".join(f"  {line}\n" for line in lines.splitlines())


def in_logstore(lines: str) -> str:
    """Add lines to the only logstore of a good file."""
    return GOOD + "".join(f"    {line}\n" for line in lines.splitlines())


# fmt: off
CASES: list[tuple[str, str, list[str]]] = [
    ("an empty file", "", ["c.yaml:1:1: (document): the document is empty; at least the key projects is required"]),
    ("only comments", "# nothing\n", ["c.yaml:1:1: (document): the document is empty; at least the key projects is required"]),
    ("a null document", "~\n", ["c.yaml:1:1: (document): the document is empty; at least the key projects is required"]),
    ("a list at the top", "- project: p\n", ["c.yaml:1:1: (document): expected a mapping with the key projects, found a list"]),
    ("text at the top", "projects\n", ["c.yaml:1:1: (document): expected a mapping with the key projects, found text"]),
    ("two documents", GOOD + "---\n" + GOOD, ["c.yaml:7:1: (document): a second document starts here; only one is read"]),
    ("a NUL", "projects: a\x00b\n", ["c.yaml:1:12: (document): character U+0000 is not allowed in YAML"]),
    ("an escape character", "lag: true\nprojects: \x1b[2J\n", ["c.yaml:2:11: (document): character U+001B is not allowed in YAML"]),
    ("an open bracket", "projects: [\n", ["c.yaml:2:1: (document): not valid YAML: did not find expected node content"]),
    ("a stray bracket", "projects: []]\n", ["c.yaml:1:13: (document): not valid YAML: did not find expected key"]),
    ("an open quote", "projects: 'x\n", ["c.yaml:2:1: (document): not valid YAML: found unexpected end of stream (while scanning a quoted scalar that starts at line 1)"]),
    ("a tab as indentation", "projects:\n\t- project: p\n", ["c.yaml:2:1: (document): not valid YAML: a tab cannot indent or start a value; use spaces"]),
    ("an at sign", "projects: @x\n", ["c.yaml:1:11: (document): not valid YAML: a value cannot start with @; put it in quotes"]),
    ("a percent sign", "signature: %x\n", ["c.yaml:1:12: (document): not valid YAML: a value cannot start with %; put it in quotes"]),
    ("an unquoted star", "projects:\n- project: *.*\n", ["c.yaml:2:13: (document): not valid YAML: * starts an alias; put a value that starts with * in quotes"]),
    ("an unquoted variable in a flow list", "projects:\n- project: p\n  endpoint: h\n  logstores:\n  - logstore: l\n    consumer_groups: [${X}]\n", ["c.yaml:6:24: (document): not valid YAML: put ${NAME} in quotes inside [ ] and { }"]),
    ("two colons on a line", "signature: v1: v4\n", ["c.yaml:1:14: (document): not valid YAML: mapping values are not allowed in this context"]),
    ("bad indentation", GOOD + " lag: true\n", ["c.yaml:7:2: (document): not valid YAML: did not find expected key (while parsing a block mapping that starts at line 1)"]),
    ("an unknown directive version", "%YAML 2.0\n---\n" + GOOD, ["c.yaml:1:1: (document): not valid YAML: found incompatible YAML document"]),
    ("deep flow nesting", "projects: " + "[" * 900, ["c.yaml:1:42: (document): nested more than 32 levels deep"]),
    ("deep block nesting", "- " * 3000, ["c.yaml:1:65: (document): nested more than 32 levels deep"]),
    ("an alias bomb", "x: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(8)), ["c.yaml:6:8: (document): aliases repeat more than 200000 values"]),
    ("nesting through aliases", "a: &a " + "[" * 20 + "]" * 20 + "\nb: " + "[" * 20 + "*a" + "]" * 20, ["c.yaml:2:24: (document): nested more than 32 levels deep"]),
    ("a recursive alias", GOOD + "polling: &a {interval: *a}\n", ["c.yaml:7:24: polling.interval: this alias refers to a value that contains it"]),
    ("an undefined alias", GOOD + "lag: *nothing\n", ["c.yaml:7:6: lag: no anchor above has this alias's name; quote text that starts with *"]),
    ("a merge key", GOOD + "polling:\n  <<: {interval: 10s}\n", ["c.yaml:8:3: polling['<<']: merge keys are not supported; repeat the keys, or use an alias"]),
    ("a tag for Python", "projects: !!python/object/apply:os.system [ls]\n", ["c.yaml:1:11: projects: tags (!…) are not supported; write the value without its tag", "c.yaml:1:44: projects[0]: expected a mapping of keys to values, found 'ls'"]),
    ("a tag on a scalar", GOOD + "signature: !!str v1\n", ["c.yaml:7:12: signature: tags (!…) are not supported; write the value without its tag"]),
    ("a duplicate key", GOOD + "lag: true\nlag: false\n", ["c.yaml:8:1: lag: this key is already in the mapping, at line 7"]),
    ("a duplicate key in a project", in_project("region: a\nregion: b"), ["c.yaml:8:3: projects[0].region: this key is already in the mapping, at line 7"]),
    ("a key that is a list", GOOD + "? [a]\n: b\n", ["c.yaml:7:3: (document): a key must be text"]),
    ("no projects", "lag: true\n", ["c.yaml:1:1: projects: this key is required"]),
    ("projects without a value", "projects:\n", ["c.yaml:1:1: projects: this key needs a value"]),
    ("no project in projects", "projects: []\n", ["c.yaml:1:11: projects: the list must not be empty"]),
    ("projects as a mapping", "projects: {project: p}\n", ["c.yaml:1:11: projects: expected a list, [a, b] or lines that start with '- ', found a mapping"]),
    ("a project as text", "projects: [my-project]\n", ["c.yaml:1:12: projects[0]: expected a mapping of keys to values, found 'my-project'"]),
    ("a null in projects", "projects: [~]\n", ["c.yaml:1:12: projects[0]: expected a mapping of keys to values, found nothing"]),
    ("a project without keys", "projects: [{}]\n", ["c.yaml:1:12: projects[0].project: this key is required", "c.yaml:1:12: projects[0].logstores: this key is required", "c.yaml:1:12: projects[0].endpoint: endpoint or endpoints is required"]),
    ("a misspelt top-level key", GOOD + "signatur: v1\n", ["c.yaml:7:1: signatur: unknown key; did you mean signature?"]),
    ("an unknown key unlike any", GOOD + "zzz: v1\n", ["c.yaml:7:1: zzz: unknown key; there are credentials, signature, polling, discovery, lag, stall_after, lag_limit, labels, metrics, http, projects, exclude_projects"]),
    ("a misspelt key that is required", "projects:\n- project: p\n  endpont: h\n  logstores: [{logstore: l, consumer_groups: [g]}]\n", ["c.yaml:2:3: projects[0].endpoint: endpoint or endpoints is required", "c.yaml:3:3: projects[0].endpont: unknown key; did you mean endpoint?"]),
    ("unknown key of a project's polling", in_project("polling: {retries: 2}"), ["c.yaml:7:13: projects[0].polling.retries: unknown key; there are interval, timeout, stale_after, workers, requests_per_second"]),
    ("no workers in a project", in_project("polling: {workers: 0}"), ["c.yaml:7:22: projects[0].polling.workers: must be from 1 to 1000, found 0"]),
    ("an unknown key with control characters and length", GOOD + '"\\e' + "k" * 200 + '": 1\n', ["c.yaml:7:1: ['\\x1bkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk…']: unknown key; there are credentials, signature, polling, discovery, lag, stall_after, lag_limit, labels, metrics, http, projects, exclude_projects"]),
    ("a section as text", GOOD + "polling: fast\n", ["c.yaml:7:10: polling: expected a mapping of keys to values, found 'fast'"]),
    ("a section as a list", GOOD + "discovery: [5m]\n", ["c.yaml:7:12: discovery: expected a mapping of keys to values, found a list"]),
    ("an unknown signature", GOOD + "signature: v2\n", ["c.yaml:7:12: signature: expected v1 or v4, found 'v2'"]),
    ("an unknown granularity", GOOD + "metrics: {granularity: topic}\n", ["c.yaml:7:24: metrics.granularity: expected shard or group, found 'topic'"]),
    ("a word for a boolean", GOOD + "lag: maybe\n", ["c.yaml:7:6: lag: expected true or false, found 'maybe'"]),
    ("a number for a boolean", GOOD + "lag: 1\n", ["c.yaml:7:6: lag: expected true or false, found '1'"]),
    ("a mapping for a boolean", GOOD + "metrics: {consumer_label: {}}\n", ["c.yaml:7:27: metrics.consumer_label: expected true or false, found a mapping"]),
    ("a duration without a unit", GOOD + "stall_after: 300\n", ["c.yaml:7:14: stall_after: a duration needs a unit: write 300s, or 300m for minutes"]),
    ("a fractional duration", GOOD + "stall_after: 1.5h\n", ["c.yaml:7:14: stall_after: expected a duration such as 90s, 3m or 1h30m, found '1.5h'"]),
    ("units out of order", GOOD + "stall_after: 5m1h\n", ["c.yaml:7:14: stall_after: expected a duration such as 90s, 3m or 1h30m, found '5m1h'"]),
    ("a negative duration", GOOD + "stall_after: -5m\n", ["c.yaml:7:14: stall_after: expected a duration such as 90s, 3m or 1h30m, found '-5m'"]),
    ("a duration of nothing", GOOD + "stall_after: 0s\n", ["c.yaml:7:14: stall_after: must be longer than 0s and at most 365d, found '0s'"]),
    ("an endless duration", GOOD + "stall_after: 999999999d\n", ["c.yaml:7:14: stall_after: must be longer than 0s and at most 365d, found '999999999d'"]),
    ("an empty duration", GOOD + 'stall_after: ""\n', ["c.yaml:7:14: stall_after: expected a duration such as 90s, 3m or 1h30m, found ''"]),
    ("a list for a duration", GOOD + "stall_after: [5m]\n", ["c.yaml:7:14: stall_after: expected a duration such as 60s, found a list"]),
    ("an interval below a tenth of a second", GOOD + "polling: {interval: 50ms}\n", ["c.yaml:7:21: polling.interval: must be at least 100ms, found '50ms'"]),
    ("a discovery interval below a tenth of a second", GOOD + "discovery: {interval: 1ms}\n", ["c.yaml:7:23: discovery.interval: must be at least 100ms, found '1ms'"]),
    ("no workers", GOOD + "polling: {workers: 0}\n", ["c.yaml:7:20: polling.workers: must be from 1 to 1000, found 0"]),
    ("too many workers", GOOD + "polling: {workers: 1001}\n", ["c.yaml:7:20: polling.workers: must be from 1 to 1000, found 1001"]),
    ("no series", GOOD + "metrics: {max_series: 0}\n", ["c.yaml:7:23: metrics.max_series: must be from 1 to 100000000, found 0"]),
    ("octal workers", GOOD + "polling: {workers: 010}\n", ["c.yaml:7:20: polling.workers: expected a whole number such as 8, found '010'"]),
    ("fractional workers", GOOD + "polling: {workers: 2.5}\n", ["c.yaml:7:20: polling.workers: expected a whole number such as 8, found '2.5'"]),
    ("no requests", GOOD + "polling: {requests_per_second: 0}\n", ["c.yaml:7:32: polling.requests_per_second: must be greater than 0 and at most 10000, found '0'"]),
    ("not a number of requests", GOOD + "polling: {requests_per_second: .nan}\n", ["c.yaml:7:32: polling.requests_per_second: expected a number such as 10 or 0.5, found '.nan'"]),
    ("stale_after below the interval", GOOD + "polling: {interval: 60s, stale_after: 30s}\n", ["c.yaml:7:39: polling.stale_after: must not be shorter than the interval, which is 1m"]),
    ("a project's interval above the global stale_after", "polling: {stale_after: 3m}\n" + in_project("polling: {interval: 1h}"), ["c.yaml:8:23: projects[0].polling.interval: must not be longer than stale_after, which is 3m; set stale_after too"]),
    ("a project's stale_after below the global interval", in_project("polling: {stale_after: 10s}"), ["c.yaml:7:26: projects[0].polling.stale_after: must not be shorter than the interval, which is 1m"]),
    ("an invalid expression", in_logstore('exclude_consumer_groups: ["a("]'), ["c.yaml:7:31: projects[0].logstores[0].exclude_consumer_groups[0]: not a regular expression of RE2: missing ): 'a('"]),
    ("a lonely quantifier", in_logstore('exclude_consumer_groups: ["*"]'), ["c.yaml:7:31: projects[0].logstores[0].exclude_consumer_groups[0]: not a regular expression of RE2: no argument for repetition operator: '*'"]),
    ("an ambiguous set", in_logstore('exclude_consumer_groups: ["[a--c]+"]'), ["c.yaml:7:31: projects[0].logstores[0].exclude_consumer_groups[0]: not a regular expression of RE2: invalid character class range: 'a--'"]),
    ("too many repetitions", in_logstore('exclude_consumer_groups: ["a{1001}"]'), ["c.yaml:7:31: projects[0].logstores[0].exclude_consumer_groups[0]: not a regular expression of RE2: invalid repetition size: '{1001}'; write at most 1000, the smaller number first; repetitions within each other multiply"]),
    ("a repetition without its smaller number", in_logstore('exclude_consumer_groups: ["a{,3}"]'), ["c.yaml:7:31: projects[0].logstores[0].exclude_consumer_groups[0]: not a repetition in RE2: '{,3}'; write {0,n} for at most n times, numbers up to 1000 without zeros before them, and \\{ for a brace"]),
    ("a lookahead among excluded owners", in_logstore('exclude_consumers: ["(?!a).*"]'), ["c.yaml:7:25: projects[0].logstores[0].exclude_consumers[0]: not a regular expression of RE2: invalid perl operator: '(?!'; there is no lookaround; list the names to leave out in exclude_projects, exclude_logstores, exclude_consumer_groups or exclude_consumers"]),
    ("an invalid excluded logstore", in_project('exclude_logstores: ["["]'), ["c.yaml:7:23: projects[0].exclude_logstores[0]: not a regular expression of RE2: missing ]: '['"]),
    ("an excluded project that is no name", GOOD + "exclude_projects: [a/b]\n", ["c.yaml:7:20: exclude_projects[0]: a project's name has letters, digits and hyphens only, found 'a/b'"]),
    ("a name that is too long", in_logstore('exclude_consumer_groups: ["' + "a" * 1025 + '"]'), ["c.yaml:7:31: projects[0].logstores[0].exclude_consumer_groups[0]: must have at most 1024 characters, found 1025"]),
    ("an empty name", in_logstore('exclude_consumer_groups: [""]'), ["c.yaml:7:31: projects[0].logstores[0].exclude_consumer_groups[0]: a name must not be empty; '.*' matches every name"]),
    ("a group with a space before its name", GOOD.replace("[g]", "[' g']"), ["c.yaml:6:23: projects[0].logstores[0].consumer_groups[0]: a name must not begin or end with a space"]),
    ("a project with a space after its name", GOOD.replace("project: p", "project: 'p '"), ["c.yaml:2:12: projects[0].project: a name must not begin or end with a space"]),
    ("a name with a control character", in_logstore('exclude_consumer_groups: ["a\\nb"]'), ["c.yaml:7:31: projects[0].logstores[0].exclude_consumer_groups[0]: a name must not contain line breaks or other invisible characters, found 'a\\nb'"]),
    ("a name with the line break of a block", in_logstore("exclude_consumer_groups:\n  - |\n    a\n"), ["c.yaml:8:9: projects[0].logstores[0].exclude_consumer_groups[0]: a name must not contain line breaks or other invisible characters, found 'a\\n'"]),
    ("a name with a space of another script", in_logstore('exclude_consumer_groups: ["a\\u3000b"]'), ["c.yaml:7:31: projects[0].logstores[0].exclude_consumer_groups[0]: a name must not contain line breaks or other invisible characters, found 'a\\u3000b'"]),
    ("a null among names", in_logstore("exclude_consumer_groups: [a, ~]"), ["c.yaml:7:34: projects[0].logstores[0].exclude_consumer_groups[1]: expected a name or a regular expression, found nothing"]),
    ("a list as a name", in_logstore("exclude_consumer_groups: [[a]]"), ["c.yaml:7:31: projects[0].logstores[0].exclude_consumer_groups[0]: expected a name or a regular expression, found a list"]),
    ("text for a list of names", in_logstore("exclude_consumer_groups: etl-.*"), ["c.yaml:7:30: projects[0].logstores[0].exclude_consumer_groups: expected a list, [a, b] or lines that start with '- ', found 'etl-.*'"]),
    ("no consumer groups", "projects:\n- project: p\n  endpoint: h\n  logstores: [{logstore: l, consumer_groups: []}]\n", ["c.yaml:4:46: projects[0].logstores[0].consumer_groups: the list must not be empty"]),
    ("no shards", in_logstore("shards: []"), ["c.yaml:7:13: projects[0].logstores[0].shards: the list must not be empty"]),
    ("a negative shard", in_logstore("shards: [0, -1]"), ["c.yaml:7:17: projects[0].logstores[0].shards[1]: must be from 0 to 2147483647, found -1"]),
    ("a shard that is no number", in_logstore("shards: [first]"), ["c.yaml:7:14: projects[0].logstores[0].shards[0]: expected a whole number such as 0, found 'first'"]),
    ("no consumers", in_logstore("consumers: []"), ["c.yaml:7:16: projects[0].logstores[0].consumers: the list must not be empty"]),
    ("a project's name with a slash", GOOD.replace("project: p", "project: a/b"), ["c.yaml:2:12: projects[0].project: a project's name has letters, digits and hyphens only, found 'a/b'"]),
    ("an endpoint with a path", GOOD.replace("cn-shanghai.log.aliyuncs.com", "https://h/path"), ["c.yaml:3:13: projects[0].endpoint: an endpoint is a host, without a path or a query"]),
    ("an endpoint with credentials", GOOD.replace("cn-shanghai.log.aliyuncs.com", "https://user:hunter2@h"), ["c.yaml:3:13: projects[0].endpoint: credentials do not belong in an endpoint"]),
    ("an endpoint of another scheme", GOOD.replace("cn-shanghai.log.aliyuncs.com", "ftp://h"), ["c.yaml:3:13: projects[0].endpoint: the scheme must be http or https, not 'ftp'"]),
    ("an endpoint that is the metadata of a machine", GOOD.replace("cn-shanghai.log.aliyuncs.com", "http://100.100.100.200"), ["c.yaml:3:13: projects[0].endpoint: the address of the instance metadata is not an endpoint of SLS"]),
    ("an endpoint that is an address written in another way", GOOD.replace("cn-shanghai.log.aliyuncs.com", "http://1684301000"), ["c.yaml:3:13: projects[0].endpoint: expected a host such as cn-shanghai.log.aliyuncs.com"]),
    ("an endpoint without ASCII", GOOD.replace("cn-shanghai.log.aliyuncs.com", "hôst"), ["c.yaml:3:13: projects[0].endpoint: expected a host such as cn-shanghai.log.aliyuncs.com"]),
    ("an empty endpoint", GOOD.replace("cn-shanghai.log.aliyuncs.com", '""'), ["c.yaml:3:13: projects[0].endpoint: expected a host such as cn-shanghai.log.aliyuncs.com"]),
    ("a strange region", in_project("region: Shanghai!"), ["c.yaml:7:11: projects[0].region: expected a region such as cn-shanghai, found 'Shanghai!'"]),
    ("signature v4 without a region", "signature: v4\n" + GOOD.replace("cn-shanghai.log.aliyuncs.com", "127.0.0.1:8080"), ["c.yaml:3:3: projects[0].region: signature v4 requires a region, which the endpoint's name does not contain"]),
    ("signature v4 of one project without a region", GOOD.replace("cn-shanghai.log.aliyuncs.com", "log-global.aliyuncs.com") + "  signature: v4\n", ["c.yaml:2:3: projects[0].region: signature v4 requires a region, which the endpoint's name does not contain"]),
    ("a project's name in the endpoint", GOOD.replace("endpoint: ", "endpoint: http://p."), ["c.yaml:3:13: projects[0].endpoint: already begins with a project's name, which the exporter adds; write http://cn-shanghai.log.aliyuncs.com"]),
    ("a project's name in the endpoint of a pattern", GOOD.replace("project: p", "project: p.*").replace("endpoint: ", "endpoint: p1."), ["c.yaml:3:13: projects[0].endpoint: already begins with a project's name, which the exporter adds; write cn-shanghai.log.aliyuncs.com"]),
    ("a logstore twice", GOOD + "  - logstore: l\n    consumer_groups: [h]\n", ["c.yaml:7:15: projects[0].logstores[1].logstore: logstore 'l' of project 'p' is already listed at line 5 (projects[0].logstores[0].logstore)"]),
    ("a logstore twice in two entries of a project", GOOD + GOOD.removeprefix("projects:\n"), ["c.yaml:10:15: projects[1].logstores[0].logstore: logstore 'l' of project 'p' is already listed at line 5 (projects[0].logstores[0].logstore)"]),
    ("a logstore at two endpoints", GOOD + GOOD.removeprefix("projects:\n").replace("shanghai", "beijing"), ["c.yaml:10:15: projects[1].logstores[0].logstore: logstore 'l' of project 'p' has the same series at another endpoint; set different labels, such as region, here and at line 5 (projects[0].logstores[0].logstore)"]),
    ("an endpoint and endpoints", GOOD + "  endpoints: [h, i]\n", ["c.yaml:7:14: projects[0].endpoints: excludes endpoint, which is given too; keep one of the two"]),
    ("endpoints with a region", SEVERAL + "  region: cn-a\n", ["c.yaml:3:14: projects[0].endpoints: excludes region, which is given too; keep one of the two"]),
    ("no endpoints", SEVERAL.replace("cn-beijing.log.aliyuncs.com, cn-shenzhen.log.aliyuncs.com", ""), ["c.yaml:3:14: projects[0].endpoints: the list must not be empty"]),
    ("an invalid one of the endpoints", SEVERAL.replace("cn-shenzhen.log.aliyuncs.com", "ftp://h"), ["c.yaml:3:44: projects[0].endpoints[1]: the scheme must be http or https, not 'ftp'"]),
    ("an endpoint twice", SEVERAL.replace("cn-shenzhen", "https://cn-beijing"), ["c.yaml:3:44: projects[0].endpoints[1]: this endpoint is already listed at line 3 (projects[0].endpoints[0])"]),
    ("a project's name in one of the endpoints", SEVERAL.replace("cn-shenzhen", "p.cn-shenzhen"), ["c.yaml:3:44: projects[0].endpoints[1]: already begins with a project's name, which the exporter adds; write cn-shenzhen.log.aliyuncs.com"]),
    ("signature v4 at several endpoints without a region", "signature: v4\n" + SEVERAL.replace("cn-shenzhen.log.aliyuncs.com", "h"), ["c.yaml:4:44: projects[0].endpoints[1]: signature v4 requires a region, which the endpoint's name does not contain"]),
    ("endpoints whose names have no region", SEVERAL.replace("cn-beijing.log.aliyuncs.com, cn-shenzhen.log.aliyuncs.com", "h, i"), ["c.yaml:3:14: projects[0].endpoints: logstore 'l' of project 'p' has the same series at two of these endpoints, because labels do not tell them apart; write an item with labels for each endpoint"]),
    ("endpoints with one label for all regions", SEVERAL + "  labels: {region: x}\n", ["c.yaml:3:14: projects[0].endpoints: logstore 'l' of project 'p' has the same series at two of these endpoints, because labels do not tell them apart; write an item with labels for each endpoint"]),
    ("a logstore at one of several endpoints again", SEVERAL + GOOD.removeprefix("projects:\n").replace("shanghai", "shenzhen"), ["c.yaml:10:15: projects[1].logstores[0].logstore: logstore 'l' of project 'p' is already listed at line 5 (projects[0].logstores[0].logstore)"]),
    ("a group twice, once with settings", GOOD.replace("[g]", "[g, {name: g, stall_after: 1h}]"), ["c.yaml:6:33: projects[0].logstores[0].consumer_groups[1].name: consumer group 'g' is already listed at line 6 (projects[0].logstores[0].consumer_groups[0])"]),
    ("a group without a name", GOOD.replace("[g]", "[{stall_after: 1h}]"), ["c.yaml:6:23: projects[0].logstores[0].consumer_groups[0].name: this key is required"]),
    ("a group with an invalid name", GOOD.replace("[g]", "[{name: 'a('}]"), ["c.yaml:6:30: projects[0].logstores[0].consumer_groups[0].name: not a regular expression of RE2: missing ): 'a('"]),
    ("a misspelt key of a group", GOOD.replace("[g]", "[{name: g, stallafter: 1h}]"), ["c.yaml:6:33: projects[0].logstores[0].consumer_groups[0].stallafter: unknown key; did you mean stall_after?"]),
    ("a group's limit without a unit", GOOD.replace("[g]", "[{name: g, lag_limit: 6}]"), ["c.yaml:6:44: projects[0].logstores[0].consumer_groups[0].lag_limit: a duration needs a unit: write 6s, or 6m for minutes"]),
    ("a list as a group", GOOD.replace("[g]", "[[g]]"), ["c.yaml:6:23: projects[0].logstores[0].consumer_groups[0]: expected a name or a regular expression, found a list"]),
    ("a label with a hyphen", GOOD + "labels: {my-team: a}\n", ["c.yaml:7:10: labels.my-team: not a valid name of a label; use letters, digits and underscores, at most 128 of them, with no digit at the start"]),
    ("a label that begins with a digit", in_project("labels: {1st: a}"), ["c.yaml:7:12: projects[0].labels.1st: not a valid name of a label; use letters, digits and underscores, at most 128 of them, with no digit at the start"]),
    ("a label with a long name", in_logstore(f"labels: {{{'a' * 129}: a}}"), [f"c.yaml:7:14: projects[0].logstores[0].labels['{'a' * 63}…']: not a valid name of a label; use letters, digits and underscores, at most 128 of them, with no digit at the start"]),
    ("a label of the exporter", GOOD.replace("[g]", "[{name: g, labels: {shard: a}}]"), ["c.yaml:6:42: projects[0].logstores[0].consumer_groups[0].labels.shard: the exporter sets this label itself; choose another name"]),
    *((f"the label {name}", GOOD + f"labels: {{{name}: a}}\n", [f"c.yaml:7:10: labels.{name}: Prometheus or its operator uses this label; choose another name"]) for name in ("le", "quantile", "job", "instance", "pod", "namespace", "service", "container", "endpoint", "node", "alertname", "alertstate", "severity", "__name__", "exported_team")),
    ("an empty label", GOOD + 'labels: {team: ""}\n', ["c.yaml:7:16: labels.team: must not be empty; leave the label out instead"]),
    ("a label with a control character", GOOD + 'labels: {team: "a\\nb"}\n', ["c.yaml:7:16: labels.team: must not have control characters, found 'a\\nb'"]),
    ("a label with a long value", GOOD + f"labels: {{team: {'a' * 129}}}\n", ["c.yaml:7:16: labels.team: must have at most 128 characters, found 129"]),
    ("a label with a list", GOOD + "labels: {team: [a]}\n", ["c.yaml:7:16: labels.team: expected text, found a list"]),
    ("labels as a list", GOOD + "labels: [team]\n", ["c.yaml:7:9: labels: expected a mapping of keys to values, found a list"]),
    ("too many labels", GOOD + f"labels: {{{', '.join(f'l{n}: a' for n in range(17))}}}\n", ["c.yaml:7:9: labels: must have at most 16 labels, found 17"]),
    ("the secret as a label", GOOD + KEYS + "labels: {team: hunter2}\n", ["c.yaml:8:16: labels.team: contains a secret, which would be shown; remove it here"]),
    ("a group twice", GOOD.replace("[g]", "[g, h, g]"), ["c.yaml:6:29: projects[0].logstores[0].consumer_groups[2]: consumer group 'g' is already listed at line 6 (projects[0].logstores[0].consumer_groups[0])"]),
    ("empty credentials", GOOD + "credentials: {}\n", ["c.yaml:7:14: credentials.access_key_id: access_key_id or access_key_id_file is required", "c.yaml:7:14: credentials.access_key_secret: access_key_secret or access_key_secret_file is required"]),
    ("an ID without a secret", GOOD + "credentials: {access_key_id: LTAI}\n", ["c.yaml:7:14: credentials.access_key_secret: access_key_secret or access_key_secret_file is required"]),
    ("a secret without an ID", GOOD + "credentials: {access_key_secret: hunter2}\n", ["c.yaml:7:14: credentials.access_key_id: access_key_id or access_key_id_file is required"]),
    ("a token alone", GOOD + "credentials: {security_token: hunter2}\n", ["c.yaml:7:14: credentials.access_key_id: access_key_id or access_key_id_file is required", "c.yaml:7:14: credentials.access_key_secret: access_key_secret or access_key_secret_file is required"]),
    ("a list as a secret", GOOD + "credentials: {access_key_id: LTAI, access_key_secret: [hunter2]}\n", ["c.yaml:7:55: credentials.access_key_secret: expected text"]),
    ("a secret with a space", GOOD + "credentials: {access_key_id: LTAI, access_key_secret: hunter2 hunter2}\n", ["c.yaml:7:55: credentials.access_key_secret: must not contain spaces, control characters or non-ASCII characters"]),
    ("an empty secret", GOOD + 'credentials: {access_key_id: LTAI, access_key_secret: ""}\n', ["c.yaml:7:55: credentials.access_key_secret: must not be empty"]),
    ("a secret in place of credentials", GOOD + "credentials: hunter2\n", ["c.yaml:7:14: credentials: expected a mapping of keys to values, found text"]),
    ("a secret in place of a key", GOOD + "credentials: {access_key_id: LTAI, access_key_secret: x, hunter2}\n", ["c.yaml:7:58: credentials: unknown key; there are access_key_id, access_key_id_file, access_key_secret, access_key_secret_file, security_token, security_token_file, profile, role_arn, external_id, role_session_name, sts_endpoint"]),
    ("a misspelt key of credentials", GOOD + "credentials: {access_key_id: LTAI, acces_key_secret: hunter2}\n", ["c.yaml:7:14: credentials.access_key_secret: access_key_secret or access_key_secret_file is required", "c.yaml:7:36: credentials.acces_key_secret: unknown key; did you mean access_key_secret?"]),
    ("credentials of a project", in_project("credentials: {access_key_id: LTAI}"), ["c.yaml:7:16: projects[0].credentials.access_key_secret: access_key_secret or access_key_secret_file is required"]),
    ("a profile with a key", GOOD + "credentials: {profile: a, access_key_id: LTAI}\n", ["c.yaml:7:24: credentials.profile: excludes access_key_id, which is given too; keep one of the two"]),
    ("an ID and a role without a secret", GOOD + "credentials: {role_arn: 'acs:ram::1:role/r', access_key_id: LTAI}\n", ["c.yaml:7:14: credentials.access_key_secret: access_key_secret or access_key_secret_file is required"]),
    ("settings of a role without a role", GOOD + "credentials: {profile: a, external_id: ab, role_session_name: ab, sts_endpoint: h}\n", ["c.yaml:7:40: credentials.external_id: needs role_arn, the role to assume", "c.yaml:7:63: credentials.role_session_name: needs role_arn, the role to assume", "c.yaml:7:81: credentials.sts_endpoint: needs role_arn, the role to assume"]),
    ("a secret as a role", GOOD + "credentials: {role_arn: hunter2}\n", ["c.yaml:7:25: credentials.role_arn: expected the ARN of a role, acs:ram::ACCOUNT:role/NAME"]),
    ("the ARN of a user as a role", GOOD + "credentials: {role_arn: 'acs:ram::1:user/hunter2'}\n", ["c.yaml:7:25: credentials.role_arn: expected the ARN of a role, acs:ram::ACCOUNT:role/NAME"]),
    ("a short external ID", GOOD + "credentials: {role_arn: 'acs:ram::1:role/r', external_id: x}\n", ["c.yaml:7:59: credentials.external_id: expected 2 to 1224 characters without spaces"]),
    ("a list as an external ID", GOOD + "credentials: {role_arn: 'acs:ram::1:role/r', external_id: [hunter2]}\n", ["c.yaml:7:59: credentials.external_id: expected 2 to 1224 characters without spaces, found a list"]),
    ("a strange session name", GOOD + "credentials: {role_arn: 'acs:ram::1:role/r', role_session_name: a/hunter2}\n", ["c.yaml:7:65: credentials.role_session_name: expected 2 to 64 letters, digits, dots, hyphens, @ or _"]),
    ("STS without TLS", GOOD + "credentials: {role_arn: 'acs:ram::1:role/r', sts_endpoint: 'http://sts.example.org'}\n", ["c.yaml:7:60: credentials.sts_endpoint: credentials require https, except on this machine"]),
    ("metadata as STS", GOOD + "credentials: {role_arn: 'acs:ram::1:role/r', sts_endpoint: 'http://100.100.100.200'}\n", ["c.yaml:7:60: credentials.sts_endpoint: the address of the instance metadata is not an endpoint of STS"]),
    ("a value and its file", GOOD + "credentials: {access_key_id: LTAI, access_key_secret: x, access_key_secret_file: good}\n", ["c.yaml:7:82: credentials.access_key_secret_file: excludes access_key_secret, which is given too; keep one of the two"]),
    ("a missing file", GOOD + "credentials: {access_key_id: LTAI, access_key_secret_file: missing}\n", ["c.yaml:7:60: credentials.access_key_secret_file: 'missing' cannot be read: No such file or directory"]),
    ("a directory as a file", GOOD + "credentials: {access_key_id: LTAI, access_key_secret_file: directory}\n", ["c.yaml:7:60: credentials.access_key_secret_file: 'directory' cannot be read: not a regular file"]),
    ("an empty secret file", GOOD + "credentials: {access_key_id: LTAI, access_key_secret_file: empty}\n", ["c.yaml:7:60: credentials.access_key_secret_file: 'empty' is empty"]),
    ("a large secret file", GOOD + "credentials: {access_key_id: LTAI, access_key_secret_file: large}\n", ["c.yaml:7:60: credentials.access_key_secret_file: 'large' cannot be read: larger than 64 KiB"]),
    ("a secret file of several lines", GOOD + "credentials: {access_key_id: LTAI, access_key_secret_file: lines}\n", ["c.yaml:7:60: credentials.access_key_secret_file: 'lines' contains spaces or characters other than printable ASCII"]),
    ("an empty path of a file", GOOD + 'credentials: {access_key_id: LTAI, access_key_secret_file: ""}\n', ["c.yaml:7:60: credentials.access_key_secret_file: expected the path of a file, found ''"]),
    ("a CA file without certificates", GOOD + "http: {ca_file: good}\n", ["c.yaml:7:17: http.ca_file: 'good' contains no certificates in PEM format"]),
    ("a missing CA file of a project", in_project("http: {ca_file: missing}"), ["c.yaml:7:19: projects[0].http.ca_file: 'missing' cannot be read: No such file or directory"]),
    ("an unset variable in the format of a secret", GOOD + "signature: ${abcdefghijklmnopqrstuvwxyzABC1}\n", ["c.yaml:7:12: signature: the environment variable … is not set; $${ stands for a literal ${"]),
    ("an unset variable with a long name", GOOD + f"signature: ${{{'A' * 65}}}\n", [f"c.yaml:7:12: signature: the environment variable {'A' * 63}… is not set; $${{ stands for a literal ${{"]),
    ("an unset variable", GOOD + "signature: ${UNSET}\n", ["c.yaml:7:12: signature: the environment variable UNSET is not set; $${ stands for a literal ${"]),
    ("a variable with a default", GOOD + "signature: ${UNSET:-v1}\n", ["c.yaml:7:12: signature: expected ${NAME} after a dollar sign; $${ stands for a literal ${"]),
    ("an unfinished variable", GOOD + "signature: ${\n", ["c.yaml:7:12: signature: expected ${NAME} after a dollar sign; $${ stands for a literal ${"]),
    ("a variable that brings structure", GOOD + 'lag: "${STRUCTURE}"\n', ["c.yaml:7:6: lag: expected true or false, found the value of '${STRUCTURE}'"]),
    ("a secret in the wrong place", GOOD + "signature: ${SECRET}\nlag: ${SECRET}\nstall_after: x${SECRET}\n", ["c.yaml:7:12: signature: expected v1 or v4, found the value of '${SECRET}'", "c.yaml:8:6: lag: expected true or false, found the value of '${SECRET}'", "c.yaml:9:14: stall_after: expected a duration such as 90s, 3m or 1h30m, found the value of 'x${SECRET}'"]),
    ("the secret as an endpoint", GOOD.replace("cn-shanghai.log.aliyuncs.com", "hunter2") + KEYS, ["c.yaml:3:13: projects[0].endpoint: contains a secret, which would be shown; remove it here"]),
    ("the secret as a project", GOOD.replace("project: p", "project: hunter2") + KEYS, ["c.yaml:2:12: projects[0].project: contains a secret, which would be shown; remove it here"]),
    ("the external ID as a project", GOOD.replace("project: p", "project: hunter2") + "credentials: {role_arn: 'acs:ram::1:role/r', external_id: hunter2}\n", ["c.yaml:2:12: projects[0].project: contains a secret, which would be shown; remove it here"]),
    ("the secret as a session name", GOOD + KEYS.replace("}", ", role_arn: 'acs:ram::1:role/r', role_session_name: hunter2}"), ["c.yaml:7:114: credentials.role_session_name: contains a secret, which would be shown; remove it here"]),
    ("the secret in a pattern", GOOD.replace("[g]", "['hunter2.*']") + KEYS, ["c.yaml:6:23: projects[0].logstores[0].consumer_groups[0]: contains a secret, which would be shown; remove it here"]),
    ("the secret as a project, in a variable", GOOD.replace("project: p", "project: ${SECRET}") + KEYS, ["c.yaml:2:12: projects[0].project: contains a secret, which would be shown; remove it here"]),
    ("the secret as the ID of the key", GOOD + "credentials: {access_key_id: hunter2, access_key_secret: hunter2}\n", ["c.yaml:7:30: credentials.access_key_id: contains a secret, which would be shown; remove it here"]),
    ("the secret of the environment as a group", GOOD.replace("[g]", "['${ALIBABA_CLOUD_ACCESS_KEY_SECRET}']"), ["c.yaml:6:23: projects[0].logstores[0].consumer_groups[0]: contains a secret, which would be shown; remove it here"]),
    ("the token of the environment as a logstore", GOOD.replace("logstore: l", "logstore: hunter2-token"), ["c.yaml:5:15: projects[0].logstores[0].logstore: contains a secret, which would be shown; remove it here"]),
    ("the secret as an invalid value", GOOD + KEYS + "stall_after: hunter2\n", ["c.yaml:8:14: stall_after: expected a duration such as 90s, 3m or 1h30m, found '…'", "c.yaml:8:14: stall_after: contains a secret, which would be shown; remove it here"]),
    ("the secret as a key", GOOD + KEYS + "hunter2: v1\n", ["c.yaml:8:1: ['…']: unknown key; there are credentials, signature, polling, discovery, lag, stall_after, lag_limit, labels, metrics, http, projects, exclude_projects"]),
    ("the secret as the name of a label", GOOD + KEYS + "labels: {team: a, hunter2: b}\n", ["c.yaml:8:19: labels['…']: contains a secret, which would be shown; remove it here"]),
    ("the secret in the name of a group's label", GOOD.replace("[g]", "[{name: g, labels: {x_hunter2: b}}]") + KEYS, ["c.yaml:6:42: projects[0].logstores[0].consumer_groups[0].labels['x_…']: contains a secret, which would be shown; remove it here"]),
    ("an unknown secret as a project", GOOD.replace("project: p", f"project: {UNKNOWN}"), ["c.yaml:2:12: projects[0].project: expected the name of a project, found text that looks like a secret"]),
    ("an unknown secret as a file", GOOD + f"credentials: {{access_key_id: LTAI, access_key_secret_file: {UNKNOWN}}}\n", ["c.yaml:7:60: credentials.access_key_secret_file: text that looks like a secret cannot be read: No such file or directory"]),
    ("an unknown token as a duration", GOOD + f"stall_after: CAIS{UNKNOWN}{UNKNOWN}\n", ["c.yaml:7:14: stall_after: expected a duration such as 90s, 3m or 1h30m, found text that looks like a secret"]),
    ("a number in the wrong place", GOOD + "stall_after: ${NUMBER}\npolling: {workers: '${NUMBER}'}\n", ["c.yaml:7:14: stall_after: expected a duration such as 90s, 3m or 1h30m, found the value of '${NUMBER}'", "c.yaml:8:20: polling.workers: must be from 1 to 1000, found the value of '${NUMBER}'"]),
    ("a variable as a key", GOOD + '"${KEY}": v1\n', ["c.yaml:7:1: ['${KEY}']: unknown key; there are credentials, signature, polling, discovery, lag, stall_after, lag_limit, labels, metrics, http, projects, exclude_projects"]),
    ("a long value with control characters", GOOD + 'signature: "\\e[31m' + "x" * 100 + '"\n', ["c.yaml:7:12: signature: expected v1 or v4, found '\\x1b[31mxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'"]),
]
# fmt: on
ENVIRON = {
    "KEY": "signature",
    "STRUCTURE": "{a: [b]}",
    "SECRET": "hunter2",
    "NUMBER": "5550123",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "hunter2-secret",
    "ALIBABA_CLOUD_SECURITY_TOKEN": "hunter2-token",
}


def lines_of(text: str | bytes, base_dir: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, name="c.yaml", environ=ENVIRON, base_dir=base_dir)
    assert "\n".join(str(problem) for problem in caught.value.problems) == str(caught.value)
    return str(caught.value).splitlines()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Make a directory with the files that the table names."""
    (tmp_path / "good").write_text("hunter2\n", encoding="utf-8")
    (tmp_path / "empty").write_text(" \n", encoding="utf-8")
    (tmp_path / "large").write_text("x" * 65_537, encoding="utf-8")
    (tmp_path / "lines").write_text("a\nb\n", encoding="utf-8")
    (tmp_path / "directory").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "lines"), [pytest.param(text, lines, id=name) for name, text, lines in CASES]
)
def test_an_error_is_reported_with_its_location_and_remedy(
    text: str, lines: list[str], files: Path
) -> None:
    assert lines_of(text, files) == lines


def test_nesting_beyond_the_limit_of_libyaml_is_reported_with_the_same_message(files: Path) -> None:
    (line,) = lines_of("projects: " + "[" * 100_000, files)
    assert line.endswith(": (document): nested more than 32 levels deep")


SECRETIVE = [pytest.param(text, id=name) for name, text, _ in CASES if "hunter2" in text]


@pytest.mark.parametrize("text", SECRETIVE)
def test_no_message_repeats_a_secret(text: str, files: Path) -> None:
    assert "hunter2" not in "".join(lines_of(text, files))


def test_all_errors_of_a_file_are_reported_together_in_the_order_of_the_file(
    tmp_path: Path,
) -> None:
    text = """\
credentails: {}
polling: {interval: 60, workers: many}
lag: !!bool true
lag: false
projects:
- project: "a b"
  endpoint:
  region: ${UNSET}
  logstores:
  - logstore: "["
    consumer_groups: [a, b, a]
  - logstore: x
    consumer_group: [a]
"""
    assert lines_of(text, tmp_path) == [
        "c.yaml:1:1: credentails: unknown key; did you mean credentials?",
        "c.yaml:2:21: polling.interval: a duration needs a unit: write 60s, or 60m for minutes",
        "c.yaml:2:34: polling.workers: expected a whole number such as 8, found 'many'",
        "c.yaml:3:6: lag: tags (!…) are not supported; write the value without its tag",
        "c.yaml:4:1: lag: this key is already in the mapping, at line 3",
        "c.yaml:6:12: projects[0].project: a project's name has letters, digits and hyphens only, found 'a b'",
        "c.yaml:7:3: projects[0].endpoint: endpoint or endpoints is required",
        "c.yaml:8:11: projects[0].region: the environment variable UNSET is not set; $${ stands for a literal ${",
        "c.yaml:10:15: projects[0].logstores[0].logstore: not a regular expression of RE2: missing ]: '['",
        "c.yaml:11:29: projects[0].logstores[0].consumer_groups[2]: consumer group 'a' is already listed at line 11 (projects[0].logstores[0].consumer_groups[0])",
        "c.yaml:12:5: projects[0].logstores[1].consumer_groups: this key is required",
        "c.yaml:13:5: projects[0].logstores[1].consumer_group: unknown key; did you mean consumer_groups?",
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            b"\xff\xfel\x00",
            "c.yaml:1:1: (document): byte 0xff is not UTF-8; save the file as UTF-8",
        ),
        (
            "lag: true\nsignature: é".encode("latin-1"),
            "c.yaml:2:12: (document): byte 0xe9 is not UTF-8; save the file as UTF-8",
        ),
    ],
)
def test_bytes_that_are_not_utf_8_are_named(content: bytes, line: str, tmp_path: Path) -> None:
    assert lines_of(content, tmp_path) == [line]


def test_a_thousand_errors_are_listed_and_the_rest_counted(tmp_path: Path) -> None:
    lines = lines_of(GOOD + "".join(f"unknown{number}: 1\n" for number in range(1005)), tmp_path)
    assert len(lines) == 1001
    assert lines[-1] == "c.yaml:1006:1: (document): 5 more errors are not listed"


def test_an_error_behind_an_alias_is_reported_for_each_use_at_its_one_location(
    tmp_path: Path,
) -> None:
    text = GOOD.replace("[g]", '&groups ["("]') + "  - {logstore: m, consumer_groups: *groups}\n"
    reason = "not a regular expression of RE2: missing ): '('"
    assert lines_of(text, tmp_path) == [
        f"c.yaml:6:31: projects[0].logstores[0].consumer_groups[0]: {reason}",
        f"c.yaml:6:31: projects[0].logstores[1].consumer_groups[0]: {reason}",
    ]


def test_a_global_error_appears_once_for_many_projects(tmp_path: Path) -> None:
    text = GOOD + GOOD.removeprefix("projects:\n").replace("project: p", "project: q")
    assert lines_of("polling: {interval: 10m, stale_after: 3m}\n" + text, tmp_path) == [
        "c.yaml:1:39: polling.stale_after: must not be shorter than the interval, which is 10m"
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.yaml", "No such file or directory"),
        ("directory", "Is a directory"),
        ("nul\0", "not the name of a file"),
    ],
)
def test_an_unreadable_file_is_reported_as_an_error(name: str, reason: str, files: Path) -> None:
    path = files / name
    with pytest.raises(ConfigError) as caught:
        load(path, environ={})
    shown = str(path).replace("\0", "\\x00")
    assert str(caught.value) == f"{shown}: cannot be read: {reason}"


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    with pytest.raises(ConfigError) as caught:
        load(path, environ={})
    assert str(caught.value) == f"{path}: cannot be read: larger than 64 MiB"


def test_an_endless_file_is_an_error() -> None:
    with pytest.raises(ConfigError) as caught:
        load(Path("/dev/zero"), environ={})
    assert str(caught.value) == "/dev/zero: cannot be read: larger than 64 MiB"
