"""The types of single values in the configuration file, with their parsers and error messages.

Every value arrives as text, because the reader does not let YAML guess types (``no`` as false,
``007`` as 7, ``1:30`` as 90). Each error message is human-readable.
"""

import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
)

from exporter.base.durations import DURATION_REGEX, format_duration, parse_duration
from exporter.base.files import KIB, MIB, read
from exporter.base.text import Expanded, looks_secret, pem_text, quoted
from exporter.config.patterns import LONGEST_PATTERN, Pattern
from exporter.config.problems import described
from exporter.model.endpoint import Endpoint

_MAX_SECRET_BYTES = 64 * KIB
_MAX_CA_BYTES = 16 * MIB
_TRUE = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"}
_FALSE = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}
_MOST_REQUESTS_PER_SECOND = 10_000
_LARGEST_SHARD = 2**31 - 1
_MOST_SERIES = 100_000_000

# Any value can contain a variable, so the schema must accept it for editors that validate files.
_VARIABLE = r"\$\{"


def expect_text(value: object, expected: str) -> str:
    """Return the value if it is text. Raises ValueError otherwise."""
    if not isinstance(value, str):
        raise ValueError(f"expected {expected}, found {described(value)}")  # noqa: TRY004 - pydantic takes ValueError only
    return value


def choice_schema(*values: str) -> WithJsonSchema:
    """Return the schema of a text that is one of the values or contains a variable."""
    return WithJsonSchema(
        {"anyOf": [{"enum": [*values], "type": "string"}, {"pattern": _VARIABLE, "type": "string"}]}
    )


def _boolean(value: object) -> bool:
    text = expect_text(value, "true or false")
    if text not in _TRUE | _FALSE:
        raise ValueError(f"expected true or false, found {quoted(text)}")
    return text in _TRUE


