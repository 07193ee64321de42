"""``python -m tests.fuzz TARGET [--seconds N]``: fuzz one input."""

import argparse
from pathlib import Path

from tests.fuzz import engines

_CORPUS = Path(__file__).with_name("corpus")


def main() -> None:
    """Run a target until its time ends or it finds an error, which exits with a status above 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    names = sorted(path.name for path in _CORPUS.iterdir())
    parser.add_argument("target", choices=names)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument(
        "--corpus", type=Path, default=_CORPUS, help="directory with one of each target"
    )
    parser.add_argument(
        "--engine",
        choices=("atheris", "hypothesis"),
        default="atheris" if engines.has_atheris() else "hypothesis",
        help="atheris where it is installed (default: %(default)s)",
    )
    asked = parser.parse_args()
    corpus = asked.corpus / asked.target
    if asked.engine == "atheris":
        engines.by_coverage(asked.target, corpus, asked.seconds)
        return
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415  atheris has to import it itself

    count = engines.by_chance_for(TARGETS[asked.target], corpus, asked.seconds)
    print(f"{asked.target}: {count} cases, no failure")  # noqa: T201  the result of the command


if __name__ == "__main__":
    main()
