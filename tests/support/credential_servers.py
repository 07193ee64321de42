"""Fake sources of temporary credentials on loopback: STS, ECS metadata, a helper.

They refuse the requests that the real ones refuse. Every secret that they send or receive contains
SECRET, so that a test can look for it in all output.
"""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, TypeVar
from urllib.parse import parse_qsl, urlsplit

import pytest

from exporter.model.credentials import Credentials
from tests.support import http_server
from tests.support.http_server import Handler

SECRET = "hunter2"
ROLE_ARN = "acs:ram::1234567890123456:role/sls-exporter"
PROVIDER_ARN = "acs:ram::1234567890123456:oidc-provider/ack-rrsa-c0123456789abcdef0123456789abcdef"
REQUEST_ID = "6894B13B-6D71"
OIDC_TOKEN = f"eyJhbGciOiJSUzI1NiJ9.{SECRET * 40}.{SECRET * 40}"
ASSUMED_ROLE = "acs:ram::2234567890123456:role/sls-reader"
ECS_ROLE = "sls-exporter-ecs"
METADATA_TOKEN = f"{SECRET}-metadata-token"
HELPER_TARGET = f"/credentials?key={SECRET}-query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that a fake source received; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    form: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A response of a fake source."""

    body: bytes
    status: int = 200


def reply(document: object, status: int = 200) -> Reply:
    return Reply(status=status, body=json.dumps(document).encode())


def issued(number: int) -> Credentials:
    """Return the number-th credentials that a fake source returns."""
    return Credentials(
        access_key_id=f"STS.{number}",
        access_key_secret=f"{SECRET}-secret-{number}",
        security_token=f"{SECRET}-token-{number}",
    )


