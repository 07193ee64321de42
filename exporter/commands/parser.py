"""Parsing of flags with argparse: defaults from the environment, and errors of one line."""

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Self

from exporter.base.text import bounded, masked

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

_ERROR_LIMIT = 1000
_USAGE_ERROR = 2


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and a hint.

    The line is truncated, and has no control characters and no words in the format of a secret.
    """

    def error(self, message: str) -> NoReturn:
        """Exit with an error."""
        line = bounded(masked(f"{self.prog}: {message}"), _ERROR_LIMIT)
        self.exit(_USAGE_ERROR, f"{line}\nRun '{self.prog} --help' for help.\n")

    def _print_message(self, message: str, file: "SupportsWrite[str] | None" = None) -> None:
        """Write a message. The base class ignores failures."""
        (file or sys.stderr).write(message)


class FlagAdder:
    """A callable that adds flags to a command, with defaults from the environment if they exist.

    If ``only_help`` is true, the flags are shown, but they do not set a value.
    """

    def __init__(
        self,
        command: "argparse.ArgumentParser | argparse._ArgumentGroup",
        environ: Mapping[str, str],
        *,
        only_help: bool = False,
    ) -> None:
        self._command = command
        self._environ = environ
        self._only_help = only_help

    def __call__(
        self,
        flag: str,
        read: Callable[[str], object],
        *,
        default: object,
        **keywords: Any,  # noqa: ANN401  those of add_argument
    ) -> None:
        """Add a flag."""
        name = variable(flag)
        value = self._environ.get(name)
        if value:
            default = _FromVariable(value, name)
        self._command.add_argument(
            flag,
            dest=_dest(flag),
            type=_shown(read),
            default=argparse.SUPPRESS if self._only_help else default,
            **keywords,
        )


class Extend(argparse.Action):
    """An action that collects the values of a repeated flag. The first one replaces the default."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002  argparse's signature
        namespace: argparse.Namespace,
        values: Any,  # noqa: ANN401  argparse's signature
        option_string: str | None = None,  # noqa: ARG002  argparse's signature
    ) -> None:
        """Add the values of one flag to those of the flags before it."""
        known = getattr(namespace, self.dest)
        setattr(namespace, self.dest, (*(known if isinstance(known, tuple) else ()), *values))


def variable(flag: str) -> str:
    """Return the environment variable of a flag."""
    return f"SLS_EXPORTER_{_dest(flag).upper()}"


class _FromVariable(str):
    """A default from an environment variable, with the name of the variable for errors."""

    __slots__ = ("name",)
    name: str

    def __new__(cls, value: str, name: str) -> Self:
        made = super().__new__(cls, value)
        made.name = name
        return made


def _shown(read: Callable[[str], object]) -> Callable[[str], object]:
    """Return a converter for argparse that keeps the message of a ValueError.

    If the value is from an environment variable, the message begins with the name of the variable.
    """

    def convert(text: str) -> object:
        try:
            return read(text)
        except ValueError as error:
            origin = f"{text.name}: " if isinstance(text, _FromVariable) else ""
            raise argparse.ArgumentTypeError(f"{origin}{error}") from error

    return convert


def _dest(flag: str) -> str:
    return flag.removeprefix("--").replace(".", "_").replace("-", "_")
