"""The table of tested versions, from manifests of each kind."""

import json
from pathlib import Path

import pytest

from tools.versions import table

MANIFESTS = {
    "pyproject.toml": """\
[dependency-groups]
test = ["pinned==1.2.3", "with-epoch==17!4.5", "any>=2", { include-group = "lint" }]
lint = []
clients = ["direct==6.1"]
""",
    "tests/conformance/clients/requirements.txt": """\
direct==6.1 \\
    --hash=sha256:00
alibabacloud-gateway-sls==6.2 ; python_version > '3' \\
    --hash=sha256:00
below==6.3 \\
    --hash=sha256:00
""",
    "tests/conformance/npm/package-lock.json": json.dumps(
        {
            "packages": {
                "": {"dependencies": {"@scope/direct": "^7"}},
                "node_modules/@scope/direct": {"version": "7.1.0"},
                "node_modules/@alicloud/gateway-sls": {"version": "7.2.0"},
                "node_modules/below": {"version": "7.3.0"},
                "node_modules/below/node_modules/@scope/direct": {"version": "6.0.0"},
            }
        }
    ),
    "tests/conformance/servers/go.mod": """\
module servers

go 1.26.7

tool (
	github.com/prometheus/prometheus/cmd/promtool
	example.com/v2/tool
)

tool example.com/alone/cmd/tool

require example.com/direct v1.0.0

require (
	github.com/other/imported v8.2.0 // indirect
	github.com/prometheus/prometheus v0.316.2 // indirect
	example.com/alone v3.0.0 // indirect
	example.com/below v1.1.0 // indirect
	example.com/v2/tool v2.0.0+incompatible // indirect
	example.com/v v9.0.0 // indirect
)
""",
    "tests/conformance/servers/program/main.go": 'import (\n\t"github.com/other/imported/web"\n)',
    "tests/conformance/one/go.mod": """\
module one

tool github.com/one/tool/cmd/tool

require (
	github.com/one/tool v3.0.0 // indirect
	github.com/one/below v3.1.0 // indirect
)
""",
    "tests/conformance/java/pom.xml": """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <dependencies>
    <dependency>
      <groupId>com.example</groupId><artifactId>library</artifactId><version>0.6.41</version>
    </dependency>
  </dependencies>
  <build><plugins><plugin>
    <groupId>org.plugins</groupId><artifactId>plugin</artifactId><version>1</version>
  </plugin></plugins></build>
</project>
""",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in MANIFESTS.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_table_has_direct_dependencies_and_signers_of_every_manifest(tree: Path) -> None:
    rows = [line.split(" | ")[:2] for line in table(tree).splitlines()[2:]]
    assert [(package.strip("| `"), version) for package, version in rows] == [
        ("@alicloud/gateway-sls", "7.2.0"),
        ("@scope/direct", "7.1.0"),
        ("alibabacloud-gateway-sls", "6.2"),
        ("com.example:library", "0.6.41"),
        ("direct", "6.1"),
        ("example.com/alone", "3.0.0"),
        ("example.com/direct", "1.0.0"),
        ("example.com/v2/tool", "2.0.0+incompatible"),
        ("github.com/one/tool", "3.0.0"),
        ("github.com/other/imported", "8.2.0"),
        ("github.com/prometheus/prometheus", "3.16.2"),
        ("pinned", "1.2.3"),
        ("with-epoch", "4.5"),
    ]


@pytest.mark.parametrize("name", [name for name in MANIFESTS if not name.endswith(".go")])
def test_table_links_each_manifest(name: str, tree: Path) -> None:
    assert f"| [`{name}`](../{name}) |" in table(tree)
