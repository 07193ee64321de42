"""The table of software of others in docs/compatibility.md, from lock files and manifests.

A row is a package on which a manifest depends directly, or a signer of requests below one.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from tools.marks import replaced
from tools.paths import ROOT

PAGE = ROOT / "docs" / "compatibility.md"
_SIGNERS = {"@alicloud/gateway-sls", "alibabacloud-gateway-sls", "aliyun-log-python-sdk"}
_PINNED = re.compile(r"([\w.@/-]+)==(?:\d+!)?([\w.]+)")
_LOCKED = re.compile(r"^([\w.-]+)==([\w.]+)", re.MULTILINE)
_REQUIRED = re.compile(r"^(?:require)?\s+([\w./-]+\.[\w./-]+) v(\S+)( // indirect)?$", re.MULTILINE)
_TOOLS = re.compile(r"^tool \(\n(.*?)^\)", re.MULTILINE | re.DOTALL)
_TOOL = re.compile(r"^tool ([\w./-]+)$", re.MULTILINE)
_IMPORTED = re.compile(r'"([\w.-]+\.[\w.-]+/[^"\s]+)"')
_PROMETHEUS = re.compile(r"0\.(\d)(\d\d)\.(\d+)")
_MAVEN = "{http://maven.apache.org/POM/4.0.0}"


class Version(NamedTuple):
    """A package, its version, and the file that pins it."""

    package: str
    version: str
    source: Path


def page() -> str:
    """Return the document with an updated table."""
    return replaced(PAGE.read_text(encoding="utf-8"), "versions", table(ROOT))


def table(root: Path) -> str:
    """Return the table of all packages in a tree."""
    rows = [
        f"| `{package}` | {version} | [`{name}`](../{name}) |\n"
        for package, version, source in sorted(versions(root))
        for name in [source.relative_to(root).as_posix()]
    ]
    return "".join(["| package | tested version | pinned in |\n|---|---|---|\n", *rows])


def versions(root: Path) -> Iterator[Version]:
    """Yield the packages of every manifest in a tree."""
    yield from pinned(root / "pyproject.toml")
    conformance = root / "tests" / "conformance"
    yield from locked(conformance / "clients" / "requirements.txt", root / "pyproject.toml")
    for pattern, read in (
        ("package-lock.json", node_modules),
        ("go.mod", go_modules),
        ("pom.xml", maven_artifacts),
    ):
        for path in sorted(conformance.glob(f"*/{pattern}")):
            yield from read(path)


def pinned(manifest: Path) -> Iterator[Version]:
    """Yield what the tests themselves pin to one version."""
    for requirement in _group(manifest, "test"):
        if found := _PINNED.match(requirement):
            yield Version(found[1], found[2], manifest)


def locked(lock: Path, manifest: Path) -> Iterator[Version]:
    """Yield the direct dependencies of the Python clients, and their signers."""
    direct = {re.split("[=<>~]", each)[0] for each in _group(manifest, "clients")}
    for name, version in _LOCKED.findall(lock.read_text(encoding="utf-8")):
        if name in direct | _SIGNERS:
            yield Version(name, version, lock)


def node_modules(lock: Path) -> Iterator[Version]:
    """Yield the direct dependencies of a package of npm, and their signers."""
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    direct = packages[""]["dependencies"].keys()
    for path, package in packages.items():
        name = path.removeprefix("node_modules/")
        if name in direct | _SIGNERS:
            yield Version(name, package["version"], lock)


def go_modules(manifest: Path) -> Iterator[Version]:
    """Yield the modules that a Go module imports or builds programs of."""
    text = manifest.read_text(encoding="utf-8")
    used = {each for tools in _TOOLS.findall(text) for each in tools.split()}
    used |= set(_TOOL.findall(text))
    for source in manifest.parent.rglob("*.go"):
        used |= set(_IMPORTED.findall(source.read_text(encoding="utf-8")))
    for name, version, indirect in _REQUIRED.findall(text):
        if not indirect or any(f"{each}/".startswith(f"{name}/") for each in used):
            # The modules of Prometheus 3.16.0 have the version 0.316.0.
            is_prometheus = name == "github.com/prometheus/prometheus"
            found = _PROMETHEUS.fullmatch(version) if is_prometheus else None
            shown = f"{found[1]}.{int(found[2])}.{found[3]}" if found else version
            yield Version(name, shown, manifest)


def maven_artifacts(manifest: Path) -> Iterator[Version]:
    """Yield the dependencies of a Maven project, without the plugins that build it."""
    project = ET.fromstring(manifest.read_text(encoding="utf-8"))  # noqa: S314  # our own file
    for dependency in project.iterfind(f"{_MAVEN}dependencies/{_MAVEN}dependency"):
        group, artifact, version = (
            dependency.findtext(f"{_MAVEN}{name}", "")
            for name in ("groupId", "artifactId", "version")
        )
        yield Version(f"{group}:{artifact}", version, manifest)


def _group(manifest: Path, name: str) -> list[str]:
    groups = tomllib.loads(manifest.read_text(encoding="utf-8"))["dependency-groups"]
    return [each for each in groups[name] if isinstance(each, str)]
