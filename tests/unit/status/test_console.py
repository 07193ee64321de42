"""Links to the console of the service."""

import pytest

from exporter.status.console import console_url


@pytest.mark.parametrize(
    ("endpoint", "region"),
    [
        ("https://cn-shanghai.log.aliyuncs.com", "cn-shanghai"),
        ("https://cn-hangzhou-intranet.log.aliyuncs.com", "cn-hangzhou"),
        ("https://ap-southeast-1-internal.log.aliyuncs.com", "ap-southeast-1"),
    ],
)
def test_link_leads_to_the_logstore_in_its_region(endpoint: str, region: str) -> None:
    assert console_url(endpoint, "shop", "orders") == (
        f"https://sls.console.aliyun.com/lognext/project/shop/logsearch/orders?slsRegion={region}"
    )


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:8080",
        "https://sls.example.com",
        "https://cn-shanghai.log.aliyuncs.com.example.com",
        "https://log.cn-private.idptcloud01cs.com",
        "javascript:alert(1)",
        "",
    ],
)
def test_other_services_have_no_link(endpoint: str) -> None:
    assert console_url(endpoint, "shop", "orders") is None


@pytest.mark.parametrize(("project", "logstore"), [("", ""), ("shop", "")])
def test_listing_has_no_link(project: str, logstore: str) -> None:
    assert console_url("https://cn-shanghai.log.aliyuncs.com", project, logstore) is None


def test_names_cannot_leave_their_segment_of_the_path() -> None:
    url = console_url("https://cn-shanghai.log.aliyuncs.com", "../a b", 'x/?y#z"><\udc80')
    assert url == (
        "https://sls.console.aliyun.com/lognext/project/..%2Fa%20b/logsearch/"
        "x%2F%3Fy%23z%22%3E%3C%3F?slsRegion=cn-shanghai"
    )
