"""Write the truth table in docs/truth.md anew."""

from tests.truth.table import update

update()
