"""Write the truth table in docs/truth.md anew."""

from exporter.logs.logger import configure
from tests.truth.table import update

# Polls fail in some scenes, and it is told.
configure(level="error", log_format="logfmt")
update()
