"""The time that each optimization of scrapes, and of the start, saves on its own.

Optimizations are replaced by plain code, one at a time. Scrapes are those of ``benchmarks.parts``,
without HTTP. A ratio is the least processor time without the optimization, divided by the least
with all of them. Both are measured in turn.
"""

import argparse
import resource
import subprocess
import sys
import time
import timeit
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType

from prometheus_client import CollectorRegistry

from benchmarks.made_up import targets
from exporter.config.schema import MetricsConfig
from exporter.metrics import ages, polled_text
from exporter.metrics.gzip_stream import Part, gzipped
from exporter.metrics.polled_text import PolledText
from exporter.metrics.registry_text import registry_text
from exporter.metrics.self_metrics import SelfMetrics
from exporter.metrics.text_format import go_float
from exporter.model.snapshot import View
from exporter.sls.operations import OPERATION_NAMES

Scrape = Callable[[], object]
_IDLE = 3600.0


def _age_texts(name: bytes, times: Sequence[int]) -> list[bytes]:
    return [go_float(max(0, each) / 10) + b"\n" + name for each in times]


def _same(text: bytes) -> bytes:
    return text


Patches = Sequence[tuple[ModuleType, str, object]]
TRICKS: Mapping[str, Patches] = {
    "all tricks": (),
    "without kept gzip pieces": ((polled_text, "kept", _same), (ages, "kept", _same)),
    "without known texts of young ages": ((ages, "_KNOWN_BITS", -1),),
    "without orjson for other ages": ((ages, "_written", _age_texts),),
    "without orjson and known texts": (
        (ages, "_KNOWN_BITS", -1),
        (ages, "_written", _age_texts),
    ),
}


@contextmanager
def patched(patches: Patches) -> Iterator[None]:
    """Replace attributes for a while."""
    before = [(owner, name, vars(owner)[name]) for owner, name, _ in patches]
    for owner, name, value in patches:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


def scrape(view: View) -> Scrape:
    """Return a scrape of a view whose texts are prepared."""
    registry = CollectorRegistry()
    SelfMetrics(registry, operations=OPERATION_NAMES)
    polled, now = PolledText(), time.monotonic()
    config = MetricsConfig.model_construct(max_series=10**8)
    for status in view.targets:
        polled.prepare(status, config)

    def parts() -> Iterator[Part]:
        yield registry_text(registry, openmetrics=False)
        yield from polled.write(view, config, now)

    return lambda: deque(gzipped(parts()), maxlen=0)


def least(shards: int, *, idle: float = 0.0, number: int = 1, rounds: int) -> dict[str, float]:
    """Return the least seconds of a scrape without each optimization."""
    view = View(targets=targets(shards, idle=idle))
    found = dict.fromkeys(TRICKS, float("inf"))
    scrapes = {}
    for name, patches in TRICKS.items():
        with patched(patches):
            scrapes[name] = scrape(view)
    for _ in range(rounds):
        for name, patches in TRICKS.items():
            with patched(patches):
                seconds = timeit.timeit(scrapes[name], number=number, timer=time.process_time)
            found[name] = min(found[name], seconds / number)
    return found


_IMPORTS = "import exporter.commands.cli, exporter.commands.run"
STARTS = {
    "all tricks": f"import gc; gc.disable(); {_IMPORTS}",
    "without garbage collection put off": _IMPORTS,
}


def starts(rounds: int) -> dict[str, float]:
    """Return the least seconds of processor time to import the exporter."""
    found = dict.fromkeys(STARTS, float("inf"))
    for _ in range(rounds):
        for name, program in STARTS.items():
            before = _children_seconds()
            subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603  code of this file
            found[name] = min(found[name], _children_seconds() - before)
    return found


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def report(title: str, found: Mapping[str, float]) -> None:
    """Print the ratio of each."""
    whole = found["all tricks"]
    print(f"{title}: {whole * 1e3:.2f} ms")
    for name, seconds in found.items():
        print(f"  {name:34} {seconds / whole:5.2f} x")


def main() -> None:
    """Measure scrapes and the start."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="2000 shards, one round")
    options = parser.parse_args()
    many, rounds = (2000, 1) if options.quick else (100_000, options.rounds)
    report("1000 shards", least(1000, number=20, rounds=rounds))
    report(f"{many} shards", least(many, rounds=rounds))
    old = f"{many} shards, every third checkpoint hours old"
    report(old, least(many, idle=_IDLE, rounds=rounds))
    report("the start", starts(rounds))


if __name__ == "__main__":
    main()
