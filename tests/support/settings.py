"""Settings of a project, with defaults for keys that a test does not need."""

from exporter.config.schema import HttpConfig, PollingConfig, Signature
from exporter.config.settings import ProjectSettings
from exporter.model.endpoint import Endpoint


def project_settings(
    endpoint: str = "cn-shanghai.log.aliyuncs.com",
    *,
    signature: Signature = "v1",
    region: str | None = None,
    lag: bool = True,
    **polling: float,
) -> ProjectSettings:
    """Make settings without credentials; ``polling`` are keys of that section, in seconds."""
    return ProjectSettings(
        endpoint=Endpoint.parse(endpoint),
        region=region,
        credentials=None,
        signature=signature,
        polling=PollingConfig().model_copy(update=polling),
        lag=lag,
        http=HttpConfig(),
    )
