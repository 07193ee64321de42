"""The vendor's consumer libraries, each with a consumer program of our own.

The consumer programs take the same options. They read the key from KEY_ID and KEY_SECRET, log to
stderr, and stop gracefully on SIGTERM. After each batch of log groups that did not fail, they
print a line like ``processed shard 0: 5 log groups``.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

FOLDER = Path(__file__).parent
BUILD_SECONDS = 1800
"""Timeout of a build, and of tests that may have to wait for one."""
_BUILDS = FOLDER / ".build"


@dataclass(frozen=True)
class Library:
    """A consumer library, and how to run its consumer program.

    - command: builds the program if necessary.
    - drops_failed_batches: whether a batch is lost if its processing fails.
    - saves_at_the_stop: whether a graceful stop saves progress that the processor never saves, and
      that of failed batches.
    """

    name: str
    package: str
    version: str
    command: Callable[[], list[str]]
    drops_failed_batches: bool
    saves_at_the_stop: bool

    def __str__(self) -> str:
        return self.name


def tool(name: str, *, package: str) -> str:
    """Return the path of a program of the machine. Raises AssertionError if it is missing."""
    path = shutil.which(name)
    assert path is not None, f"{name} is missing: on Debian, apt-get install {package}"
    return path


def built(name: str, sources: Iterable[Path], build: Callable[[Path], None]) -> Path:
    """Return the folder of what ``build`` makes of some files, once for their content.

    ``build`` gets an empty folder. Other processes wait for it.
    """
    content = b"".join(path.read_bytes() for path in sorted(sources))
    folder = _BUILDS / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}"
    _BUILDS.mkdir(exist_ok=True)
    with (_BUILDS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            build(unfinished)
            unfinished.rename(folder)
    return folder


def run(*command: str, folder: Path = FOLDER, **environ: str) -> str:
    """Return the output of a command of a build. Raises AssertionError with it if that fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def _go_consumer() -> list[str]:
    go, module = tool("go", package="golang-go"), FOLDER / "go"

    def build(folder: Path) -> None:
        program = folder / "consumer"
        run(go, "build", "-buildvcs=false", f"-o={program}", folder=module, CGO_ENABLED="0")

    sources = [module / name for name in ("go.mod", "go.sum", "main.go")]
    return [str(built("go", sources, build) / "consumer")]


def _go_version() -> str:
    required = re.search(r"/aliyun-log-go-sdk v(\S+)", (FOLDER / "go" / "go.mod").read_text())
    assert required is not None
    return required[1]


def _java_consumer() -> list[str]:
    java, module = tool("java", package="default-jdk-headless"), FOLDER / "java"
    pom = module / "pom.xml"

    def build(folder: Path) -> None:
        tool("javac", package="default-jdk-headless")
        maven = tool("mvn", package="maven")
        run(maven, "-q", "-B", "package", f"-Dinto={folder}", folder=module)

    folder = built("java", [pom, *module.glob("src/*.java")], build)
    return [
        *(java, "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
        f"-Djdk.net.hosts.file={module / 'hosts'}",
        *("-cp", f"{folder}/*", "Main"),
    ]


def _java_version() -> str:
    pom = (FOLDER / "java" / "pom.xml").read_text()
    required = re.search(r"<artifactId>loghub-client-lib</artifactId>\s*<version>(\S+)<", pom)
    assert required is not None
    return required[1]


PYTHON = Library(
    name="Python",
    package="aliyun-log-python-sdk",
    version=metadata.version("aliyun-log-python-sdk"),
    command=lambda: [sys.executable, "-m", "tests.conformance.python_consumer"],
    drops_failed_batches=True,
    saves_at_the_stop=True,
)
GO = Library(
    name="Go",
    package="aliyun-log-go-sdk",
    version=_go_version(),
    command=_go_consumer,
    drops_failed_batches=False,
    saves_at_the_stop=False,
)
JAVA = Library(
    name="Java",
    package="com.aliyun.openservices:loghub-client-lib",
    version=_java_version(),
    command=_java_consumer,
    drops_failed_batches=True,
    saves_at_the_stop=False,
)
LIBRARIES = [PYTHON, GO, JAVA]