@dataclass(kw_only=True)
class StandIn:
    """Settings of every fake source, which a test may change, and the requests it received."""

    wall: Callable[[], float] = time.time
    lifetime: float = 3600.0
    refusal: Reply | None = None
    """The response in place of credentials, if any."""
    asked: list[Asked] = field(default_factory=list)
    given: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    """An event that responses wait for; it is set at first."""
    ended: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def __post_init__(self) -> None:
        self.gate.set()

    def answer(self, asked: Asked) -> Reply:
        raise NotImplementedError

    def fields(self) -> dict[str, str]:
        self.given += 1
        found = issued(self.given)
        expires = datetime.fromtimestamp(self.wall() + self.lifetime, UTC)
        return {
            "AccessKeyId": found.access_key_id,
            "AccessKeySecret": found.access_key_secret,
            "SecurityToken": found.security_token or "",
            "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


class Sts(StandIn):
    """AssumeRoleWithOIDC, which takes a token in place of a signature."""

    token = OIDC_TOKEN

    def environ(self, token_file: object) -> dict[str, str]:
        return {
            "ALIBABA_CLOUD_ROLE_ARN": ROLE_ARN,
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": PROVIDER_ARN,
            "ALIBABA_CLOUD_OIDC_TOKEN_FILE": str(token_file),
            "ALIBABA_CLOUD_STS_ENDPOINT": self.url,
        }

    def answer(self, asked: Asked) -> Reply:
        refusal = self._refusal(asked, {**asked.query, **asked.form})
        if refusal:
            status, code, message = refusal
            return reply({"RequestId": REQUEST_ID, "Code": code, "Message": message}, status)
        return reply({"RequestId": REQUEST_ID, "Credentials": self.fields()})

    def _refusal(self, asked: Asked, given: Mapping[str, str]) -> tuple[int, str, str] | None:
        call = (asked.path, given.get("Action"), given.get("Version"), given.get("Format"))
        skew = datetime.fromisoformat(given["Timestamp"]).timestamp() - self.wall()
        faults = {
            (404, "InvalidAction.NotFound", "Specified api is not found."): call
            != ("/", "AssumeRoleWithOIDC", "2015-04-01", "JSON"),
            (400, "InvalidTimeStamp.Expired", "The timestamp is expired."): abs(skew) > 900,
            (400, "InvalidParameter", "A parameter is out of its range."): not (
                2 <= len(given["RoleSessionName"]) <= 64 and int(given["DurationSeconds"]) >= 900
            ),
            (
                404,
                "EntityNotExist.OIDCProvider",
                f"The OIDC provider {given['OIDCProviderArn']} does not exist.",
            ): given["OIDCProviderArn"] != PROVIDER_ARN,
            (404, "EntityNotExist.Role", f"No role {given['RoleArn']}."): given["RoleArn"]
            != ROLE_ARN,
            (
                400,
                "AuthenticationFail.OIDCToken.Invalid",
                f"The OIDC token {given['OIDCToken']} is not valid.",
            ): "OIDCToken" in asked.query or given["OIDCToken"] != self.token,
        }
        return next((fault for fault, found in faults.items() if found), None)


@dataclass(kw_only=True)
class AssumeRoleSts(StandIn):
    """AssumeRole, which requires a signature by a known key, and the external ID of the role."""

    keys: dict[str, Credentials] = field(
        default_factory=lambda: {
            "id": Credentials(access_key_id="id", access_key_secret=f"{SECRET}-base")
        }
    )
    """The known access keys by their IDs."""
    external_ids: dict[str, str | None] = field(default_factory=lambda: {ASSUMED_ROLE: None})
    """The roles, each with the external ID that it requires."""

    def answer(self, asked: Asked) -> Reply:
        refusal = self._refusal(asked, asked.query)
        if refusal:
            status, code, message = refusal
            return reply({"RequestId": REQUEST_ID, "Code": code, "Message": message}, status)
        user = {
            "Arn": f"{asked.query['RoleArn']}/{asked.query['RoleSessionName']}",
            "AssumedRoleId": f"3{self.given}:x",
        }
        fields = self.fields()
        return reply({"RequestId": REQUEST_ID, "AssumedRoleUser": user, "Credentials": fields})

    def _refusal(  # noqa: PLR0911  one for each reason
        self, asked: Asked, given: Mapping[str, str]
    ) -> tuple[int, str, str] | None:
        call = (asked.method, asked.path, given["Action"], given["Version"], given["Format"])
        if call != ("GET", "/", "AssumeRole", "2015-04-01", "JSON"):
            return 404, "InvalidAction.NotFound", "Specified api is not found."
        known = self.keys.get(given["AccessKeyId"])
        if known is None:
            return 404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."
        if known.security_token != given.get("SecurityToken"):
            return 400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired."
        skew = datetime.fromisoformat(given["Timestamp"]).timestamp() - self.wall()
        if abs(skew) > 900:
            return 400, "InvalidTimeStamp.Expired", "Specified time stamp is expired."
        text, signature = rpc_signature(asked, known.access_key_secret)
        if signature != given["Signature"]:
            message = f"Signature is not matched, server string to sign is:{text}"
            return 400, "SignatureDoesNotMatch", message
        if given["RoleArn"] not in self.external_ids:
            return 404, "EntityNotExist.Role", "The role does not exist."
        if self.external_ids[given["RoleArn"]] != given.get("ExternalId"):
            message = f"You are not authorized to do this action with {given.get('ExternalId')}."
            return 403, "NoPermission", message
        if not 900 <= int(given["DurationSeconds"]) <= 3600:
            return 400, "InvalidParameter.DurationSeconds", "The duration is out of range."
        return None


def rpc_signature(asked: Asked, secret: str) -> tuple[str, str]:
    """Return the text that a GET of the RPC style signs, and its signature."""

    def escape(text: str) -> str:
        plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"
        return "".join(
            chr(byte) if chr(byte) in plain else f"%{byte:02X}" for byte in text.encode()
        )

    pairs = sorted((name, value) for name, value in asked.query.items() if name != "Signature")
    query = "&".join(f"{escape(name)}={escape(value)}" for name, value in pairs)
    text = "&".join([asked.method, escape("/"), escape(query)])
    mac = hmac.new(f"{secret}&".encode(), text.encode(), hashlib.sha1)
    return text, base64.b64encode(mac.digest()).decode()


class Metadata(StandIn):
    """The metadata of an ECS instance with a role."""

    tokens: Literal["required", "optional", "unknown", "lost"] = "optional"
    """Whether a token is needed and available; lost: the response with the token never arrives."""
    role: str | None = ECS_ROLE

    def environ(self) -> dict[str, str]:
        return {
            "ALIBABA_CLOUD_ECS_METADATA": ECS_ROLE,
            "ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT": self.url,
        }

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/latest/api/token" and asked.method == "PUT":
            return self._token(asked)
        token = asked.headers.get("x-aliyun-ecs-metadata-token")
        if token != METADATA_TOKEN and (token is not None or self.tokens == "required"):
            return Reply(status=403, body=b"<html>403 Forbidden</html>")
        path = "/latest/meta-data/ram/security-credentials/"
        if self.role is not None and asked.path == path:
            return Reply(body=f"{self.role}\n".encode())
        if self.role is None or asked.path != f"{path}{self.role}":
            return Reply(status=404, body=b"<html>404 Not Found</html>")
        return reply({**self.fields(), "Code": "Success", "LastUpdated": "2026-01-01T00:00:00Z"})

    def _token(self, asked: Asked) -> Reply:
        seconds = asked.headers.get("x-aliyun-ecs-metadata-token-ttl-seconds", "")
        if self.tokens == "lost":
            self.ended.wait(30)
        if self.tokens == "unknown":
            return Reply(status=404, body=b"<html>404 Not Found</html>")
        if not seconds.isdigit() or not 1 <= int(seconds) <= 21600:
            return Reply(status=400, body=b"bad request")
        return Reply(body=METADATA_TOKEN.encode())


class Helper(StandIn):
    """A fake of the server behind a credentials URI."""

    def environ(self) -> dict[str, str]:
        return {"ALIBABA_CLOUD_CREDENTIALS_URI": self.url + HELPER_TARGET}

    def answer(self, asked: Asked) -> Reply:
        if asked.query.get("key") != f"{SECRET}-query" or asked.path != "/credentials":
            return reply({"Code": "Failed", "Message": f"no {asked.query}"}, 403)
        return reply({**self.fields(), "Code": "Success"})


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, Mapping[str, object]]]:
    """Return the log lines of the keychain: level, message and fields."""
    return [
        (record.levelname, record.getMessage(), vars(record)["facts"])
        for record in caplog.records
        if record.name == "exporter.credentials"
    ]


S = TypeVar("S", bound=StandIn)


@contextmanager
def serving(stand_in: S) -> Iterator[S]:
    """Run a fake source until the block ends."""

    class Fake(Handler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            parts = urlsplit(self.path)
            size = int(self.headers.get("Content-Length") or 0)
            form = self.rfile.read(size).decode()
            asked = Asked(
                method=self.command,
                path=parts.path,
                query=dict(parse_qsl(parts.query)),
                headers={name.lower(): value for name, value in self.headers.items()},
                form=dict(parse_qsl(form)),
            )
            stand_in.asked.append(asked)
            stand_in.gate.wait(30)
            found = stand_in.refusal or stand_in.answer(asked)
            self.reply(found.body, status=found.status)

    with http_server.serving(Fake) as port:
        stand_in.url = f"http://127.0.0.1:{port}"
        try:
            yield stand_in
        finally:
            stand_in.gate.set()
            stand_in.ended.set()
