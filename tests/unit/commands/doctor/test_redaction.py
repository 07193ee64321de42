"""A redacted report: it has no name, and the same placeholder wherever a name was."""

import io
import json
from collections.abc import Callable

import pytest

from exporter.commands.doctor.findings import Examined, Finding, Item
from exporter.commands.doctor.redaction import Redactor
from exporter.commands.doctor.rendering import write_json, write_table
from tests.support.doctor import (
    ALIVE,
    LOGSTORE,
    PROJECT,
    UNUSED,
    WORKER,
    config_text,
    examined,
    observable_world,
    session_of,
)
from tests.support.faults import ErrorAnswer
from tests.support.faulty_simulator import FaultySimulator

ACCOUNT = "1234567890123456"


def redacted(*names: tuple[str, str]) -> Callable[[str], str]:
    made = Redactor()
    for kind, name in names:
        made.add(kind, [name])
    return made.text


def test_names_get_numbers_in_the_order_in_which_they_were_added() -> None:
    text = redacted(("project", "shop"), ("project", "bank"), ("logstore", "orders"))
    assert text("bank and shop and orders") == "project-2 and project-1 and logstore-1"


def test_a_name_keeps_its_placeholder_in_any_case_and_kind() -> None:
    text = redacted(("project", "Shop"), ("logstore", "shop"), ("logstore", "orders"))
    assert text("SHOP shop orders") == "project-1 project-1 logstore-1"


def test_a_name_within_another_one_is_replaced_last() -> None:
    text = redacted(("project", "shop"), ("logstore", "shop-orders"))
    assert text("shop-orders of shop") == "logstore-1 of project-1"


def test_a_placeholder_is_not_replaced_by_another_one() -> None:
    assert redacted(("logstore", "shop"), ("group", "logstore"))("shop") == "logstore-1"


def test_a_long_name_is_replaced_within_words_and_a_short_one_is_not() -> None:
    text = redacted(("project", "shop"), ("logstore", "a"))
    assert text("workshops a, an a-b") == "workproject-1s logstore-1, an a-b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"acs:log:cn-shanghai:{ACCOUNT}:project", "acs:log:cn-shanghai:…:project"),
        ("connect to 10.1.2.3:443", "connect to …:443"),
        ("(request id 6A0B1234567890C)", "(request id 6A0B1234567890C)"),
    ],
)
def test_accounts_and_addresses_are_hidden(text: str, expected: str) -> None:
    assert redacted(("project", "shop"))(text) == expected


def test_letters_that_only_match_without_case_are_hidden() -> None:
    assert redacted(("project", "shops"))("\u017fhops and SHOPS") == "… and project-1"


def test_private_details_are_left_out() -> None:
    finding = Finding(step="keys", result="ok", seen="a key", detail="/secret", is_private=True)
    found = Examined(item=Item(endpoint="e", project="p"), findings=(finding,))
    (hidden,) = Redactor().examined(found).findings
    assert hidden.detail == ""


def test_report_of_all_failures_has_no_name() -> None:
    held, world = observable_world()
    with FaultySimulator(world) as simulator:
        names = [PROJECT, LOGSTORE, ALIVE, UNUSED, WORKER]
        message = f"denied: acs:log:*:{ACCOUNT}:project/{'/'.join(names)} {simulator.endpoint}"
        fault = ErrorAnswer(status=401, code="Unauthorized", message=message)
        simulator.faults.add(fault, operation="GetCheckPoint", consumer_group=UNUSED)
        for operation in ("ListShards", "GetLogStore"):
            simulator.faults.add(fault, operation=operation)
        session = session_of(config_text(simulator.endpoint), held.clock)
        found = examined(session)
        port = simulator.endpoint.rpartition(":")[2]
    plain, hidden = io.StringIO(), io.StringIO()
    write_json(found, plain)
    replaced = [session.redactor.examined(each) for each in found]
    write_json(replaced, hidden)
    write_table(replaced, hidden, {})
    for name in [*names, ACCOUNT, f"127.0.0.1:{port}"]:
        assert name in plain.getvalue()
        assert name not in hidden.getvalue()
    items = json.loads(hidden.getvalue().partition("\n}\n")[0] + "}")["items"]
    assert {each["project"] for each in items} == {"project-1"}
    assert [each["logstore"] for each in items] == ["", "logstore-1"]
    assert items[0]["sls_endpoint"] == "endpoint-1"


def test_the_name_of_a_region_stays() -> None:
    endpoint = "cn-shanghai.log.aliyuncs.com"
    held, _ = observable_world()
    session = session_of(config_text(endpoint, keys=""), held.clock)
    item = Item(endpoint=f"https://{endpoint}", project=PROJECT)
    assert session.redactor.examined(Examined(item=item, findings=())).item == item
