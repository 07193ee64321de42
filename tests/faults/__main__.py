"""Play every fault in every phase, and write the table in docs/reliability.md anew."""

from tests.faults.table import update

update()
