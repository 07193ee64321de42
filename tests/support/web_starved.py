"""A web server whose process runs out of descriptors: prints its port, then waits for a line."""

import contextlib
import os
import resource
import sys

from tests.support.web_server import Faults, fetch, serving


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    faults = Faults()
    with serving(faults=faults) as port:
        fetch(port, "/metrics")  # everything is imported and made at the first request
        print(port, flush=True)  # noqa: T201 - the way to the test
        sys.stdin.readline()
        with contextlib.suppress(OSError):
            while True:
                os.open(os.devnull, os.O_RDONLY)
        print("full", flush=True)  # noqa: T201 - the way to the test
        sys.stdin.readline()
    assert faults.seen == []


if __name__ == "__main__":
    main()
