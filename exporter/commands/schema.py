"""The command that prints the JSON Schema of the configuration file."""

import json
import sys

from exporter.commands.flags import Flags
from exporter.config.json_schema import json_schema


def print_schema(_flags: Flags) -> int:
    """Print the schema."""
    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
    return 0
