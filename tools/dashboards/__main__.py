"""Write the dashboards into the Helm chart."""

from tools.dashboards import FOLDER, build

FOLDER.mkdir(exist_ok=True)
for name, text in build().items():
    (FOLDER / name).write_text(text, encoding="utf-8")
