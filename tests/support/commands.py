"""The exporter's commands as real processes that end by themselves, and a simulator for them."""

import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from exporter.app.assembly import Parts, assemble
from exporter.commands.demo import CONFIG
from exporter.config.reader import load
from exporter.polling.scope import EVERYTHING, Scope
from exporter.simulator.demo_world import DEMO_CREDENTIALS, PLATFORM, SHOP, build_demo_world
from tests.support.faulty_simulator import FaultySimulator
from tests.support.held_clock import HeldClock


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that ended."""

    status: int
    stdout: str
    stderr: str


def environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a command: PATH, coverage settings and the given variables."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return {"PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "error", **kept, **(environ or {})}


def command(*arguments: str | Path) -> list[str]:
    """Return the command line that runs the exporter."""
    return [sys.executable, "-m", "exporter", *map(str, arguments)]


def run(*arguments: str | Path, environ: Mapping[str, str] | None = None, stdin: str = "") -> Done:
    """Run a command to its end, with only the given environment and text on standard input."""
    done = subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        env=environment(environ),
        input=stdin,
        timeout=60,
        check=False,
    )
    return Done(status=done.returncode, stdout=done.stdout, stderr=done.stderr)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The demonstration's world behind a server, on a stopped clock."""

    clock: HeldClock
    simulator: FaultySimulator
    config: Path
    """A configuration file for all groups of the world."""


@contextmanager
def demo_world(folder: Path) -> Iterator[Demo]:
    """Serve the demonstration's world, and write the configuration for it."""
    held = HeldClock(float(int(time.time())))  # The exporter ignores server times far off.
    world = build_demo_world(held.wall)
    with FaultySimulator(world, credentials=[DEMO_CREDENTIALS], check_clock=False) as simulator:
        text = CONFIG.format(
            key_id=DEMO_CREDENTIALS.access_key_id,
            key_secret=DEMO_CREDENTIALS.access_key_secret,
            shop=SHOP,
            platform=PLATFORM,
            endpoint=simulator.endpoint,
        )
        config = folder / "demo.yaml"
        config.write_text(text, encoding="utf-8")
        yield Demo(clock=held, simulator=simulator, config=config)


@contextmanager
def assembled(
    demo: Demo, *, scope: Scope = EVERYTHING, is_single_round: bool = False
) -> Iterator[Parts]:
    """Assemble the parts of an exporter for the demonstration, on its clock."""
    parts = assemble(
        load(demo.config, environ={}),
        environ={},
        clock=demo.clock.clock,
        start_rate=10_000.0,
        scope=scope,
        is_single_round=is_single_round,
    )
    try:
        yield parts
    finally:
        parts.close()


def on_terminal(demo: Demo, *arguments: str, name: str = "once") -> str:
    """Run a command with stderr on a terminal, and return what appeared there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command(name, f"--config.file={demo.config}", "--output=json", *arguments),
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env=environment({"TERM": "xterm"}),
    ) as process:
        os.close(theirs)
        text = b""
        try:
            while piece := os.read(ours, 65536):
                text += piece
        except OSError:
            pass  # so a terminal ends
        finally:
            os.close(ours)
        assert process.wait(30) == 0
    return text.decode()
