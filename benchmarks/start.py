"""The time from the start of a process to its first scrape, and of the commands that only print.

The bare stack imports the common dependencies of such an exporter and serves an empty registry.
The demo loads its configuration, runs a simulated SLS and the whole exporter.
"""

import argparse
import http.client
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.processes import Process

_BARE = """
import sys, threading
import apscheduler.schedulers.background, prometheus_client, requests, yaml
prometheus_client.start_http_server(int(sys.argv[1]), addr="127.0.0.1")
threading.Event().wait()
"""
_CONFIG = """\
credentials: {access_key_id: key, access_key_secret: secret}
projects:
  - project: shop
    endpoint: cn-shanghai.log.aliyuncs.com
    logstores: [{logstore: orders, consumer_groups: [billing]}]
"""
_PATIENCE_SECONDS = 60.0


def demo(port: int) -> Sequence[str]:
    """Return the command line of the demo."""
    return [
        sys.executable,
        "-m",
        "exporter",
        "demo",
        f"--web.listen-address=127.0.0.1:{port}",
    ]


def bare(port: int) -> Sequence[str]:
    """Return the command line of the bare stack."""
    return [sys.executable, "-c", _BARE, str(port)]


def measure(command: Sequence[str], port: int) -> tuple[float, float]:
    """Start a command, and return the seconds to its first scrape and its resident megabytes."""
    started = time.perf_counter()
    with subprocess.Popen(  # noqa: S603  a command of this benchmark
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            while not _is_scraped(port):
                assert process.poll() is None, "it has ended"
                assert time.perf_counter() - started < _PATIENCE_SECONDS, "it does not serve"
                time.sleep(0.002)
            seconds = time.perf_counter() - started
            return seconds, Process(pid=process.pid, said="").resident_megabytes()
        finally:
            process.kill()


def measure_command(*arguments: str) -> float:
    """Run a command that only prints, and return the seconds until it has ended."""
    started = time.perf_counter()
    subprocess.run(  # noqa: S603  the exporter of this checkout
        [sys.executable, "-m", "exporter", *arguments],
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=_PATIENCE_SECONDS,
    )
    return time.perf_counter() - started


def _is_scraped(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        return answer.status == http.client.OK and b"# HELP" in answer.read()
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def main() -> None:
    """Measure in turn, and print medians with their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="one round")
    options = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {"bare stack": [], "demo": []}
    commands: dict[str, list[float]] = {name: [] for name in ("--help", "schema", "check")}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(_CONFIG)
        for _ in range(1 if options.quick else options.rounds):
            for name, command in (("bare stack", bare), ("demo", demo)):
                port = _free_port()
                found[name].append(measure(command(port), port))
            for name, seconds in commands.items():
                file = [f"--config.file={config}"] if name == "check" else []
                seconds.append(measure_command(name, *file))
    print(f"start to first scrape, median of {len(found['demo'])}")
    reference = statistics.median(seconds for seconds, _ in found["bare stack"])
    for name, runs in found.items():
        median = statistics.median(seconds for seconds, _ in runs)
        resident = statistics.median(megabytes for _, megabytes in runs)
        print(
            f"  {name:10} {median * 1e3:6.0f} ms, {median / reference:.2f} x bare,"
            f" resident {resident:.0f} MB"
        )
    print("start to end of a command")
    for name, seconds in commands.items():
        median = statistics.median(seconds)
        print(f"  {name:10} {median * 1e3:6.0f} ms, {median / reference:.2f} x bare")


if __name__ == "__main__":
    main()
