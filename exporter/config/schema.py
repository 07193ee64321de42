"""The JSON Schema of the configuration file, for editors."""

from typing import Any

from exporter.config.models import Config


def json_schema() -> dict[str, Any]:
    """Return the schema, draft 2020-12, of the file as an editor sees it: with variables in it."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(mode="validation"),
    }
    cleaned: dict[str, Any] = _without_noise(schema)
    return {**cleaned, "title": "Configuration of sls-exporter"}


def _without_noise(node: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    """Drop titles that repeat names, and nulls as defaults: an absent key is no null."""
    if isinstance(node, list):
        return [_without_noise(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _without_noise(item)
        for key, item in node.items()
        if not (key == "title" and isinstance(item, str))
        and not (key == "default" and item is None)
    }
