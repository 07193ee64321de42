"""The simulator's verification of signatures, without the exporter's signer."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from aliyun.log.auth import AuthV1, AuthV4
from aliyun.log.credentials import StaticCredentialsProvider
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from exporter.simulator.errors import ServiceError
from exporter.simulator.signatures import read_signature
from exporter.simulator.wire import Request
from tools.paths import ROOT

DATA = json.loads((ROOT / "tests" / "data" / "signature-vectors.json").read_text())
COMMON: dict[str, Any] = DATA["common"]
VECTORS: list[dict[str, Any]] = DATA["vectors"]
SECRET = "testAccessKeySecret"
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
V4 = "SLS4-HMAC-SHA256 Credential=testAccessKeyId/20180504/cn-shanghai/sls/aliyun_v4_request"

by_vector = pytest.mark.parametrize("vector", VECTORS, ids=[each["name"] for each in VECTORS])


def received(vector: Mapping[str, Any], headers: Mapping[str, str]) -> Request:
    sent = {**COMMON["headers"], **vector.get("extra_headers", {}), **headers}
    return Request(
        method=vector["method"],
        path=vector["path"],
        query=vector["query"],
        headers={name.lower(): value for name, value in sent.items()},
        body=b"",
        received_at=0.0,
    )


def v1_request(
    vector: Mapping[str, Any], signature: str, *, method: str = "hmac-sha1", **headers: str
) -> Request:
    return received(
        vector,
        {
            "Authorization": f"LOG testAccessKeyId:{signature}",
            "Date": COMMON["date"],
            "x-log-signaturemethod": method,
            **headers,
        },
    )


def v4_request(vector: Mapping[str, Any], signature: str, **headers: str) -> Request:
    return received(
        vector,
        {
            "Authorization": f"{V4},Signature={signature}",
            "Host": COMMON["host"],
            "x-log-date": COMMON["v4_date"],
            "x-log-content-sha256": EMPTY_SHA256,
            **headers,
        },
    )


def refusal(request: Request, secret: str = SECRET) -> tuple[int, str] | None:
    try:
        read_signature(request).verify(request, secret)
    except ServiceError as error:
        return error.status, error.code
    return None


@by_vector
def test_version_1_verification_accepts_the_vendors_signature(vector: dict[str, Any]) -> None:
    request = v1_request(vector, vector["v1_signature"])
    assert read_signature(request).access_key_id == "testAccessKeyId"
    assert refusal(request) is None
    assert refusal(request, "another") == (401, "SignatureNotMatch")


@by_vector
def test_version_4_verification_accepts_the_vendors_signature(vector: dict[str, Any]) -> None:
    request = v4_request(vector, vector["v4_signature"])
    assert read_signature(request).access_key_id == "testAccessKeyId"
    assert refusal(request) is None
    assert refusal(request, "another") == (401, "SignatureNotMatch")


def test_version_1_verification_accepts_hmac_sha256() -> None:
    # Computed with openssl from the documented string to sign.
    vector = {
        "method": "GET",
        "path": "/logstores/my-logstore/shards/0",
        "query": {"type": "cursor_time", "cursor": "MTUyNDE1NTM3OTM3MzkwODQ5Ng=="},
    }
    signature = "9ghoc00mDSpxg7u1BTZGuqyrzGJqwWIX9nbWShJNo8o="
    assert refusal(v1_request(vector, signature, method="hmac-sha256")) is None
    refused = v1_request(vector, signature, method="hmac-sha1")
    assert refusal(refused) == (401, "SignatureNotMatch")


@by_vector
def test_version_1_verification_accepts_an_empty_content_md5_without_a_body(
    vector: dict[str, Any],
) -> None:
    # The generated SDKs send the header in every request.
    headers = {"content-md5": ""}
    assert refusal(v1_request(vector, vector["v1_signature"], **headers)) is None
    headers = {"content-md5": "D41D8CD98F00B204E9800998ECF8427E"}
    assert refusal(v1_request(vector, vector["v1_signature"], **headers)) is None
    headers = {"content-md5": "0" * 32}
    refused = v1_request(vector, vector["v1_signature"], **headers)
    assert refusal(refused) == (400, "InvalidContentMD5")


def test_version_1_verification_refuses_an_unknown_method() -> None:
    request = v1_request(VECTORS[0], VECTORS[0]["v1_signature"], method="hmac-md5")
    assert refusal(request) == (401, "Unauthorized")


@pytest.mark.parametrize("part", ["method", "path", "query", "x-log-apiversion", "x-acs-added"])
def test_verification_refuses_a_changed_request(part: str) -> None:
    vector = VECTORS[0]
    for request in (
        v1_request(vector, vector["v1_signature"]),
        v4_request(vector, vector["v4_signature"]),
    ):
        changed = {
            "method": replace(request, method="POST"),
            "path": replace(request, path=request.path + "/"),
            "query": replace(request, query={"shard": "1"}),
        }.get(part, replace(request, headers={**request.headers, part: "0.7.0"}))
        assert refusal(changed) == (401, "SignatureNotMatch")


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "LOG testAccessKeyId",
        "Basic dGVzdDp0ZXN0",
        f"{V4}",
        f"{V4.replace('/sls/', '/oss/')},Signature=00",
        f"{V4.replace('20180504', '2018')},Signature=00",
    ],
)
def test_an_unknown_authorization_is_refused(authorization: str) -> None:
    request = v4_request(VECTORS[0], "00", Authorization=authorization)
    assert refusal(request) == (401, "Unauthorized")


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["=", "/", " ", "%", "~", "%2F", "+", "&", "a=b&c", "日志", "", "?#"]
)
visible = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)
names = st.from_regex(r"(x-log-|x-acs-|x-log-meta-|other-)[a-z]{1,8}", fullmatch=True)


requests = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST"]),
    path=text.map("/{}".format),
    query=st.dictionaries(text, text, max_size=4),
    headers=st.dictionaries(names, visible, max_size=4),
    body=st.binary(max_size=20),
    received_at=st.just(0.0),
)


@pytest.mark.parametrize("token", ["", "token"])
@pytest.mark.parametrize("version", ["v1", "v4"])
@given(request=requests)
def test_verification_accepts_requests_signed_by_the_vendors_sdk(
    version: str, token: str, request: Request
) -> None:
    provider = StaticCredentialsProvider("testAccessKeyId", SECRET, token)
    auth = AuthV1(provider) if version == "v1" else AuthV4(provider, "cn-shanghai")
    headers = {**request.headers, "Content-Type": "application/json", "host": COMMON["host"]}
    auth.sign_request(request.method, request.path, request.query, headers, request.body)
    signed = replace(request, headers={name.lower(): headers[name] for name in headers})
    assert refusal(signed) is None
    assert refusal(signed, "another") == (401, "SignatureNotMatch")
