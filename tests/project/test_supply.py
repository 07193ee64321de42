"""The lock files match the requirements, have hashes, and do not name an index."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.docs import read

LOCKS = (
    ".ci/requirements.txt",
    ".ci/build-requirements.txt",
    "tests/conformance/clients/requirements.txt",
)
_ENTRY = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>[\w.]+)(?P<rest>(?: .*)?\\?(?:\n +.*)*)", re.MULTILINE
)


def locked(name: str) -> dict[str, tuple[str, str]]:
    """Return the version of each locked package, and the rest of its entry."""
    return {
        found["name"]: (found["version"], found["rest"]) for found in _ENTRY.finditer(read(name))
    }


def asked_for(name: str) -> list[Requirement]:
    project = tomllib.loads(read("pyproject.toml"))
    wanted = (
        project["project"]["dependencies"],
        project["build-system"]["requires"],
        project["dependency-groups"]["clients"],
    )[LOCKS.index(name)]
    return [Requirement(each) for each in wanted]


@pytest.mark.parametrize("name", LOCKS)
def test_every_dependency_is_locked_within_its_bounds(name: str) -> None:
    versions = locked(name)
    for requirement in asked_for(name):
        version, _ = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement


@pytest.mark.parametrize("name", LOCKS)
def test_locked_packages_have_hashes(name: str) -> None:
    found = locked(name)
    lines = [line for line in read(name).splitlines() if re.match("[a-zA-Z]", line)]
    assert len(found) == len(lines) > 0
    for package, (_, rest) in found.items():
        assert re.findall(r"--hash=sha256:[0-9a-f]{64}\b", rest), package


@pytest.mark.parametrize("name", LOCKS)
def test_no_place_to_fetch_from_is_locked(name: str) -> None:
    assert not re.search(r"https?:|--(?:extra-)?index-url|--find-links|@ ", read(name))
