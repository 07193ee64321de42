"""The part of the explanation about settings of consumer groups: limits, labels and overlaps."""

from collections.abc import Iterator, Mapping, Sequence

from exporter.base.durations import format_duration
from exporter.config.labels import variables_of_replica
from exporter.config.overlaps import Overlap, hidden_groups
from exporter.config.patterns import Pattern
from exporter.config.problems import path_text
from exporter.config.schema import Config, GroupConfig, LogstoreConfig, ProjectConfig
from exporter.config.selectors import Selector
from exporter.config.settings import group_settings


def explain_project(config: Config, project: ProjectConfig, *, lag: bool) -> Iterator[str]:
    """Yield lines about the limits and labels of a project."""
    settings = group_settings(config, project)
    if lag:
        yield (
            "  a shard is stalled once it is behind and has not moved for "
            f"{format_duration(settings.stall_after)}"
        )
        yield f"  a lag above {format_duration(settings.lag_limit)} is too high"
    else:
        yield "  end cursors are not read: ages are known, but neither lag nor stalls"
    if settings.labels:
        yield f"  labels: {_pairs(dict(settings.labels))}"
    yield from _warnings_about("  ", {**config.labels, **project.labels})


def explain_groups(selector: Selector, found: Sequence[Overlap]) -> Iterator[str]:
    """Yield lines about the settings of an item of ``logstores``, and about its overlaps."""
    logstore = selector.logstore
    yield from _own("    these groups", logstore)
    for item in logstore.consumer_groups:
        if item.has_settings:
            yield from _own(f"    group {name_of(item.name)}", item)
    for item, first in hidden_groups(selector):
        yield (
            f"    warning: {name_of(item.name)} has no effect, because {name_of(first.name)} comes"
            " first and decides about its groups"
        )
    for overlap in found:
        place = path_text(overlap.earlier.path)
        if overlap.is_complete:
            yield f"    warning: has no effect, because {place} comes first and decides about all"
        elif overlap.different:
            keys = ", ".join(overlap.different)
            yield (
                f"    warning: overlaps with {place}, which decides about groups of both and has"
                f" other values of {keys}"
            )
        else:
            yield f"    overlaps with {place}, which decides about groups of both"


def explain_shared(earlier: Selector) -> Iterator[str]:
    """Yield a warning about an earlier item at another endpoint that can have the same series."""
    yield (
        f"    warning: logstores with the names of {path_text(earlier.path)} at"
        f" {earlier.project_settings.endpoint} are not polled here, because they would have the"
        " same series; set different labels, such as region"
    )


def name_of(pattern: Pattern) -> str:
    """Return a name for people."""
    return pattern.text if pattern.literal else f"like {pattern.text}"


def _own(subject: str, section: LogstoreConfig | GroupConfig) -> Iterator[str]:
    """Yield a line about the settings of a section, and warnings about its labels."""
    parts = []
    if section.stall_after is not None:
        parts.append(f"stalled after {format_duration(section.stall_after)}")
    if section.lag_limit is not None:
        parts.append(f"lag limit {format_duration(section.lag_limit)}")
    if section.labels:
        parts.append(f"labels {_pairs(section.labels)}")
    if parts:
        yield f"{subject}: {', '.join(parts)}"
    yield from _warnings_about("    ", section.labels)


def _warnings_about(indent: str, labels: Mapping[str, str]) -> Iterator[str]:
    for label, variable in variables_of_replica(labels).items():
        yield (
            f"{indent}warning: the label {label} contains {variable}, which can differ between"
            " replicas; alerts need the same labels from all replicas"
        )


def _pairs(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))
