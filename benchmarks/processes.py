"""Processes under test, with their memory and processor time from the kernel."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.paths import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that was started, and the first line that it printed."""

    pid: int
    said: str

    def resident_megabytes(self) -> float:
        """Return the resident size now."""
        return _status_kilobytes(self.pid, "VmRSS:") / 1024

    def peak_megabytes(self) -> float:
        """Return the highest resident size so far."""
        return _status_kilobytes(self.pid, "VmHWM:") / 1024

    def cpu_seconds(self) -> float:
        """Return the processor time used so far, including system time."""
        # The name of the command, in parentheses, may contain spaces. Later fields do not.
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def module(name: str, arguments: Sequence[str]) -> Iterator[Process]:
    """Run a module of this package until the block ends; it prints a line once it is ready."""
    with subprocess.Popen(  # noqa: S603  part of this benchmark
        [sys.executable, "-m", f"benchmarks.{name}", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        try:
            said = process.stdout.readline().strip()
            assert said, f"{name} did not start"
            yield Process(pid=process.pid, said=said)
        finally:
            process.terminate()


def _status_kilobytes(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise LookupError(f"no {field}")
