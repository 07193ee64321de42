"""The image that the Dockerfile builds works with almost no permissions."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.commands import demo_world
from tests.support.image import Image, built, running
from tests.support.scrape import parsed
from tests.support.wait import wait_for
from tools.paths import ROOT

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 and not os.environ.get("CI"), reason="namespaces and mounts need root"
)

SITE_PACKAGES = "import sysconfig; print(sysconfig.get_path('purelib'))"
DISTRIBUTIONS = """
import json, sys
from importlib.metadata import distributions
print(json.dumps([d.name for d in distributions(path=[p for p in sys.path if "/opt/" in p])]))
"""


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with built() as each:
        yield each


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """Return a directory to be mounted where the exporter looks for its file."""
    folder = tmp_path / "configuration"
    folder.mkdir()
    return folder


def test_the_image_scrapes_a_simulated_sls_and_exits_with_0_on_sigterm(
    image: Image, configuration: Path
) -> None:
    with demo_world(configuration) as demo:
        demo.config.rename(configuration / "config.yaml")
        with running(image, configuration, SLS_EXPORTER_WEB_LISTEN_ADDRESS="127.0.0.1:0") as it:
            url = f"http://127.0.0.1:{it.logged(r'listening=[^ ]*:([0-9]+)')[1]}"
            wait_for(lambda: requests.get(f"{url}/-/ready", timeout=10).ok, what="readiness")
            scrape = parsed(requests.get(f"{url}/metrics", timeout=10).text)
            group = {"project": "demo-shop", "logstore": "orders", "consumer_group": "stalled"}
            assert scrape.value("sls_consumer_group_shards", **group, state="stalled") == 1
            assert scrape.value("sls_consumer_group_up", **group) == 1
            assert scrape.labels("sls_exporter_build_info")[0]["version"] == "0.1.0"
            status = Path(f"/proc/{it.pid}/status").read_text()
            assert it.stop(signal.SIGTERM) == 0
    assert "Uid:\t65532\t65532\t65532\t65532\n" in status
    assert "CapEff:\t0000000000000000\n" in status
    assert "NoNewPrivs:\t1\n" in status
    assert "NSpid:" in status
    assert status.partition("NSpid:")[2].splitlines()[0].split()[-1] == "1"


def test_other_commands_of_the_image_work_on_a_read_only_file_system(
    image: Image, configuration: Path
) -> None:
    writes = image.run(configuration, "python", "-c", "open('/tmp/anything', 'w')")
    assert "Read-only file system" in writes.stderr
    with demo_world(configuration) as demo:
        done = image.run(configuration, "sls-exporter", "once", f"--config.file={demo.config.name}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "demo-shop / orders / stalled" in done.stdout


def test_the_path_of_a_missing_configuration_is_reported(image: Image, configuration: Path) -> None:
    done = image.run(configuration, *image.config["Entrypoint"], *image.config["Cmd"])
    assert done.returncode == 1
    assert "/etc/sls-exporter/config.yaml" in done.stderr


def test_the_image_contains_the_current_package_with_its_bytecode(
    image: Image, configuration: Path
) -> None:
    site_packages = image.run(configuration, "python", "-c", SITE_PACKAGES).stdout.strip()
    package = image.path(site_packages) / "exporter"
    here = files(ROOT / "exporter")
    assert files(package) == here
    compiled = {path.name.partition(".")[0] for path in package.rglob("__pycache__/*.pyc")}
    assert compiled == {Path(name).stem for name in here if name.endswith(".py")}


def files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def test_the_image_contains_runtime_files_and_no_build_tools(
    image: Image, configuration: Path
) -> None:
    names = set(json.loads(image.run(configuration, "python", "-c", DISTRIBUTIONS).stdout))
    assert {"sls-exporter", "requests", "APScheduler", "prometheus_client"} <= names
    assert names & {"pip", "setuptools", "hatchling", "pytest", "wheel"} == set()
    assert not image.path("/src").exists()


def test_the_image_adds_less_than_60_mb_to_its_base(image: Image) -> None:
    sizes = [path.lstat().st_size for path in image.path("/opt/sls-exporter").rglob("*")]
    assert sum(sizes) < 60_000_000


def test_the_image_has_the_version_and_the_revision_of_its_source(image: Image) -> None:
    labels = image.config["Labels"]
    assert labels["org.opencontainers.image.version"] == "0.1.0"
    assert labels["org.opencontainers.image.revision"] == "tested"
