"""The configuration as types: the name, the meaning and the default of each key.

The descriptions and the docstrings of sections are part of the JSON Schema. The module ``checks``
finds problems that involve more than one value.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidatorFunctionWrapHandler, WrapValidator

from exporter.config.credentials import CredentialsConfig
from exporter.config.labels import LabelMap
from exporter.config.patterns import Pattern
from exporter.config.validation import Section
from exporter.config.values import (
    Boolean,
    CaFile,
    Duration,
    EndpointText,
    Interval,
    Name,
    PatternText,
    ProjectName,
    Rate,
    Region,
    Series,
    Shard,
    Workers,
    choice_schema,
    parse_name,
)
from exporter.model.snapshot import DEFAULT_SETTINGS

Signature = Annotated[Literal["v1", "v4"], choice_schema("v1", "v4")]
Granularity = Annotated[Literal["shard", "group"], choice_schema("shard", "group")]


def _without_defaults(schema: dict[str, Any]) -> None:
    for key in schema["properties"].values():
        del key["default"]


class PollingConfig(Section):
    """Polling of logstores, which does not depend on scrapes."""

    interval: Interval = Field(
        60.0,
        description="Time between two polls of a logstore; at least 100ms.",
        json_schema_extra={"default": "60s"},
    )
    timeout: Duration = Field(
        10.0, description="Time limit of one API request.", json_schema_extra={"default": "10s"}
    )
    stale_after: Duration = Field(
        180.0,
        description="Time for which the last successful result is served while polls fail. Then its"
        " series are dropped. At least the interval. The default is three intervals if that is"
        " longer.",
        json_schema_extra={"default": "3m"},
    )
    workers: Workers = Field(
        8, description="Number of requests per project under way at the same time, 1 to 1000."
    )
    requests_per_second: Rate = Field(
        100.0,
        description="Maximum number of API requests per second and project. The rate begins at 10,"
        " rises if the polls need it, and falls after a refusal.",
    )


class ProjectPollingConfig(PollingConfig):
    """Polling of one project, where it differs from the rest."""

    # A key that is not set has the global value, so the schema must not show a default.
    model_config = ConfigDict(json_schema_extra=_without_defaults)


class DiscoveryConfig(Section):
    """Discovery of the names that patterns match."""

    interval: Interval = Field(
        300.0,
        description="Time between two discoveries of names that patterns match; at least 100ms.",
        json_schema_extra={"default": "5m"},
    )


class MetricsConfig(Section):
    """Series that are made of the results."""

    consumer_label: Boolean = Field(
        default=True, description="Whether series of a shard have the label consumer."
    )
    granularity: Granularity = Field(
        "shard",
        description="shard: series for each shard; group: one series for all shards of a group.",
    )
    max_series: Series = Field(
        1_000_000,
        description="Maximum number of series of the metrics of shards, in either granularity."
        " Groups beyond it have none.",
    )


class HttpConfig(Section):
    """Connections to the API."""

    ca_file: CaFile | None = Field(
        None,
        description="PEM file of the authorities to trust instead of the usual ones; loaded again"
        " when it changes.",
    )
    proxy_from_environment: Boolean = Field(
        default=False,
        description="Whether HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are used.",
    )


class GroupConfig(Section):
    """Consumer groups by name, and their settings. A name alone is a short form."""

    name: Name = Field(description="Name of the consumer group, an anchored regular expression.")
    stall_after: Duration | None = Field(
        None, description="Time after which a shard of these groups counts as stalled."
    )
    lag_limit: Duration | None = Field(
        None, description="Lag of these groups that is too high, for the alert."
    )
    labels: LabelMap = Field({}, description="Labels of the series of these groups.")

    @property
    def has_settings(self) -> bool:
        """True if there is more than a name."""
        return self.model_fields_set != {"name"}


def _group(value: object, handler: ValidatorFunctionWrapHandler) -> GroupConfig:
    """Read a name alone as a group without settings."""
    if isinstance(value, dict):
        group: GroupConfig = handler(value)
        return group
    return GroupConfig.model_construct(name=parse_name(value))


GroupItem = Annotated[GroupConfig, WrapValidator(_group, PatternText | GroupConfig)]


class LogstoreConfig(Section):
    """Logstores by name, and the consumer groups to watch in them."""

    logstore: Name = Field(description="Name of the logstore, an anchored regular expression.")
    consumer_groups: tuple[GroupItem, ...] = Field(
        min_length=1,
        description="Consumer groups: names, which are anchored regular expressions, or sections"
        " with a name and settings.",
    )
    exclude_consumer_groups: tuple[Name, ...] = Field(
        (), description="Names of consumer groups to leave out, anchored regular expressions."
    )
    shards: tuple[Shard, ...] | None = Field(
        None, min_length=1, description="Numbers of the shards to watch. If absent, all."
    )
    consumers: tuple[Name, ...] | None = Field(
        None,
        min_length=1,
        description="Owners whose shards are shown even in order, anchored regular expressions.",
    )
    exclude_consumers: tuple[Name, ...] = Field(
        (),
        description="Owners whose shards are left out while in order, anchored regular"
        " expressions.",
    )
    stall_after: Duration | None = Field(
        None, description="Time after which a shard of these groups counts as stalled."
    )
    lag_limit: Duration | None = Field(
        None, description="Lag of these groups that is too high, for the alert."
    )
    labels: LabelMap = Field({}, description="Labels of the series of these logstores and groups.")

    @property
    def group_names(self) -> tuple[Pattern, ...]:
        """The names of the consumer groups."""
        return tuple(group.name for group in self.consumer_groups)


class ProjectConfig(Section):
    """A project, or all that a pattern matches, with the logstores to watch."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["endpoint"]}, {"required": ["endpoints"]}]}
    )

    project: ProjectName = Field(description="Name of the project, an anchored regular expression.")
    endpoint: EndpointText | None = Field(
        None,
        description="Host of the service, such as cn-shanghai.log.aliyuncs.com; https unless a"
        " scheme is given. Required unless there are endpoints.",
    )
    endpoints: tuple[EndpointText, ...] | None = Field(
        None,
        min_length=1,
        description="Several hosts, in place of one item for each. Each item has a label region, if"
        " the name of its host contains the region.",
    )
    region: Region | None = Field(
        None,
        description="Region for signature v4. Required if the endpoint's name does not contain it.",
    )
    credentials: CredentialsConfig | None = Field(
        None,
        description="Access key for this project, in place of the global one, or a role to assume"
        " with the global one.",
    )
    signature: Signature | None = Field(None, description="Signature version for this project.")
    polling: ProjectPollingConfig = Field(
        default_factory=ProjectPollingConfig, description="Polling of this project."
    )
    lag: Boolean | None = Field(None, description="Whether this project's end cursors are read.")
    stall_after: Duration | None = Field(
        None, description="Time after which a shard of this project counts as stalled."
    )
    lag_limit: Duration | None = Field(
        None, description="Lag of this project's groups that is too high, for the alert."
    )
    labels: LabelMap = Field({}, description="Labels of the series of this project.")
    http: HttpConfig = Field(default_factory=HttpConfig, description="Connections to this project.")
    logstores: tuple[LogstoreConfig, ...] = Field(min_length=1, description="Logstores to watch.")
    exclude_logstores: tuple[Name, ...] = Field(
        (), description="Names of logstores to leave out, anchored regular expressions."
    )


