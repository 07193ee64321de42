"""The image, built from the Dockerfile without a registry, and a container that runs it.

The base stands in for the public slim Python: the interpreter of these tests, with the libraries
that it needs, at the same paths. Containers run without an engine, by means of the kernel:
namespaces, a read-only root, no privilege. This requires root.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from tests.support.debian import program
from tests.support.wait import wait_for
from tools.paths import ROOT

BASE = "localhost/slim-python-stand-in"
NAME = "localhost/sls-exporter"

_WHEELS = "/wheels"
_LINKED = re.compile(r"(/\S+) \(0x")
# The public image has these too, and wheels are linked with them.
_FOR_WHEELS = (*("libdl.so.2", "libgcc_s.so.1", "libpthread.so.0", "librt.so.1", "libstdc++.so.6"),)
_NOT_NEEDED = (
    "test",
    "idlelib",
    "tkinter",
    "_tkinter*",
    "site-packages",
    "__pycache__",
    "config-*",
)

# Arguments: the root, the directory of the configuration, the user, its group, the working
# directory, the command.
_AS_AN_ENGINE_DOES = """
set -e
root=$1 config=$2 user=$3 group=$4 directory=$5
shift 5
mount --bind "$root" "$root"
mount --bind "$config" "$root/etc/sls-exporter"
mount -t proc proc "$root/proc"
mount -o remount,bind,ro "$root"
exec setpriv --clear-groups --no-new-privs \\
  unshare --root="$root" --wd="$directory" --setgid="$group" --setuid="$user" "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A built image: the file system and the settings that a container of it starts from."""

    root: Path
    config: Mapping[str, Any]
    """Settings that an engine reads: ``User``, ``Entrypoint``, ``Cmd``, ``Env``, ``Labels``, …"""

    def path(self, path: str) -> Path:
        """Return the location of a path of the image."""
        return self.root / path.lstrip("/")

    def command(
        self, configuration: Path, *, entrypoint: Sequence[str] = (), arguments: Sequence[str] = ()
    ) -> list[str]:
        """Return the command that runs a container as process 1, with its root read-only."""
        user, _, group = self.config["User"].partition(":")
        return [
            *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
            *("/bin/sh", "-c", _AS_AN_ENGINE_DOES, "sh"),
            *(str(self.root), str(configuration), user, group, self.config["WorkingDir"]),
            *(entrypoint or self.config["Entrypoint"]),
            *(arguments or (() if entrypoint else self.config["Cmd"])),
        ]

    def environ(self, **added: str) -> dict[str, str]:
        """Return the variables of a container: those of the image, and the added ones."""
        return dict(entry.split("=", 1) for entry in self.config["Env"]) | added

    def run(self, configuration: Path, *entrypoint: str) -> subprocess.CompletedProcess[str]:
        """Run another program of the image to its end."""
        return subprocess.run(
            self.command(configuration, entrypoint=entrypoint),
            capture_output=True,
            text=True,
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A running container."""

    process: subprocess.Popen[bytes]
    """The process that waits for the container and has its exit status."""
    log: Path

    @property
    def pid(self) -> int:
        """The process ID of its process 1 outside of the container."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        return int(wait_for(children.read_text, what="the container's process"))

    def logged(self, pattern: str) -> re.Match[str]:
        """Wait for a match of a pattern in its log."""
        match = wait_for(
            lambda: re.search(pattern, self.log.read_text("utf-8")) or self.process.poll(),
            what=pattern,
            timeout=30,
        )
        assert isinstance(match, re.Match), self.log.read_text("utf-8")
        return match

    def stop(self, number: signal.Signals) -> int:
        """Send a signal to process 1, and return the exit status."""
        os.kill(self.pid, number)
        return self.process.wait(20)


@contextmanager
def running(image: Image, configuration: Path, **environ: str) -> Iterator[Container]:
    """Run the image's own command, with a directory mounted where it looks for its file."""
    log = configuration.parent / "container.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            image.command(configuration),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=image.environ(**environ),
        )
    container = Container(process=process, log=log)
    try:
        yield container
    finally:
        if process.poll() is None:
            os.kill(container.pid, signal.SIGKILL)
            process.wait(20)


@contextmanager
def built() -> Iterator[Image]:
    """Build the image in its own storage, which is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="sls-exporter-image-") as folder:
        yield _build(Path(folder))


def _build(folder: Path) -> Image:
    def buildah(*arguments: str | Path) -> str:
        store = ("--storage-driver", "vfs", "--root", folder / "root", "--runroot", folder / "run")
        return _output(program("buildah"), *store, *arguments)

    wheels, base = folder / "wheels", folder / "base"
    _download(wheels)
    _lay_out_base(base)
    isolated = ("bud", "--isolation", "chroot", "--pull-never")
    buildah(*isolated, "--tag", BASE, base)
    shutil.rmtree(base)
    buildah(
        *isolated,
        *("--build-arg", f"BASE={BASE}", "--build-arg", "REVISION=tested"),
        *("--volume", f"{wheels}:{_WHEELS}:ro", "--tag", NAME, ROOT),
    )
    described = json.loads(buildah("inspect", "--type", "image", NAME))
    container = buildah("from", "--isolation", "chroot", "--pull-never", NAME).strip()
    root = Path(buildah("mount", container).strip())
    return Image(root=root, config=described["Docker"]["config"])


def _output(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def _download(wheels: Path) -> None:
    """Download the packages that the build installs: only the locked ones."""
    pip = (sys.executable, "-m", "pip", "--quiet", "download", "--only-binary", ":all:")
    for lock in ("requirements.txt", "build-requirements.txt"):
        locked = ("--require-hashes", "--requirement", ROOT / ".ci" / lock)
        _output(*pip, "--dest", wheels, *locked)


def _lay_out_base(base: Path) -> None:
    """Lay out a Python with pip, the libraries of both, and a shell."""
    python = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    pip = Path(str(distribution("pip").locate_file("pip")))
    ignore = shutil.ignore_patterns(*_NOT_NEEDED)
    shutil.copytree(library, _below(base, library), ignore=ignore)
    shutil.copytree(pip, _below(base, library / "pip"), ignore=ignore)
    programs = [python, Path("/bin/sh")]
    modules = [path for path in library.glob("lib-dynload/*.so") if "_tkinter" not in path.name]
    linked = {Path(path) for path in _LINKED.findall(_output("ldd", *programs, *modules))}
    (libc,) = (path for path in linked if path.name == "libc.so.6")
    linked |= {libc.with_name(name) for name in _FOR_WHEELS}
    for path in [*programs, *linked]:
        _below(base, path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, _below(base, path))
    for folder in ("tmp", "proc", "etc", "usr/local/bin"):
        (base / folder).mkdir(parents=True, exist_ok=True)
    (base / "usr/local/bin/python").symlink_to(python)
    (base / "etc/ld.so.conf").write_text("".join(f"{path.parent}\n" for path in sorted(linked)))
    _output("/sbin/ldconfig", "-r", base)
    (base / "etc/pip.conf").write_text(f"[global]\nno-index = true\nfind-links = {_WHEELS}\n")
    (base / "Dockerfile").write_text(
        "FROM scratch\nCOPY . /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n"
    )


def _below(base: Path, path: Path) -> Path:
    return base / path.relative_to("/")
