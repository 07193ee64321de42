"""The vendor's consumer libraries, each with a consumer program of our own.

The consumer programs take the same options. They read the key from KEY_ID and KEY_SECRET, log to
stderr, and stop gracefully on SIGTERM. After each batch of log groups that did not fail, they
print a line like ``processed shard 0: 5 log groups``.
"""

import fcntl
import hashlib
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

FOLDER = Path(__file__).parent
_BUILDS = FOLDER / ".build"


@dataclass(frozen=True)
class Library:
    """A consumer library, and how to run its consumer program.

    - command: builds the program if necessary.
    - drops_failed_batches: whether a batch is lost if its processing fails.
    """

    name: str
    package: str
    version: str
    command: Callable[[], list[str]]
    drops_failed_batches: bool

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


PYTHON = Library(
    name="Python",
    package="aliyun-log-python-sdk",
    version=metadata.version("aliyun-log-python-sdk"),
    command=lambda: [sys.executable, "-m", "tests.conformance.python_consumer"],
    drops_failed_batches=True,
)
LIBRARIES = [PYTHON]
