"""The names that identify what is polled."""

from exporter.model.names import GroupKey, TargetKey

SHANGHAI, HANGZHOU = "https://cn-shanghai.log.aliyuncs.com", "https://cn-hangzhou.log.aliyuncs.com"


def test_targets_of_one_name_at_two_endpoints_differ() -> None:
    here, there = TargetKey(SHANGHAI, "shop", "orders"), TargetKey(HANGZHOU, "shop", "orders")
    assert here != there
    assert (here.project_key, there.project_key) == ((SHANGHAI, "shop"), (HANGZHOU, "shop"))


def test_labels_of_a_key_do_not_contain_the_endpoint() -> None:
    target = TargetKey(SHANGHAI, "shop", "orders")
    group = GroupKey(*target, "billing")
    assert target.labels == {"project": "shop", "logstore": "orders"}
    assert group.labels == {"project": "shop", "logstore": "orders", "consumer_group": "billing"}
    assert (target.names, group.names) == (("shop", "orders"), ("shop", "orders", "billing"))
