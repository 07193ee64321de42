"""The JSON Schema of the configuration file."""

from typing import Any

from exporter.config.schema import Config


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the file before variables are expanded."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(mode="validation"),
    }
    cleaned: dict[str, Any] = _without_noise(schema)
    return {**cleaned, "title": "Configuration of sls-exporter"}


def _without_noise(node: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    """Return the schema without titles, which repeat names, and without defaults of null.

    A default of null would be misleading, because an absent key is not the same as null.
    """
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
