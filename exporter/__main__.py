"""The entry point of ``sls-exporter`` and of ``python -m exporter``; only it exits."""

import gc
import os
import signal
import sys


def main() -> None:
    """Run the command line and exit with its status."""
    # A reload that is requested before the start is part of the start.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Ctrl-C ends the process without a traceback until a command handles it.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # There are no plugins. pydantic would look for them in every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Imported objects stay. Garbage collections during the imports take time and find nothing.
    gc.disable()
    from exporter.commands import cli  # noqa: PLC0415  imports are to be without garbage collection

    run = cli.prepare(sys.argv[1:])
    from exporter.commands.signals import exit_despite_threads  # noqa: PLC0415  not for --help

    gc.freeze()
    gc.enable()
    try:
        status = run()
    except Exception as error:  # noqa: BLE001  reported as by Python
        sys.excepthook(type(error), error, error.__traceback__)
        status = 1
    exit_despite_threads(status)


if __name__ == "__main__":
    main()
