"""Endpoints: where to connect for a project, and how the project is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.endpoint import Endpoint, requires_v4

REGIONS = ["cn-hangzhou", "cn-shanghai-finance-1", "cn-heyuan-acdr-1", "cn-hangzhou-acdr-ut-3"]
HOSTS = st.sampled_from(["log.aliyuncs.com", "sls.aliyuncs.com"])


@pytest.mark.parametrize(
    ("text", "base_url", "host_header", "region"),
    [
        (
            "cn-shanghai.log.aliyuncs.com",
            "https://shop.cn-shanghai.log.aliyuncs.com",
            "shop.cn-shanghai.log.aliyuncs.com",
            "cn-shanghai",
        ),
        (
            "https://cn-hangzhou-finance-1-intranet.log.aliyuncs.com/",
            "https://shop.cn-hangzhou-finance-1-intranet.log.aliyuncs.com",
            "shop.cn-hangzhou-finance-1-intranet.log.aliyuncs.com",
            "cn-hangzhou-finance-1",
        ),
        (
            "http://ap-southeast-1-vpc.sls.aliyuncs.com:8080",
            "http://shop.ap-southeast-1-vpc.sls.aliyuncs.com:8080",
            "shop.ap-southeast-1-vpc.sls.aliyuncs.com:8080",
            "ap-southeast-1",
        ),
        (
            "EU-Central-1-Share.LOG.aliyuncs.com",
            "https://shop.eu-central-1-share.log.aliyuncs.com",
            "shop.eu-central-1-share.log.aliyuncs.com",
            "eu-central-1",
        ),
        (
            "log-global.aliyuncs.com",
            "https://shop.log-global.aliyuncs.com",
            "shop.log-global.aliyuncs.com",
            None,
        ),
        (
            "cn-shanghai.log.aliyuncs.com.example.org",
            "https://shop.cn-shanghai.log.aliyuncs.com.example.org",
            "shop.cn-shanghai.log.aliyuncs.com.example.org",
            None,
        ),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "shop.127.0.0.1:8080", None),
        ("http://127.0.0.1", "http://127.0.0.1", "shop.127.0.0.1", None),
        ("http://[::1]:8080", "http://[::1]:8080", "shop.[::1]:8080", None),
        ("http://localhost:8080", "http://localhost:8080", "shop.localhost:8080", None),
        ("http://sls.localhost", "http://sls.localhost", "shop.sls.localhost", None),
    ],
)
def test_a_project_is_a_virtual_host_in_front_of_the_endpoint(
    text: str, base_url: str, host_header: str, region: str | None
) -> None:
    endpoint = Endpoint.parse(text)
    assert endpoint.base_url("shop") == base_url
    assert endpoint.host_header("shop") == host_header
    assert endpoint.region == region


@given(
    region=st.sampled_from(REGIONS)
    | st.from_regex(r"[a-z]{2}-[a-z]{4,9}(-[1-9])?", fullmatch=True),
    network=st.sampled_from(["", "-intranet", "-internal", "-share", "-vpc"]),
    host=HOSTS,
    port=st.sampled_from(["", ":443"]),
)
def test_region_is_prefix_without_suffix_of_network(
    region: str, network: str, host: str, port: str
) -> None:
    assert Endpoint.parse(f"{region}{network}.{host}{port}").region == region


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("x-intranet-share.log.aliyuncs.com", "x-intranet"),
        ("x-vpc-internal.log.aliyuncs.com", "x-vpc"),
        ("cn-hangzhou-corp.sls.aliyuncs.com", None),
        ("zhangbei-corp-share.log.aliyuncs.com", None),
        ("log-global.aliyuncs.com", None),
        ("log.cn-hangzhou.idptcloud01cs.com", None),
        ("log-internal.cn-hangzhou.idptcloud01cs.com", None),
        ("shop.cn-hangzhou.log.aliyuncs.com", None),
        ("cn_hangzhou.log.aliyuncs.com", None),
        ("cn-hangzhou.logs.aliyuncs.com", None),
        ("logs.example.org", None),
    ],
)
def test_region_of_unusual_endpoint_is_its_only_certain_one(text: str, region: str | None) -> None:
    assert Endpoint.parse(text).region == region


@pytest.mark.parametrize(
    ("region", "required"),
    [
        ("cn-hangzhou-acdr-ut-3", True),
        ("cn-heyuan-acdr-1", False),
        ("cn-hangzhou", False),
        (None, False),
    ],
)
def test_regions_of_acdr_ut_require_v4(region: str | None, *, required: bool) -> None:
    assert requires_v4(region) is required


@pytest.mark.parametrize(
    ("text", "project", "rest"),
    [
        ("shop.cn-hangzhou.log.aliyuncs.com", "shop", "https://cn-hangzhou.log.aliyuncs.com"),
        ("shop.cn-hangzhou-vpc.sls.aliyuncs.com", None, "https://cn-hangzhou-vpc.sls.aliyuncs.com"),
        ("http://bank.log-global.aliyuncs.com:81", "shop", "http://log-global.aliyuncs.com:81"),
        ("shop.log.cn-x.idptcloud01cs.com", "shop", "https://log.cn-x.idptcloud01cs.com"),
        ("Shop.logs.example.org", "SHOP", "https://logs.example.org"),
        ("shop.logs.example.org", "bank", None),
        ("shop.logs.example.org", None, None),
        ("cn-hangzhou.log.aliyuncs.com", "cn-hangzhou", None),
        ("log-global.aliyuncs.com", "log-global", None),
        ("log.cn-x.idptcloud01cs.com", "log", None),
        ("http://shop.localhost", "shop", None),
        ("http://127.0.0.1", "127", None),
        ("http://[::1]", "shop", None),
    ],
)
def test_endpoint_that_begins_with_project_is_recognized(
    text: str, project: str | None, rest: str | None
) -> None:
    found = Endpoint.parse(text).without_project(project)
    assert (None if found is None else str(found)) == rest


def test_requests_without_a_project_go_to_the_endpoint_itself() -> None:
    endpoint = Endpoint.parse("http://cn-shanghai.log.aliyuncs.com:81")
    assert endpoint.base_url(None) == "http://cn-shanghai.log.aliyuncs.com:81"
    assert endpoint.host_header(None) == "cn-shanghai.log.aliyuncs.com:81"
    assert str(endpoint) == "http://cn-shanghai.log.aliyuncs.com:81"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ftp://example.org", "the scheme must be http or https, not 'ftp'"),
        ("https://user:hunter2@example.org", "credentials do not belong in an endpoint"),
        ("https://@example.org", "credentials do not belong in an endpoint"),
        ("https://example.org/path", "an endpoint is a host, without a path or a query"),
        ("https://example.org?a=b", "an endpoint is a host, without a path or a query"),
        ("https://example.org#a", "an endpoint is a host, without a path or a query"),
        ("https://example.org:0", "expected a host such as cn-shanghai.log.aliyuncs.com"),
        ("https://example.org:65536", "the port must be a number from 1 to 65535"),
        ("https://example.org:http", "the port must be a number from 1 to 65535"),
        ("", "expected a host such as cn-shanghai.log.aliyuncs.com"),
        ("https://", "expected a host such as cn-shanghai.log.aliyuncs.com"),
        ("-example.org", "expected a host such as cn-shanghai.log.aliyuncs.com"),
        ("exa mple.org", "expected a host such as cn-shanghai.log.aliyuncs.com"),
        ("日志.example.org", "expected a host such as cn-shanghai.log.aliyuncs.com"),
        ("x" * 254, "expected a host such as cn-shanghai.log.aliyuncs.com"),
        ("https://[::1", "expected a host such as cn-shanghai.log.aliyuncs.com"),
        ("http://2130706433", "expected a host such as cn-shanghai.log.aliyuncs.com"),
        ("http://0x7f000001", "expected a host such as cn-shanghai.log.aliyuncs.com"),
        ("http://127.1", "expected a host such as cn-shanghai.log.aliyuncs.com"),
        ("http://0177.0.0.0x1", "expected a host such as cn-shanghai.log.aliyuncs.com"),
        ("http://127.0.0.1.", "expected a host such as cn-shanghai.log.aliyuncs.com"),
        ("https://hunter2\u2100@x", "expected a host such as cn-shanghai.log.aliyuncs.com"),
    ],
)
def test_an_invalid_endpoint_is_rejected_with_a_readable_message(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        Endpoint.parse(text)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    "text",
    [
        "http://100.100.100.200",
        "https://100.100.100.200:8443",
        "http://[::ffff:100.100.100.200]",
        "http://169.254.169.254",
        "http://[::ffff:169.254.169.254]",
        "http://[fe80::1]",
    ],
)
def test_addresses_of_metadata_services_are_recognized(text: str) -> None:
    assert Endpoint.parse(text).is_metadata


@pytest.mark.parametrize(
    "text",
    [
        "cn-shanghai.log.aliyuncs.com",
        "http://127.0.0.1",
        "http://100.100.100.201",
        "http://[::1]",
        "http://[::ffff:10.0.0.1]",
    ],
)
def test_other_address_is_not_a_metadata_address(text: str) -> None:
    assert not Endpoint.parse(text).is_metadata
