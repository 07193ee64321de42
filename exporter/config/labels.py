"""Constant labels in the configuration: their names, their values and their number."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainValidator

from exporter.base.text import Expanded, quoted
from exporter.config.values import expect_text

MOST_LABELS = 16
"""The largest number of labels in one mapping."""
LONGEST_LABEL = 128
"""The largest number of characters in the name or the value of a label."""
OWN_LABELS = frozenset(
    {
        "cause",
        "checkpoint",
        "code",
        "consumer",
        "consumer_group",
        "item",
        "logstore",
        "operation",
        "order",
        "project",
        "python",
        "reason",
        "shard",
        "sls_endpoint",
        "state",
        "status",
        "timeout_seconds",
        "version",
    }
)
"""The labels that the exporter sets itself, and those that its alert rules add."""
_OF_PROMETHEUS = frozenset(
    {
        "alertname",
        "alertstate",
        "container",
        "endpoint",
        "instance",
        "job",
        "le",
        "namespace",
        "node",
        "pod",
        "quantile",
        "service",
        "severity",
    }
)
_NAME = "[a-zA-Z_][a-zA-Z0-9_]*"
_RESERVED_PREFIXES = ("__", "exported_")
_RESERVED = (
    f"^(?:{'|'.join(sorted(OWN_LABELS | _OF_PROMETHEUS))})$|^(?:{'|'.join(_RESERVED_PREFIXES)})"
)
_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)\}")
_OF_REPLICA = re.compile(r"(?:^|_)(?:HOST|HOSTNAME|POD|NODE|INSTANCE|REPLICA|IP|UID)(?:_|$)")
_OF_NAMESPACE = re.compile("NAMESPACE|SERVICE_ACCOUNT")


def _name(value: object) -> str:
    text = expect_text(value, "the name of a label")
    if not re.fullmatch(_NAME, text) or len(text) > LONGEST_LABEL:
        raise ValueError(
            "not a valid name of a label; use letters, digits and underscores, at most"
            f" {LONGEST_LABEL} of them, with no digit at the start"
        )
    if text in OWN_LABELS:
        raise ValueError("the exporter sets this label itself; choose another name")
    if text in _OF_PROMETHEUS or text.startswith(_RESERVED_PREFIXES):
        raise ValueError("Prometheus or its operator uses this label; choose another name")
    return text


def _value(value: object) -> str:
    text = expect_text(value, "text")
    if not text:
        raise ValueError("must not be empty; leave the label out instead")
    if len(text) > LONGEST_LABEL:
        raise ValueError(f"must have at most {LONGEST_LABEL} characters, found {len(text)}")
    if not text.isprintable():
        raise ValueError(f"must not have control characters, found {quoted(text)}")
    return text


def _without_nulls(value: object) -> object:
    if not isinstance(value, dict):
        return value
    labels = {name: text for name, text in value.items() if text is not None}
    if len(labels) > MOST_LABELS:
        raise ValueError(f"must have at most {MOST_LABELS} labels, found {len(labels)}")
    return labels


_ValueText = Annotated[str, Field(min_length=1)]
_LabelsText = Annotated[
    dict[str, _ValueText],
    Field(
        max_length=MOST_LABELS,
        json_schema_extra={
            "propertyNames": {
                "pattern": f"^{_NAME}$",
                "maxLength": LONGEST_LABEL,
                "not": {"pattern": _RESERVED},
            },
        },
    ),
]
LabelName = Annotated[str, PlainValidator(_name, str)]
LabelValue = Annotated[str, PlainValidator(_value, str)]
LabelMap = Annotated[dict[LabelName, LabelValue], BeforeValidator(_without_nulls, _LabelsText)]


def variables_of_replica(labels: Mapping[str, str]) -> Mapping[str, str]:
    """Return the labels whose value is from a variable that differs between replicas.

    The result maps the name of a label to the name of the variable, such as HOSTNAME.
    """
    return {
        name: variable
        for name, value in labels.items()
        if isinstance(value, Expanded)
        for variable in _VARIABLE.findall(value.written)
        if _OF_REPLICA.search(variable) and not _OF_NAMESPACE.search(variable)
    }
