"""Reading a configuration: from a file or a text to a ``Config``, or every reason why not."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from exporter.base.files import MIB, read
from exporter.base.text import printable
from exporter.config.checks import check
from exporter.config.compose import compose, text_position
from exporter.config.document import BROKEN, Document
from exporter.config.problems import ConfigError, Fault, Position, Problem, path_text
from exporter.config.schema import Config
from exporter.config.validation import problems_of, shown_path

MAX_FILE_BYTES = 64 * MIB
_MOST_FAULTS = 1000
_START = Position(line=1, column=1)


def load(path: Path, *, environ: Mapping[str, str]) -> Config:
    """Read a file; relative paths in it start at its directory. Raises ConfigError only."""
    try:
        content = read(path, MAX_FILE_BYTES, regular=False)  # such as /dev/stdin
    except OSError as error:
        failure = f"cannot be read: {error.strerror}"
    else:
        return parse(content, name=str(path), environ=environ, base_dir=path.parent)
    raise ConfigError((_fault(str(path), _whole(failure)),))


def parse(text: str | bytes, *, name: str, environ: Mapping[str, str], base_dir: Path) -> Config:
    """Read a text, called ``name`` in messages; relative paths in it start at ``base_dir``.

    Raises ConfigError only, with every fault of the text.
    """
    config, problems = _read(text, environ, base_dir)
    if config is not None and not problems:
        return config
    raise ConfigError(_faults(name, problems))


def _read(
    text: str | bytes, environ: Mapping[str, str], base_dir: Path
) -> tuple[Config | None, list[Problem]]:
    decoded = _decode(text)
    if isinstance(decoded, Problem):
        return None, [decoded]
    document = compose(decoded)
    problems = list(document.problems)
    if not document.complete:
        return None, problems
    data, unexpanded = document.plain(environ)
    problems += unexpanded
    if not isinstance(data, dict):
        if data is not BROKEN:
            problems.append(_whole(_not_a_mapping(data)))
        return None, problems
    # A value that could not be read needs no second fault for being no proper value.
    reported = {(problem.path, problem.position) for problem in problems}
    config, invalid = _validated(data, base_dir, document)
    problems += (problem for problem in invalid if (problem.path, problem.position) not in reported)
    return config, problems


def _validated(
    data: dict[str, object], base_dir: Path, document: Document
) -> tuple[Config | None, list[Problem]]:
    config: Config | None = None
    problems: list[Problem] = []
    try:
        config = Config.model_validate(data, context=base_dir)
    except ValidationError as error:
        problems += problems_of(error, data, document)
    for finding in check(data):
        message = finding.message
        if finding.first is not None:
            line = document.position(finding.first).line
            message += f" at line {line} ({path_text(finding.first)})"
        place = document.position(finding.path)
        problems.append(Problem(path=finding.path, message=message, position=place))
    return config, problems


def _decode(text: str | bytes) -> str | Problem:
    if len(text) > MAX_FILE_BYTES:
        return _whole(f"larger than {MAX_FILE_BYTES // MIB} MiB")
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = text[: error.start].decode("utf-8-sig")
        return Problem(
            path=(),
            message=f"byte 0x{text[error.start]:02x} is not UTF-8; save the file as UTF-8",
            position=text_position(good, len(good)),
        )


def _not_a_mapping(data: object) -> str:
    if data is None:
        return "the document is empty; at least the key projects is required"
    kind = "text" if isinstance(data, str) else "a list"
    return f"expected a mapping with the key projects, found {kind}"


def _whole(message: str) -> Problem:
    return Problem(path=(), message=message, position=_START)


def _faults(name: str, problems: list[Problem]) -> tuple[Fault, ...]:
    # An alias can bring the same fault of the same line many times.
    unique = sorted(dict.fromkeys(problems), key=lambda p: (p.position.line, p.position.column))
    shown = unique[:_MOST_FAULTS]
    if len(unique) > len(shown):
        message = f"{len(unique) - len(shown)} more faults are not listed"
        last = shown[-1].position
        shown.append(Problem(path=(), message=message, position=last))
    return tuple(_fault(name, problem) for problem in shown)


def _fault(name: str, problem: Problem) -> Fault:
    return Fault(
        file=printable(name),
        line=problem.position.line,
        column=problem.position.column,
        path=path_text(shown_path(problem.path)),
        message=problem.message,
    )
