"""Hooks that send warnings and uncaught exceptions to the logs instead of plain stderr."""

import logging
import sys
import threading
import warnings
from types import TracebackType
from typing import TextIO

_LOG = logging.getLogger("python")


def install() -> None:
    """Install hooks that log warnings and uncaught exceptions."""
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _uncaught_in_thread
    warnings.showwarning = _warning


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _LOG.critical("uncaught exception", exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if issubclass(args.exc_type, SystemExit):
        return
    name = args.thread.name if args.thread else ""
    error = args.exc_value or args.exc_type()
    _LOG.error("uncaught exception in a thread", exc_info=error, extra={"facts": {"thread": name}})


def _unraisable(args: "sys.UnraisableHookArgs") -> None:
    # Log the type instead of the object, because the object's __repr__ can be the cause.
    place = type(args.object).__qualname__
    text = args.err_msg or "exception ignored"
    _LOG.error(text, exc_info=args.exc_value, extra={"facts": {"object": place}})


def _warning(  # noqa: PLR0917  the signature of warnings.showwarning
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001  part of the signature
    line: str | None = None,  # noqa: ARG001  part of the signature
) -> None:
    facts = {"category": category.__name__, "place": f"{filename}:{lineno}"}
    _LOG.warning(str(message), extra={"facts": facts})
