"""The entry point of ``sls-exporter`` and of ``python -m exporter``; only it exits."""

import sys

from exporter import cli


def main() -> None:
    """Run the command line and exit with its status."""
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
