"""All targets by name."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.fuzz import answers, credentials, exchange, labels, serving, settings

Target = Callable[[bytes], None]

CORPUS = Path(__file__).with_name("corpus")
TARGETS: Mapping[str, Target] = {
    "answers": answers.bodies,
    "checkpoints": answers.checkpoints,
    "config": settings.config,
    "config_values": settings.config_values,
    "exchange": exchange.exchange,
    "flags": settings.flags,
    "key_answers": credentials.key_answers,
    "key_environment": credentials.key_environment,
    "key_exchange": exchange.key_exchange,
    "key_files": credentials.key_files,
    "labels": labels.labels,
    "requests": serving.requests,
    "values": settings.values,
    "web_config": settings.web_config,
}


def seeds(name: str) -> list[bytes]:
    """Return the corpus of a target, in a fixed order."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
