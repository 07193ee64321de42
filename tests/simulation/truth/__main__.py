"""Script that updates the truth table in docs/truth.md."""

from exporter.logs.logger import configure
from tests.simulation.truth.table import update

# Some scenes have failing polls, whose warnings would clutter the output.
configure(level="error", log_format="logfmt")
update()
