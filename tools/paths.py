"""The root of the project, from which tools, tests and benchmarks find its files."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
