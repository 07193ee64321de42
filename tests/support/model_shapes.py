"""The fields of responses in the models of API 2020-12-30, with their types in the generated SDK.

A conformance test compares them with the SDK.
"""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

MODELS: Mapping[str, Mapping[str, str]] = {
    "GetCheckPointResponseBody": {
        "checkpoint": "str",
        "consumer": "str",
        "shard": "int",
        "updateTime": "int",
    },
    "ConsumerGroup": {"name": "str", "order": "bool", "timeout": "int"},
    "Shard": {
        "createTime": "int",
        "exclusiveEndKey": "str",
        "inclusiveBeginKey": "str",
        "shardID": "int",
        "status": "str",
    },
    "GetCursorResponseBody": {"cursor": "str"},
    "GetCursorTimeResponseBody": {"cursor_time": "str"},
    "Logstore": {
        "appendMeta": "bool",
        "autoSplit": "bool",
        "createTime": "int",
        "enableModify": "bool",
        "enable_tracking": "bool",
        "encrypt_conf": "main_models.EncryptConf",
        "hot_ttl": "int",
        "infrequentAccessTTL": "int",
        "lastModifyTime": "int",
        "logstoreName": "str",
        "maxSplitShard": "int",
        "mode": "str",
        "processorId": "str",
        "productType": "str",
        "resourceGroupId": "str",
        "shardCount": "int",
        "shardingPolicy": "main_models.ShardingPolicy",
        "telemetryType": "str",
        "ttl": "int",
    },
    "ListLogStoresResponseBody": {"count": "int", "logstores": "List[str]", "total": "int"},
    "ListProjectResponseBody": {
        "count": "int",
        "projects": "List[main_models.Project]",
        "total": "int",
    },
    "Project": {
        "createTime": "str",
        "dataRedundancyType": "str",
        "description": "str",
        "internalEndpoint": "str",
        "internetEndpoint": "str",
        "lastModifyTime": "str",
        "owner": "str",
        "projectName": "str",
        "quota": "Dict[str, Any]",
        "recycleBinEnabled": "bool",
        "region": "str",
        "resourceGroupId": "str",
        "status": "str",
    },
}
"""Types by model and by field, as it is spelled in JSON."""

COUNTS = st.integers(0, 2**31 - 1)
TEXTS = st.text("abcMT=0123456789-", max_size=12)
NAMES = st.text("abc-", min_size=1, max_size=8)
_OBJECTS = st.dictionaries(TEXTS, TEXTS | COUNTS, max_size=2)
_VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "int": COUNTS,
    "str": TEXTS,
    "bool": st.booleans(),
    "List[str]": st.lists(st.none() | NAMES, max_size=4),
}
_TIMES = st.just(0) | st.integers(10**14, 17 * 10**14)  # in microseconds
_NAMED: Mapping[str, st.SearchStrategy[Any]] = {
    "cursor_time": COUNTS,
    "name": NAMES,
    "projectName": NAMES,
    "updateTime": _TIMES,
}
"""Values of fields that the exporter reads as more than their type."""


def shapes(model: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects in which each field has its type, or is null or absent.

    A number may also be written as text, as the model declares the time of a cursor. ``fields``
    replaces the values of some fields.
    """
    values = {
        name: {**_NAMED, **fields}.get(name, _VALUES.get(kind, _OBJECTS))
        for name, kind in MODELS[model].items()
    }
    return st.fixed_dictionaries(
        {}, optional={name: st.none() | _as_text(each) for name, each in values.items()}
    )


def _as_text(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | values.map(lambda value: str(value) if type(value) is int else value)


def rows(model: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Return arrays of such objects, which may contain null."""
    return st.lists(st.none() | shapes(model, **fields), max_size=4)
