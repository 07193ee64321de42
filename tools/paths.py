"""Paths in the project, for tools, tests and benchmarks."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHART = ROOT / "helm" / "sls-exporter"
RULES = ROOT / "exporter" / "rules" / "sls-exporter.rules.yaml"
CHINESE_RULES = RULES.with_name("sls-exporter.zh-CN.rules.yaml")
NO_KEEP_FIRING_RULES = RULES.with_name("sls-exporter.no-keep-firing.rules.yaml")
