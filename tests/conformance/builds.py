"""Builds of the servers and the consumers, which ``make conformance`` runs before the tests.

A build during the tests would slow down consumers on the real clock.
"""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.conformance.go_programs import PROGRAMS, go_program
from tests.conformance.libraries import LIBRARIES

_WORKERS = 2
"""A build uses one processor for a part of its time: to link, or to wait for downloads."""


def main() -> None:
    """Build everything, and raise the first error at the end."""
    builds: dict[str, Callable[[], object]] = {
        **{f"the consumer in {library}": library.command for library in LIBRARIES},
        **{name: partial(go_program, name) for name in PROGRAMS},
    }
    with ThreadPoolExecutor(_WORKERS) as pool:
        built = [pool.submit(_build, name, build) for name, build in builds.items()]
    for each in built:
        each.result()


def _build(name: str, build: Callable[[], object]) -> None:
    sys.stderr.write(f"building {name}\n")
    build()


if __name__ == "__main__":
    main()
