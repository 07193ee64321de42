"""The explanation of limits, labels and overlaps."""

import pytest

from tests.unit.commands.test_check import explained

WHICH = "which decides about groups of both"
TEXT = """\
labels: {{env: prod, host: "{host}"}}
projects:
  - project: shop
    endpoint: cn-shanghai.log.aliyuncs.com
    lag_limit: 20m
    labels: {{team: shop}}
    logstores:
      - logstore: "app-.*"
        stall_after: 2m
        labels: {{tier: one}}
        consumer_groups:
          - {{name: "nightly-.*", stall_after: 2h, lag_limit: 6h, labels: {{team: data, of: x}}}}
          - ".*"
          - {{name: payments, stall_after: 1m}}
      - {{logstore: "app.*", consumer_groups: ["n.*"], labels: {{tier: one}}, stall_after: 2m}}
      - {{logstore: app-1, consumer_groups: [payments]}}
      - {{logstore: web, consumer_groups: [payments]}}
"""


def lines_of(host: str = "a", **environ: str) -> list[str]:
    text = explained(TEXT.format(host=host), **environ)
    return [line.strip() for line in text.splitlines()]


def test_limits_and_labels_of_each_level_are_explained() -> None:
    lines = lines_of()
    assert "a shard is stalled once it is behind and has not moved for 5m" in lines
    assert "a lag above 20m is too high" in lines
    assert "labels: env=prod, host=a, team=shop" in lines
    assert "these groups: stalled after 2m, labels tier=one" in lines
    assert "group like nightly-.*: stalled after 2h, lag limit 6h, labels of=x, team=data" in lines


def test_items_that_overlap_are_explained_with_what_differs() -> None:
    found = [line for line in lines_of() if "overlaps" in line or "no effect" in line]
    first, keys = "projects[0].logstores[0]", "stall_after, lag_limit, labels"
    assert found == [
        "warning: payments has no effect, because like .* comes first and decides about its groups",
        f"warning: overlaps with {first}, {WHICH} and has other values of {keys}",
        f"warning: has no effect, because {first} comes first and decides about all",
    ]


def test_overlap_without_a_difference_is_explained_without_a_warning() -> None:
    text = """\
projects:
  - project: shop
    endpoint: cn-shanghai.log.aliyuncs.com
    logstores:
      - {logstore: "app-.*", consumer_groups: ["a.*"]}
      - {logstore: ".*", consumer_groups: ["a.*"]}
"""
    line = "    overlaps with projects[0].logstores[0], which decides about groups of both\n"
    assert explained(text).endswith(line)


@pytest.mark.parametrize("variable", ["HOSTNAME", "POD_NAME", "MY_POD_IP", "NODE_NAME"])
def test_label_that_differs_between_replicas_is_warned_of_once(variable: str) -> None:
    lines = lines_of(f"on-${{{variable}}}", **{variable: "pod-1"})
    [warning] = [line for line in lines if "replicas" in line]
    assert warning.startswith(f"warning: the label host contains {variable}, which can differ")
    assert "labels: env=prod, host=on-pod-1, team=shop" in lines


@pytest.mark.parametrize("variable", ["REGION", "POD_NAMESPACE", "CLUSTER"])
def test_label_that_is_the_same_in_all_replicas_is_not_warned_of(variable: str) -> None:
    lines = lines_of(f"${{{variable}}}", **{variable: "a"})
    assert not any("replicas" in line for line in lines)


def test_label_of_a_group_that_differs_between_replicas_is_warned_of() -> None:
    text = TEXT.format(host="a").replace("of: x", 'of: "${HOSTNAME}"')
    assert "    warning: the label of contains HOSTNAME," in explained(text, HOSTNAME="pod-1")


@pytest.mark.parametrize("project", ["shop", "sh.*"])
def test_check_warns_of_patterns_that_can_find_the_series_of_another_endpoint(project: str) -> None:
    def text(labels: str) -> str:
        logstores = "logstores: [{logstore: 'web.*', consumer_groups: ['.*']}]"
        return (
            f"projects: [{{project: shop, endpoint: cn-beijing.log.aliyuncs.com, {logstores}}},"
            f" {{project: {project}, endpoint: cn-shenzhen.log.aliyuncs.com, {logstores}{labels}}}]"
        )

    warning = (
        "    warning: logstores with the names of projects[0].logstores[0] at"
        " https://cn-beijing.log.aliyuncs.com are not polled here, because they would have the same"
        " series; set different labels, such as region\n"
    )
    assert explained(text("")).count(warning) == 1
    assert "same series" not in explained(text(", labels: {region: south}"))


def test_check_explains_each_of_the_endpoints_of_a_project() -> None:
    found = explained(
        "projects: [{project: shop, endpoints: [cn-beijing.log.aliyuncs.com,"
        " cn-shenzhen.log.aliyuncs.com], logstores: [{logstore: web, consumer_groups: ['.*']}]}]"
    )
    assert "project shop at https://cn-beijing.log.aliyuncs.com\n" in found
    assert "project shop at https://cn-shenzhen.log.aliyuncs.com\n" in found
    assert "  labels: region=cn-beijing\n" in found
    assert "  labels: region=cn-shenzhen\n" in found
    assert "same series" not in found
