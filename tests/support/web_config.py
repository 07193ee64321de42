"""Web configurations loaded once, without a server."""

from pathlib import Path

from exporter.web.config_file import WatchedWebConfig, WebConfig


def load_web_config(path: Path) -> WebConfig:
    """Read, check and prepare a web configuration file. Raises only ConfigError."""

    def fail(_: str, error: BaseException) -> None:
        raise error

    return WatchedWebConfig(path, fail).current()