def _integer(example: int, low: int, high: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        text = expect_text(value, f"a whole number such as {example}")
        if not re.fullmatch(r"-?(?:0|[1-9][0-9]{0,18})", text):
            raise ValueError(f"expected a whole number such as {example}, found {quoted(text)}")
        if not low <= int(text) <= high:
            raise ValueError(f"must be from {low} to {high}, found {_number(text)}")
        return int(text)

    return parse


def _number(text: str) -> str:
    return quoted(text) if isinstance(text, Expanded) else text


def _rate(value: object) -> float:
    text = expect_text(value, "a number such as 10 or 0.5")
    if not re.fullmatch(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?", text):
        raise ValueError(f"expected a number such as 10 or 0.5, found {quoted(text)}")
    if not 0 < float(text) <= _MOST_REQUESTS_PER_SECOND:
        raise ValueError(
            f"must be greater than 0 and at most {_MOST_REQUESTS_PER_SECOND}, found {quoted(text)}"
        )
    return float(text)


def _duration(minimum: float) -> Callable[[object], float]:
    def parse(value: object) -> float:
        seconds = parse_duration(expect_text(value, "a duration such as 60s"))
        if seconds < minimum:
            least = format_duration(minimum)
            raise ValueError(f"must be at least {least}, found {described(value)}")
        return seconds

    return parse


def parse_name(value: object) -> Pattern:
    """Return a name of the file as a pattern. Raises ValueError with a human-readable message."""
    return Pattern.parse(expect_text(value, "a name or a regular expression"))


def _project(value: object) -> Pattern:
    pattern = parse_name(value)
    # A plain name becomes part of a host name without a check by the service.
    if pattern.literal and not re.fullmatch(r"[A-Za-z0-9_-]+", pattern.text):
        raise ValueError(
            f"a project's name has letters, digits and hyphens only, found {quoted(pattern.text)}"
        )
    if pattern.literal and looks_secret(pattern.text):
        raise ValueError(f"expected the name of a project, found {quoted(pattern.text)}")
    return pattern


def _endpoint(value: object) -> Endpoint:
    return _endpoint_of("SLS", value, "a host such as cn-shanghai.log.aliyuncs.com")


def _endpoint_of(service: str, value: object, expected: str) -> Endpoint:
    # The error does not quote the text, because a user might have put credentials into it.
    if isinstance(value, str) and not (value.isascii() and value.isprintable()):
        raise ValueError(f"expected {expected}")
    endpoint = Endpoint.parse(expect_text(value, expected))
    if endpoint.is_metadata:
        raise ValueError(f"the address of the instance metadata is not an endpoint of {service}")
    return endpoint


def _region(value: object) -> str:
    text = expect_text(value, "a region such as cn-shanghai")
    if not re.fullmatch(r"[a-z0-9-]{1,64}", text):
        raise ValueError(f"expected a region such as cn-shanghai, found {quoted(text)}")
    return text


def _key_text(value: object) -> str:
    # Errors show neither the key nor its length. Keys are sent in headers, which allow only
    # printable ASCII.
    if not isinstance(value, str):
        raise ValueError("expected text")  # noqa: TRY004 - pydantic takes ValueError only
    if not value:
        raise ValueError("must not be empty")
    if not re.fullmatch(r"[!-~]+", value):
        raise ValueError("must not contain spaces, control characters or non-ASCII characters")
    return value


def _matching(pattern: str, expected: str) -> Callable[[object], str]:
    """Return a parser of a text in `credentials`, whose errors do not quote the text."""

    def parse(value: object) -> str:
        text = expect_text(value, expected)
        if not re.fullmatch(pattern, text):
            raise ValueError(f"expected {expected}")
        return text

    return parse


def _sts_endpoint(value: object) -> Endpoint:
    endpoint = _endpoint_of("STS", value, "a host such as sts.cn-shanghai.aliyuncs.com")
    if not endpoint.is_confidential:
        raise ValueError("credentials require https, except on this machine")
    return endpoint


def _read_file(value: object, info: ValidationInfo, limit: int) -> tuple[Path, bytes]:
    """Return the resolved path and the content of its file, so that errors are found early."""
    text = expect_text(value, "the path of a file")
    if not text or not text.isprintable():
        raise ValueError(f"expected the path of a file, found {quoted(text)}")
    path = (info.context if isinstance(info.context, Path) else Path()) / text
    try:
        content = read(path, limit)
    except OSError as error:
        raise ValueError(f"{quoted(text)} cannot be read: {error.strerror}") from None
    if not content.strip():
        raise ValueError(f"{quoted(text)} is empty")
    return path, content


def _secret_file(value: object, info: ValidationInfo) -> Path:
    path, content = _read_file(value, info, _MAX_SECRET_BYTES)
    if not re.fullmatch(rb"[!-~]+", content.strip()):
        raise ValueError(
            f"{described(value)} contains spaces or characters other than printable ASCII"
        )
    return path


def _ca_file(value: object, info: ValidationInfo) -> Path:
    path, content = _read_file(value, info, _MAX_CA_BYTES)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem_text(content))
    except ssl.SSLError:
        raise ValueError(f"{described(value)} contains no certificates in PEM format") from None
    return path


_PathText = Annotated[str, Field(min_length=1)]
_DurationText = Annotated[
    str,
    Field(pattern=f"^(?:{DURATION_REGEX})$|{_VARIABLE}", min_length=1, examples=["60s", "1h30m"]),
]
PatternText = Annotated[str, Field(min_length=1, max_length=LONGEST_PATTERN)]
_BooleanText = Annotated[str, Field(pattern=f"^({'|'.join(sorted(_TRUE | _FALSE))})$|{_VARIABLE}")]
_VariableText = Annotated[str, Field(pattern=_VARIABLE)]

Boolean = Annotated[bool, PlainValidator(_boolean, bool | _BooleanText)]
Workers = Annotated[
    int,
    PlainValidator(_integer(8, 1, 1000), Annotated[int, Field(ge=1, le=1000)] | _VariableText),
]
Shard = Annotated[
    int,
    PlainValidator(
        _integer(0, 0, _LARGEST_SHARD),
        Annotated[int, Field(ge=0, le=_LARGEST_SHARD)] | _VariableText,
    ),
]
Series = Annotated[
    int,
    PlainValidator(
        _integer(1_000_000, 1, _MOST_SERIES),
        Annotated[int, Field(ge=1, le=_MOST_SERIES)] | _VariableText,
    ),
]
Rate = Annotated[
    float,
    PlainValidator(
        _rate, Annotated[float, Field(gt=0, le=_MOST_REQUESTS_PER_SECOND)] | _VariableText
    ),
]
Duration = Annotated[float, PlainValidator(_duration(0), _DurationText)]
Interval = Annotated[float, PlainValidator(_duration(0.1), _DurationText)]
Name = Annotated[Pattern, PlainValidator(parse_name, PatternText), PlainSerializer(str)]
ProjectName = Annotated[Pattern, PlainValidator(_project, PatternText), PlainSerializer(str)]
EndpointText = Annotated[Endpoint, PlainValidator(_endpoint, str), PlainSerializer(str)]
Region = Annotated[str, PlainValidator(_region, str)]
KeyId = Annotated[str, PlainValidator(_key_text, str)]
Secret = Annotated[SecretStr, BeforeValidator(_key_text, str)]
SecretFile = Annotated[Path, PlainValidator(_secret_file, _PathText), PlainSerializer(str)]
CaFile = Annotated[Path, PlainValidator(_ca_file, _PathText), PlainSerializer(str)]
ProfileName = Annotated[
    str, PlainValidator(_matching(r"[!-~]{1,128}", "the name of a profile"), _PathText)
]
RoleArn = Annotated[
    str,
    PlainValidator(
        _matching(
            r"acs:ram::[0-9]{1,20}:role/[A-Za-z0-9._/-]{1,128}",
            "the ARN of a role, acs:ram::ACCOUNT:role/NAME",
        ),
        str,
    ),
]
SessionName = Annotated[
    str,
    PlainValidator(
        _matching(r"[A-Za-z0-9.@_-]{2,64}", "2 to 64 letters, digits, dots, hyphens, @ or _"), str
    ),
]
ExternalId = Annotated[
    SecretStr,
    BeforeValidator(_matching(r"[!-~]{2,1224}", "2 to 1224 characters without spaces"), str),
]
StsEndpoint = Annotated[Endpoint, PlainValidator(_sts_endpoint, str), PlainSerializer(str)]
