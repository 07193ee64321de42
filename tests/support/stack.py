"""The services of compose.yaml, with its variables replaced as Compose does."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from tools.paths import ROOT

COMPOSE = ROOT / "compose.yaml"
FILES = ROOT / "docs" / "examples" / "stack"
_VARIABLE = re.compile(r"\$\{(\w+):([+-])([^}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A file or folder of the project in a container."""

    source: Path
    target: PurePosixPath
    read_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service, and what its declaration means."""

    declared: dict[str, Any]
    mounts: list[Mount]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that have a value here."""
        variables = self.declared.get("environment", {})
        return {name: value for name, value in variables.items() if value is not None}

    @property
    def health_path(self) -> str:
        """The path that the health check requests."""
        return self._health_url()[2]

    @property
    def health_port(self) -> int:
        """The port that the health check requests."""
        return int(self._health_url()[1])

    def _health_url(self) -> re.Match[str]:
        command = " ".join(self.declared["healthcheck"]["test"])
        found = re.search(r"http://127\.0\.0\.1:(\d+)(/[\w/-]+)", command)
        assert found is not None, command
        return found


def services(environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the declarations of all services; values of variables are in the environment."""

    def value(found: re.Match[str]) -> str:
        name, operator, word = found.groups()
        given = environ.get(name, "")
        if operator == "+":
            return word if given else ""
        return given or word

    text = _VARIABLE.sub(value, COMPOSE.read_text(encoding="utf-8"))
    declared: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
    return declared


def service(name: str, environ: Mapping[str, str] | None = None) -> Service:
    """Return a service by its name."""
    declared = services(environ or {})[name]
    return Service(declared=declared, mounts=[_mount(each) for each in declared["volumes"]])


def port_of(name: str) -> int:
    """Return the port of a service, which is the same inside and outside of its container."""
    ((_, outside, inside),) = (each.split(":") for each in service(name).declared["ports"])
    assert outside == inside
    return int(inside)


def file_in(container: Service, path: str) -> Path:
    """Return the file or folder of the project that has a path in a container."""
    wanted = PurePosixPath(path)
    (found,) = (
        mount.source / wanted.relative_to(mount.target)
        for mount in container.mounts
        if wanted.is_relative_to(mount.target)
    )
    return found


def _mount(declared: str | dict[str, Any]) -> Mount:
    if isinstance(declared, dict):
        source, target = declared["source"], declared["target"]
        read_only = declared.get("read_only", False)
    else:
        source, target, *options = declared.split(":")
        read_only = options == ["ro"]
    return Mount(source=ROOT / source, target=PurePosixPath(target), read_only=read_only)
