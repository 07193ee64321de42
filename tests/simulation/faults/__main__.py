"""Script that injects every fault in every phase and updates the table in docs/reliability.md."""

from tests.simulation.faults.table import update

update()