class Config(Section):
    """Configuration file of sls-exporter."""

    credentials: CredentialsConfig | None = Field(
        None, description="Access key. If absent, keys come from the environment of the process."
    )
    signature: Signature = Field("v1", description="Version of the signature of API requests.")
    polling: PollingConfig = Field(
        default_factory=PollingConfig, description="Polling of logstores."
    )
    discovery: DiscoveryConfig = Field(
        default_factory=DiscoveryConfig, description="Settings of discovery."
    )
    lag: Boolean = Field(
        default=True, description="Whether end cursors are read too, for lag and stalled shards."
    )
    stall_after: Duration = Field(
        DEFAULT_SETTINGS.stall_after,
        description="Time after which a shard that is behind and does not move counts as stalled.",
        json_schema_extra={"default": "5m"},
    )
    lag_limit: Duration = Field(
        DEFAULT_SETTINGS.lag_limit,
        description="Lag of a consumer group that is too high, for the alert SLSConsumerLagHigh.",
        json_schema_extra={"default": "10m"},
    )
    labels: LabelMap = Field(
        {}, description="Labels of all series of consumer groups and logstores."
    )
    metrics: MetricsConfig = Field(
        default_factory=MetricsConfig, description="Series that are exported."
    )
    http: HttpConfig = Field(
        default_factory=HttpConfig, description="Settings of connections to the API."
    )
    projects: tuple[ProjectConfig, ...] = Field(min_length=1, description="Projects to watch.")
    exclude_projects: tuple[ProjectName, ...] = Field(
        (), description="Names of projects to leave out, anchored regular expressions."
    )
