"""Signatures compared with the vendor's: fixed vectors, and random requests with its SDK."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, cast
from urllib.parse import quote

import pytest
import requests
from aliyun.log.auth import AuthV1, AuthV4
from aliyun.log.credentials import StaticCredentialsProvider
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.credentials import Credentials
from exporter.sls.signing import (
    RequestParts,
    V1Auth,
    V4Auth,
    v1_signature,
    v1_string_to_sign,
    v4_signature,
)
from tests.support.signed import Signed
from tools.paths import ROOT

DATA = json.loads((ROOT / "tests" / "data" / "signature-vectors.json").read_text())
COMMON: dict[str, Any] = DATA["common"]
VECTORS: list[dict[str, Any]] = DATA["vectors"]
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
MOMENT = 1525426013.9  # of the vectors' dates, and some tenths of a second
HOST = "my-project.cn-shanghai.log.aliyuncs.com"

by_name = pytest.mark.parametrize("vector", VECTORS, ids=[each["name"] for each in VECTORS])


@pytest.fixture(scope="module", autouse=True)
def _vectors_are_there() -> None:
    assert len(VECTORS) == 5
    assert any("x-acs-security-token" in vector["extra_headers"] for vector in VECTORS)


def parts(vector: Mapping[str, Any], headers: Mapping[str, str]) -> RequestParts:
    return RequestParts(
        method=vector["method"],
        path=vector["path"],
        query=vector["query"],
        headers={**COMMON["headers"], **vector["extra_headers"], **headers},
    )


def prepared(
    vector: Mapping[str, Any], auth: V1Auth | V4Auth, **headers: str
) -> requests.PreparedRequest:
    sent = {**vector["extra_headers"], **headers}
    return requests.Request(
        vector["method"],
        f"https://{HOST}{vector['path']}",
        params=vector["query"],
        headers={name: value for name, value in sent.items() if name != "x-acs-security-token"},
        auth=Signed(auth),
    ).prepare()


def credentials(vector: Mapping[str, Any]) -> Credentials:
    return Credentials(
        access_key_id=COMMON["access_key_id"],
        access_key_secret=COMMON["access_key_secret"],
        security_token=vector["extra_headers"].get("x-acs-security-token"),
    )


@by_name
def test_version_1_gives_the_vendors_signature(vector: dict[str, Any]) -> None:
    headers = {**COMMON["headers_v1_extra"], "Date": COMMON["date"]}
    signature = v1_signature(parts(vector, headers), COMMON["access_key_secret"])
    assert signature == vector["v1_signature"]


@by_name
def test_version_4_gives_the_vendors_signature(vector: dict[str, Any]) -> None:
    headers = {
        "Host": COMMON["host"],
        "x-log-date": COMMON["v4_date"],
        "x-log-content-sha256": EMPTY_SHA256,
    }
    signature = v4_signature(
        parts(vector, headers), COMMON["access_key_secret"], region=COMMON["region"]
    )
    assert signature == vector["v4_signature"]


@by_name
def test_a_request_signed_with_version_1_carries_its_headers(vector: dict[str, Any]) -> None:
    request = prepared(vector, V1Auth(credentials(vector), wall=lambda: MOMENT))
    assert request.headers["Authorization"] == f"LOG testAccessKeyId:{vector['v1_signature']}"
    assert request.headers["Date"] == "Fri, 04 May 2018 09:26:53 GMT"
    assert request.headers["x-log-apiversion"] == "0.6.0"
    assert request.headers["x-log-bodyrawsize"] == "0"
    assert request.headers["x-log-signaturemethod"] == "hmac-sha1"
    token = vector["extra_headers"].get("x-acs-security-token")
    assert request.headers.get("x-acs-security-token") == token


@by_name
@pytest.mark.parametrize("headers", [{}, {"Host": HOST}], ids=["host of the URL", "host set"])
def test_a_request_signed_with_version_4_carries_its_headers(
    vector: dict[str, Any], headers: dict[str, str]
) -> None:
    auth = V4Auth(credentials(vector), region="cn-shanghai", wall=lambda: MOMENT)
    request = prepared(vector, auth, **headers)
    assert request.headers["Authorization"] == (
        "SLS4-HMAC-SHA256 Credential=testAccessKeyId/20180504/cn-shanghai/sls/aliyun_v4_request,"
        f"Signature={vector['v4_signature']}"
    )
    assert request.headers["Host"] == HOST
    assert request.headers["x-log-date"] == "20180504T092653Z"
    assert request.headers["x-log-content-sha256"] == EMPTY_SHA256


def test_signed_request_does_not_show_a_security_token() -> None:
    signed = RequestParts(
        method="GET", path="/", query={}, headers={"x-acs-security-token": "sts-1"}
    )
    assert "sts-1" not in repr(signed)
    assert "method='GET'" in repr(signed)


def test_the_string_to_sign_of_version_1_has_the_documented_lines() -> None:
    signed = RequestParts(
        method="POST",
        path="/logstores/日志",
        query={"type": "a b", "cursor": "MQ=="},
        headers={
            "X-Log-ApiVersion": "0.6.0",
            "X-ACS-Security-Token": "token",
            "x-log-meta-note": "never signed",
            "content-TYPE": "application/json",
            "DATE": "Fri, 04 May 2018 09:26:53 GMT",
        },
        body=b"{}",
    )
    assert v1_string_to_sign(signed).split("\n") == [
        "POST",
        "99914B932BD37A50B983C5E7C90AE93B",
        "application/json",
        "Fri, 04 May 2018 09:26:53 GMT",
        "x-acs-security-token:token",
        "x-log-apiversion:0.6.0",
        "/logstores/日志?cursor=MQ==&type=a b",
    ]


def test_size_of_raw_body_that_request_has_is_kept() -> None:
    keys = Credentials(access_key_id="id", access_key_secret="secret")
    request = requests.Request(
        "POST",
        "http://h/",
        data=b"packed",
        headers={"X-Log-BodyRawSize": "99"},
        auth=Signed(V1Auth(keys, wall=lambda: MOMENT)),
    ).prepare()
    assert request.headers["x-log-bodyrawsize"] == "99"


# Comparison with the vendor's SDK


class HeldAuthV1(AuthV1):  # type: ignore[misc]  # the SDK has no types
    """The SDK's signer with a fixed date."""

    def __init__(self, provider: StaticCredentialsProvider, date: str) -> None:
        super().__init__(provider)
        self._getGMT = lambda: date


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
awkward = st.sampled_from(
    ["=", "/", " ", "%", "~", "%2F", "+", "&", "a=b&c", "é", "日志", "", "?#"]
)
value = text | awkward
segment = (text | awkward).filter(lambda name: name not in {".", ".."})
header_value = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
header_name = st.from_regex(
    r"(x-log-|x-acs-|x-log-meta-|X-Log-|X-ACS-|other-)[A-Za-z-]{1,8}", fullmatch=True
) | st.sampled_from(["content-md5", "user-agent", "X-LOG-META-A"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A random request with its keys and its time."""

    method: str
    names: list[str]
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    keys: Credentials
    region: str
    moment: datetime

    @property
    def date(self) -> str:
        return format_datetime(self.moment, usegmt=True)

    @property
    def v4_date(self) -> str:
        return self.moment.strftime("%Y%m%dT%H%M%SZ")

    @property
    def path(self) -> str:
        return "/" + "/".join(self.names)

    def provider(self) -> StaticCredentialsProvider:
        keys = self.keys
        return StaticCredentialsProvider(
            keys.access_key_id, keys.access_key_secret, keys.security_token or ""
        )

    def sdk_v1(self, headers: Mapping[str, str]) -> dict[str, str]:
        # The SDK writes names as they are where the documents say lower case, and knows the
        # content type by one spelling only.
        signed = {name.lower(): value for name, value in headers.items()}
        if "content-type" in signed:
            signed["Content-Type"] = signed.pop("content-type")
        auth = HeldAuthV1(self.provider(), self.date)
        auth.sign_request(self.method, self.path, self.query, signed, self.body)
        return signed

    def sdk_v4(self, headers: Mapping[str, str]) -> str:
        auth = AuthV4(self.provider(), self.region)
        return cast(
            "str",
            auth._do_sign_request(  # noqa: SLF001  the only way to set the time
                self.method, self.path, self.query, dict(headers), self.body, self.v4_date
            ),
        )


def one_spelling(headers: dict[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in {name.lower(): name for name in headers}.values()}


drawn = st.builds(
    Drawn,
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    names=st.lists(segment, min_size=1, max_size=4),
    query=st.dictionaries(value, value, max_size=4),
    headers=st.builds(
        lambda headers, content_type: one_spelling({**headers, **content_type}),
        st.dictionaries(header_name, header_value, max_size=5),
        st.dictionaries(
            st.sampled_from(["Content-Type", "content-type", "CONTENT-type"]),
            header_value,
            max_size=1,
        ),
    ),
    body=st.binary(max_size=20),
    keys=st.builds(
        Credentials,
        access_key_id=st.from_regex(r"[!-~]{1,20}", fullmatch=True),
        access_key_secret=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
        security_token=st.none() | st.from_regex(r"[!-~]{1,40}", fullmatch=True),
    ),
    region=st.sampled_from(["cn-shanghai", "ap-southeast-1", "", "cn-hangzhou-finance"]),
    moment=st.integers(86_400, 4_102_444_800).map(
        lambda seconds: datetime.fromtimestamp(seconds, UTC)
    ),
)


@given(drawn)
def test_version_1_agrees_with_the_vendors_sdk(request: Drawn) -> None:
    theirs = request.sdk_v1(request.headers)
    del theirs["x-log-date"]  # the SDK adds it after signing
    ours = RequestParts(
        method=request.method,
        path=request.path,
        query=request.query,
        headers=one_spelling({**theirs, **request.headers}),
        body=request.body,
    )
    signature = v1_signature(ours, request.keys.access_key_secret)
    assert theirs["Authorization"] == f"LOG {request.keys.access_key_id}:{signature}"


@given(drawn)
def test_version_4_agrees_with_the_vendors_sdk(request: Drawn) -> None:
    headers = {**request.headers, "Host": HOST}
    theirs = AuthV4(request.provider(), request.region)
    authorization = theirs._do_sign_request(  # noqa: SLF001  the only way to set the time
        request.method, request.path, request.query, headers, request.body, request.v4_date
    )
    # The SDK has added the token, the date and the hash to the headers.
    signature = v4_signature(
        RequestParts(
            method=request.method,
            path=request.path,
            query=request.query,
            headers=headers,
            body=request.body,
        ),
        request.keys.access_key_secret,
        region=request.region,
    )
    assert authorization.endswith(f"/sls/aliyun_v4_request,Signature={signature}")


def send(request: Drawn, auth: V1Auth | V4Auth) -> requests.PreparedRequest:
    path = "/".join(quote(name, safe="") for name in request.names)
    return requests.Request(
        request.method,
        f"http://127.0.0.1:8080/{path}",
        params=request.query,
        headers={**request.headers, "Host": "shop.127.0.0.1:8080"},
        data=request.body,
        auth=Signed(auth),
    ).prepare()


def sendable(request: Drawn) -> Drawn:
    """Strip the values of headers, as requests wants them."""
    return replace(
        request, headers={name: value.strip() for name, value in request.headers.items()}
    )


@given(drawn.map(sendable))
def test_requests_are_signed_as_by_the_vendors_sdk(request: Drawn) -> None:
    def wall() -> float:
        return request.moment.timestamp()

    first = send(request, V1Auth(request.keys, wall=wall))
    theirs = request.sdk_v1(without_signature(first))
    assert first.headers["Authorization"] == theirs["Authorization"]
    assert first.headers["Date"] == theirs["Date"]
    assert first.headers.get("Content-MD5") == (
        theirs["Content-MD5"] if request.body else request.headers.get("content-md5")
    )
    second = send(request, V4Auth(request.keys, region=request.region, wall=wall))
    assert second.headers["Authorization"] == request.sdk_v4(without_signature(second))
    assert second.headers["Host"] == "shop.127.0.0.1:8080"


def without_signature(request: requests.PreparedRequest) -> dict[str, str]:
    return {
        name: str(value)
        for name, value in request.headers.items()
        if name.lower() not in {"authorization", "content-md5", "date"}
    }
