"""Engines for targets: atheris (guided by coverage) or hypothesis (random, plus the corpus).

A case that fails is kept in the corpus, so that it is replayed from then on.
"""

import hashlib
import importlib
import importlib.util
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

Target = Callable[[bytes], None]

_ROUND = 500  # examples between two readings of the clock
_CASE_SECONDS = 60  # then a case counts as one that hangs
_MEMORY_MEGABYTES = 2048
_LONGEST = 4096


def has_atheris() -> bool:
    """Return whether atheris is installed."""
    return importlib.util.find_spec("atheris") is not None


def by_coverage(name: str, corpus: Path, seconds: int) -> None:
    """Run a target under atheris, which ends the process itself."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["exporter", "yaml", "h11", "configparser", "json"]):
        # Import it only here, so that all its imports are instrumented.
        target = importlib.import_module("tests.fuzz.targets").TARGETS[name]
    # Inputs that atheris finds interesting are kept, so that the next run continues from them.
    fresh = Path(tempfile.gettempdir(), "sls-exporter-fuzz", name)
    fresh.mkdir(parents=True, exist_ok=True)
    arguments = [
        name,
        f"-max_total_time={seconds}",
        f"-timeout={_CASE_SECONDS}",
        f"-report_slow_units={_CASE_SECONDS}",
        f"-rss_limit_mb={_MEMORY_MEGABYTES}",
        f"-max_len={_LONGEST}",
        f"-artifact_prefix={corpus}/",
        "-print_final_stats=1",
        str(fresh),
        str(corpus),
    ]
    atheris.Setup(arguments, target)
    atheris.Fuzz()


def cases(corpus: list[bytes]) -> st.SearchStrategy[bytes]:
    """Draw any bytes, and cases of the corpus with something changed."""
    anything = st.binary(max_size=300)
    if not corpus:
        return anything
    known = st.sampled_from([each for each in corpus if len(each) <= _LONGEST])
    changed = st.builds(_changed, known, st.integers(0, _LONGEST), st.integers(0, 64), anything)
    return anything | changed


def _changed(case: bytes, at: int, removed: int, added: bytes) -> bytes:
    at %= len(case) + 1
    return case[:at] + added + case[at + removed :]


def by_chance(target: Target, corpus: list[bytes], *, examples: int, number: int = 0) -> None:
    """Run a target on some cases, the same ones for the same number; errors are passed on."""

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(cases(corpus))
    def run(case: bytes) -> None:
        target(case)

    run()


def by_chance_for(target: Target, corpus: Path, seconds: float) -> int:
    """Run a target for some seconds, keep a failing case, and return the number of cases."""
    known = [path.read_bytes() for path in sorted(corpus.iterdir())]
    last, count = b"", 0

    def noted(case: bytes) -> None:
        nonlocal last, count
        last, count = case, count + 1
        target(case)

    number, end = 0, time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            by_chance(noted, known, examples=_ROUND, number=number)
            number += 1
    except BaseException:
        # The last case that hypothesis runs is the smallest failing one.
        digest = hashlib.sha256(last).hexdigest()[:40]
        (corpus / f"crash-{digest}").write_bytes(last)
        raise
    return count
