"""Writer of every generated file: ``make generate``, or ``python -m tools.generate [FILE …]``.

A file of ``PLAYED`` is written only if it is named, because that takes minutes. The tests compare
the files with what would be written.
"""

import sys
from collections.abc import Callable, Mapping, Sequence

from exporter.logs.logger import configure
from tests.simulation.faults import table as fault_matrix
from tests.simulation.truth import table as truth_table
from tests.support import toolkit_examples
from tools import chart, rules, versions
from tools.dashboards import exporter_itself, group, overview
from tools.dashboards.frame import to_json
from tools.mutants import table as mutants
from tools.paths import ROOT

GENERATED: Mapping[str, Callable[[], str]] = {
    "docs/compatibility.md": versions.page,
    "docs/testing.md": mutants.page,
    "docs/web-configuration.md": toolkit_examples.page,
    "exporter/rules/sls-exporter.no-keep-firing.rules.yaml": rules.without_keep_firing,
    "exporter/rules/sls-exporter.zh-CN.rules.yaml": rules.chinese,
    "helm/sls-exporter/README.md": chart.readme,
    "helm/sls-exporter/dashboards/exporter.json": lambda: to_json(exporter_itself.dashboard()),
    "helm/sls-exporter/dashboards/group.json": lambda: to_json(group.dashboard()),
    "helm/sls-exporter/dashboards/overview.json": lambda: to_json(overview.dashboard()),
    "helm/sls-exporter/files/sls-exporter.rules.yaml": rules.source,
    "helm/sls-exporter/files/sls-exporter.zh-CN.rules.yaml": rules.chinese,
    "helm/sls-exporter/values.schema.json": chart.schema,
}
PLAYED: Mapping[str, Callable[[], str]] = {
    "docs/reliability.md": fault_matrix.page,
    "docs/truth.md": truth_table.page,
}
"""Files with a table of what the exporter did in a simulation."""


def main(names: Sequence[str]) -> int:
    """Write the named files, or all of ``GENERATED`` if no name is given."""
    functions = {**GENERATED, **PLAYED}
    unknown = [name for name in names if name not in functions]
    if unknown:
        sys.stderr.write(f"not generated: {', '.join(unknown)}; known: {', '.join(functions)}\n")
        return 2
    # Some scenes have failing polls, whose warnings would clutter the output.
    configure(level="error", log_format="logfmt")
    for name in names or GENERATED:
        (ROOT / name).write_text(functions[name](), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
