"""The cost of three kinds of records: to make a class at each start, and to make instances.

A class has eight fields, half of them with defaults. Medians are compared with msgspec structs.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from msgspec import Struct

_VALUES = dict.fromkeys("abcdefgh", 1.5)


def struct() -> Callable[..., object]:
    """Make a class as the exporter does."""

    class Record(Struct, frozen=True, kw_only=True):
        a: float
        b: float
        c: float
        d: float
        e: float = 0.0
        f: float = 0.0
        g: float = 0.0
        h: float = 0.0

    return Record


def frozen_dataclass() -> Callable[..., object]:
    """Make a class with the standard library."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Record:
        a: float
        b: float
        c: float
        d: float
        e: float = 0.0
        f: float = 0.0
        g: float = 0.0
        h: float = 0.0

    return Record


def named_tuple() -> Callable[..., object]:
    """Make a class whose instances are tuples."""

    class Record(NamedTuple):
        a: float
        b: float
        c: float
        d: float
        e: float = 0.0
        f: float = 0.0
        g: float = 0.0
        h: float = 0.0

    return Record


WAYS: tuple[Callable[[], Callable[..., object]], ...] = (struct, frozen_dataclass, named_tuple)


def measure(rounds: int) -> list[tuple[str, float, float]]:
    """Return for each way its name and median seconds, of a class and of an instance."""
    classes: list[list[float]] = [[] for _ in WAYS]
    instances: list[list[float]] = [[] for _ in WAYS]
    for _ in range(rounds):
        for number, way in enumerate(WAYS):
            started = time.perf_counter()
            record = way()
            classes[number].append(time.perf_counter() - started)
            started = time.perf_counter()
            for _ in range(1000):
                record(**_VALUES)
            instances[number].append((time.perf_counter() - started) / 1000)
    return [
        (way.__name__, statistics.median(of_class), statistics.median(of_instance))
        for way, of_class, of_instance in zip(WAYS, classes, instances, strict=True)
    ]


def main() -> None:
    """Measure in turn, and print medians with their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="one round")
    options = parser.parse_args()
    found = measure(1 if options.quick else options.rounds)
    _, of_class, of_instance = found[0]
    for name, a_class, an_instance in found:
        print(
            f"{name:18} class {a_class * 1e6:7.1f} us, {a_class / of_class:5.1f} x struct;"
            f" instance {an_instance * 1e9:7.1f} ns, {an_instance / of_instance:5.1f} x struct"
        )


if __name__ == "__main__":
    main()
