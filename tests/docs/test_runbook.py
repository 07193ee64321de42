"""The commands in the runbook exist, and the evidence that it saves is complete."""

import inspect
import json
import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from aliyun.log import LogClient

from exporter.status import api
from tests.support.docs import read
from tests.support.status_views import document_of, varied

RUNBOOK = read("docs/runbook.md")
VENDOR_COMMANDS = re.findall(r"^ *aliyunlog log (\w+) (.+?)(?: >|$)", RUNBOOK, re.MULTILINE)
MAILER = {"PROJECT": "shop", "LOGSTORE": "orders", "GROUP": "mailer"}


def test_evidence_has_checkpoint_owner_and_time_of_each_shard() -> None:
    (address,) = re.findall(r"^curl -s '(\S+)' >", RUNBOOK, re.MULTILINE)
    url = urlsplit(address)
    query = {name: MAILER[value] for name, value in parse_qsl(url.query)}
    found = json.loads(api.as_json(document_of(varied()), query))
    assert url.path == "/api/v1/groups"
    assert found["ignored"] == []
    assert found["at"] > 0
    (group,) = found["groups"]
    assert (group["project"], group["logstore"], group["consumer_group"]) == tuple(MAILER.values())
    assert len(group["shards"]) == 3
    for shard in group["shards"]:
        for field in ("checkpoint", "consumer", "updated_at", "stalled_seconds"):
            assert shard[field] is not None
            assert f"`{field}`" in RUNBOOK or field == "stalled_seconds"


@pytest.mark.parametrize(("method", "options"), sorted(set(VENDOR_COMMANDS)))
def test_command_of_the_vendor_has_the_parameters_of_its_client(method: str, options: str) -> None:
    # The command line of SLS makes a command of each method of the client.
    signature = inspect.signature(getattr(LogClient, method))
    given = re.findall(r"--(\w+)=", options)
    required = {
        name
        for name, parameter in signature.parameters.items()
        if parameter.default is inspect.Parameter.empty and name != "self"
    }
    assert required <= set(given) <= signature.parameters.keys()
