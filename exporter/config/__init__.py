"""The configuration file: its model, how it is read, and what is said when it cannot be.

Values are checked here once; what they lead to, such as keys or targets, is elsewhere.
"""

from exporter.config.faults import ConfigError, Fault
from exporter.config.models import (
    Config,
    CredentialsConfig,
    DiscoveryConfig,
    HttpConfig,
    LogstoreConfig,
    MetricsConfig,
    PollingConfig,
    ProjectConfig,
    ProjectPollingConfig,
    ProjectSettings,
)
from exporter.config.patterns import Pattern
from exporter.config.reader import load, parse
from exporter.config.schema import json_schema

__all__ = [
    "Config",
    "ConfigError",
    "CredentialsConfig",
    "DiscoveryConfig",
    "Fault",
    "HttpConfig",
    "LogstoreConfig",
    "MetricsConfig",
    "Pattern",
    "PollingConfig",
    "ProjectConfig",
    "ProjectPollingConfig",
    "ProjectSettings",
    "json_schema",
    "load",
    "parse",
]
