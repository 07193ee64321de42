"""The entry point of ``sls-exporter`` and of ``python -m exporter``; only it exits."""

import gc
import os
import sys


def main() -> None:
    """Run the command line and exit with its status."""
    # None is wanted, and pydantic would look for them in every package that is installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # What is imported stays; to look through it for garbage again and again takes a while.
    gc.disable()
    from exporter.commands import cli  # noqa: PLC0415  what that saves is most of it here

    gc.freeze()
    gc.enable()
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
