"""The table of operations: requests, and the permissions that they need."""

from exporter.sls.operations import GET_CURSOR, LIST_LOGSTORES, OPERATION_NAMES, OPERATIONS
from tests.support.docs import read


def test_operation_names_are_different() -> None:
    assert len(set(OPERATION_NAMES)) == len(OPERATIONS) == 8


def test_operations_need_permissions_by_their_own_names_except_three() -> None:
    others = {each.name: each.action for each in OPERATIONS if each.action != f"log:{each.name}"}
    assert others == {
        "GetCheckPoint": "log:GetConsumerGroupCheckPoint",
        "GetCursor": "log:GetCursorOrData",
        "GetCursorTime": "log:GetCursorOrData",
    }


def test_path_of_an_operation_is_encoded_and_its_query_is_not() -> None:
    parameters = {"logstore": "a/b {shard}", "shard": "3", "position": "{a}/b"}
    assert GET_CURSOR.path_of(parameters) == "/logstores/a%2Fb%20%7Bshard%7D/shards/3"
    assert GET_CURSOR.query_of(parameters) == {"type": "cursor", "from": "{a}/b"}


def test_query_of_a_paged_operation_has_an_offset_and_a_size() -> None:
    assert LIST_LOGSTORES.query_of({"offset": "0", "size": "500"}) == {
        "offset": "0",
        "size": "500",
    }


def test_handbook_names_the_action_of_every_operation() -> None:
    handbook = read("docs/operations.md")
    assert {each.action for each in OPERATIONS if f'"{each.action}"' not in handbook} == set()
