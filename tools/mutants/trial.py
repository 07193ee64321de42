"""Runs of the tests of a module against its mutants, each in its own process.

Nothing is written: a mutant is compiled from its tree when the tests import the module.
"""

import ast
import importlib
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

import pytest
from hypothesis import Phase, settings

from tools.mutants.changes import Mutant, mutants

_MEMORY = 4 * 1024**3  # of a mutant that never stops to take more
_OPTIONS = (
    *("--exitfirst", "--quiet", "--no-header", "--tb=line", "--assert=plain"),
    "--hypothesis-profile=mutants",
    *("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "timeout=0"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A module to mutate, its file, and the files of the tests that must kill the mutants."""

    module: str
    source: Path
    tests: tuple[Path, ...]

    def text(self) -> str:
        """Return the source as it is."""
        return self.source.read_text(encoding="utf-8")


def warm_up(tests: Iterable[str]) -> None:
    """Import the dependencies of the test modules from other projects, once for all trials."""
    settings.register_profile(
        "mutants",
        database=None,
        deadline=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
    )
    settings.load_profile("mutants")
    for name in tests:
        importlib.import_module(name)
    for name in list(_ours()):
        del sys.modules[name]


def attempts(subject: Subject, *, seconds: int) -> Iterator[tuple[Mutant, bool]]:
    """Yield each mutant, and whether a test killed it."""
    for mutant in mutants(subject.text()):
        yield mutant, not passes(subject, mutant.tree, seconds=seconds)


def passes(subject: Subject, tree: ast.Module, *, seconds: int) -> bool:
    """Return whether all tests pass. A mutant that makes them exceed ``seconds`` does not."""
    child = os.fork()
    if not child:
        status = 1
        try:
            status = _run(subject, tree, seconds)
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    return ended == 0


def _run(subject: Subject, tree: ast.Module, seconds: int) -> int:
    signal.alarm(seconds)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    with tempfile.TemporaryFile() as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        sys.meta_path.insert(0, _Finder(subject, tree))
        return int(pytest.main([*_OPTIONS, *map(str, subject.tests)]))


def _ours() -> Iterator[str]:
    for name in sys.modules:
        if name.partition(".")[0] in {"exporter", "tests"}:
            yield name


class _Loader(SourceFileLoader):
    def __init__(self, subject: Subject, tree: ast.Module) -> None:
        super().__init__(subject.module, str(subject.source))
        self._tree = tree

    def get_code(self, fullname: str) -> CodeType | None:
        return compile(self._tree, self.get_filename(fullname), "exec")


class _Finder(MetaPathFinder):
    def __init__(self, subject: Subject, tree: ast.Module) -> None:
        self._subject = subject
        self._tree = tree

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname != self._subject.module:
            return None
        loader = _Loader(self._subject, self._tree)
        return spec_from_file_location(fullname, self._subject.source, loader=loader)
