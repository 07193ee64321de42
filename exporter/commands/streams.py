"""The standard streams: always open, able to write any text, and checked for lost output."""

import contextlib
import io
import os
import sys

_STANDARD = (0, 1, 2)


def prepare_streams() -> None:
    """Open closed streams, and escape characters that the encoding of a terminal lacks.

    Without this, the next file or socket would get the number of a closed stream.
    """
    for number in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # The lowest free number is that of the stream.
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  a stream
    sys.stdout = sys.stdout or _writer(1)
    sys.stderr = sys.stderr or _writer(2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush_output() -> None:
    """Write the rest of the output. Exits with status 1 if that fails."""
    try:
        sys.stdout.flush()
    except OSError as error:
        sys.exit(give_up_output(error))


def give_up_output(error: OSError) -> int:
    """Report that the output cannot be written, drop the rest of it, and return the exit status.

    Nothing is reported if the reader has closed the pipe.
    """
    # Python flushes the stream again at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if not isinstance(error, BrokenPipeError):
        reason = os.strerror(error.errno or 0).lower()
        with contextlib.suppress(OSError):
            sys.stderr.write(f"sls-exporter: cannot write the output: {reason}\n")
    return 1


def _writer(number: int) -> io.TextIOWrapper:
    return open(number, "w", encoding="utf-8", closefd=False)
