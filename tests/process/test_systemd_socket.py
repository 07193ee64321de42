"""Sockets that a socket unit of systemd passes to the daemon."""

import socket
import subprocess
import sys
from pathlib import Path

import requests

from tests.support.commands import command, environment, run
from tests.support.shop import UNREACHABLE
from tests.support.wait import wait_for

# systemd does the same between fork and exec.
PASSING = """\
import fcntl, os, sys
descriptors = [fcntl.fcntl(int(each), fcntl.F_DUPFD_CLOEXEC, 100) for each in sys.argv[1:3]]
for number, descriptor in enumerate(descriptors, 3):
    os.dup2(descriptor, number)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2"}
os.execv(sys.argv[3], sys.argv[3:])
"""


def test_daemon_serves_on_sockets_of_systemd(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        socket.create_server(("127.0.0.1", 0)) as first,
        socket.create_server(("127.0.0.1", 0)) as second,
        log.open("w") as stderr,
    ):
        descriptors = (first.fileno(), second.fileno())
        arguments = command("run", "--web.systemd-socket", "--web.listen-address=127.0.0.1:1")
        with subprocess.Popen(
            [sys.executable, "-c", PASSING, *map(str, descriptors), *arguments],
            stderr=stderr,
            env=environment({"SLS_EXPORTER_CONFIG": UNREACHABLE}),
            pass_fds=descriptors,
        ) as process:
            addresses = [f"127.0.0.1:{sock.getsockname()[1]}" for sock in (first, second)]
            wait_for(lambda: f'listening="{", ".join(addresses)}"' in log.read_text())
            for address in addresses:
                assert requests.get(f"http://{address}/-/healthy", timeout=10).status_code == 200
            process.terminate()
            assert process.wait(15) == 0


def test_daemon_without_sockets_of_systemd_ends_with_one_line() -> None:
    done = run("run", "--web.systemd-socket", environ={"SLS_EXPORTER_CONFIG": UNREACHABLE})
    assert (done.status, len(done.stderr.splitlines())) == (1, 1)
    assert done.stderr.startswith("sls-exporter: systemd has passed no sockets: ")
