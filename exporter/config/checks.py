"""Checks across values: exclusive keys, repeated targets, missing regions.

The checks work on plain data and skip invalid values. Their problems are therefore reported
together with those of single values.
"""

from collections.abc import Iterator, Mapping

from exporter.base.durations import format_duration, parse_duration
from exporter.base.text import Expanded, quoted
from exporter.config.credentials import ROLE_FIELDS
from exporter.config.patterns import is_literal
from exporter.config.problems import KeyPath, Problem
from exporter.config.schema import PollingConfig
from exporter.model.endpoint import Endpoint

_KEY_FIELDS = ("access_key_id", "access_key_secret", "security_token")
_PAIR = {"interval", "stale_after"}


def check(data: Mapping[str, object]) -> Iterator[Problem]:
    """Yield the problems between values, in no particular order and possibly with repetitions."""
    yield from _credentials(data, ())
    yield from _repeated_logstores(data)
    for index, project in _mappings(data, "projects"):
        path = ("projects", index)
        yield from _credentials(project, path)
        yield from _stale_after(data, project, path)
        yield from _region(data, project, path)
        yield from _project_in_endpoint(project, path)
        yield from _endpoints(project, path)
        for number, logstore in _mappings(project, "logstores"):
            yield from _repeated_groups(logstore, (*path, "logstores", number))


def _endpoints(project: Mapping[str, object], path: KeyPath) -> Iterator[Problem]:
    has_one, several = project.get("endpoint") is not None, project.get("endpoints")
    if several is None:
        if not has_one:
            message = "endpoint or endpoints is required"
            yield Problem(path=(*path, "endpoint"), message=message)
        return
    for key in ("endpoint", "region"):
        if project.get(key) is not None:
            message = f"excludes {key}, which is given too; keep one of the two"
            yield Problem(path=(*path, "endpoints"), message=message)
    first: dict[str, KeyPath] = {}
    for place, text in _endpoint_texts(project, path):
        other = first.setdefault(_usual(text), place)
        if other is not place:
            yield Problem(path=place, message="this endpoint is already listed", repeats=other)


def _endpoint_texts(project: Mapping[str, object], path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Yield the locations and the texts of the endpoints of a project."""
    one, several = project.get("endpoint"), project.get("endpoints")
    if isinstance(one, str):
        yield (*path, "endpoint"), one
    for index, text in enumerate(several if isinstance(several, list) else ()):
        if isinstance(text, str):
            yield (*path, "endpoints", index), text


def _parsed(text: str) -> Endpoint | None:
    try:
        return Endpoint.parse(text)
    except ValueError:
        return None


def _usual(text: str) -> str:
    """Return an endpoint in its usual form, or the original text if it is not valid."""
    return str(_parsed(text) or text)


def _credentials(owner: Mapping[str, object], path: KeyPath) -> Iterator[Problem]:
    keys = owner.get("credentials")
    if not isinstance(keys, dict):
        return
    path = (*path, "credentials")
    present = {key for key, value in keys.items() if value is not None}
    if "role_arn" not in present:
        for key in present & {*ROLE_FIELDS}:
            yield Problem(path=(*path, key), message="needs role_arn, the role to assume")
    given = sorted(present & {*_KEY_FIELDS, *(f"{key}_file" for key in _KEY_FIELDS)})
    if "profile" in present and given:
        message = f"excludes {given[0]}, which is given too; keep one of the two"
        yield Problem(path=(*path, "profile"), message=message)
    needs_key = "profile" not in present and (given or "role_arn" not in present)
    for key in _KEY_FIELDS:
        twin = f"{key}_file"
        if {key, twin} <= present:
            message = f"excludes {key}, which is given too; keep one of the two"
            yield Problem(path=(*path, twin), message=message)
        elif needs_key and key != "security_token" and not {key, twin} & present:
            yield Problem(path=(*path, key), message=f"{key} or {twin} is required")


def _stale_after(
    data: Mapping[str, object], project: Mapping[str, object], path: KeyPath
) -> Iterator[Problem]:
    base, own = _polling(data), _polling(project)
    interval = _seconds("interval", own, base)
    if own.get("stale_after") is None and base.get("stale_after") is None:
        return  # its default grows with the interval
    stale_after = _seconds("stale_after", own, base)
    if interval is None or stale_after is None or stale_after >= interval:
        return
    # If the project sets neither key, the problem is in the global section. It is then found again
    # for each project.
    place, keys = ((*path, "polling"), own) if own.keys() & _PAIR else (("polling",), base)
    if keys.get("stale_after") is not None:
        message = f"must not be shorter than the interval, which is {format_duration(interval)}"
        yield Problem(path=(*place, "stale_after"), message=message)
    else:
        message = (
            f"must not be longer than stale_after, which is {format_duration(stale_after)};"
            " set stale_after too"
        )
        yield Problem(path=(*place, "interval"), message=message)


def _seconds(key: str, *places: Mapping[str, object]) -> float | None:
    for place in places:
        value = place.get(key)
        if value is not None:
            try:
                return parse_duration(value) if isinstance(value, str) else None
            except ValueError:
                return None
    default: float = PollingConfig.model_fields[key].default
    return default


def _region(
    data: Mapping[str, object], project: Mapping[str, object], path: KeyPath
) -> Iterator[Problem]:
    signature = project.get("signature") or data.get("signature")
    if signature != "v4" or project.get("region") is not None:
        return
    for place, text in _endpoint_texts(project, path):
        endpoint = _parsed(text)
        if endpoint is not None and endpoint.region is None:
            where = (*path, "region") if "endpoint" in place else place
            message = "signature v4 requires a region, which the endpoint's name does not contain"
            yield Problem(path=where, message=message)


def _project_in_endpoint(project: Mapping[str, object], path: KeyPath) -> Iterator[Problem]:
    name = project.get("project")
    if not isinstance(name, str):
        return
    for place, text in _endpoint_texts(project, path):
        endpoint = _parsed(text)
        rest = endpoint and endpoint.without_project(name if is_literal(name) else None)
        if rest is not None:
            host = "the rest" if isinstance(text, Expanded) else str(rest).removeprefix("https://")
            message = f"already begins with a project's name, which the exporter adds; write {host}"
            yield Problem(path=place, message=message)


def _repeated_logstores(data: Mapping[str, object]) -> Iterator[Problem]:
    """Yield the plain logstores that an earlier item lists for the same endpoint and project."""
    targets: dict[tuple[str, str, str], KeyPath] = {}
    for index, project in _mappings(data, "projects"):
        name = project.get("project")
        endpoints = [_usual(text) for _, text in _endpoint_texts(project, ())]
        for number, logstore in _mappings(project, "logstores"):
            store = logstore.get("logstore")
            if not (isinstance(name, str) and isinstance(store, str)):
                continue
            if is_literal(name) and is_literal(store):
                place = ("projects", index, "logstores", number, "logstore")
                keys = {(endpoint, name, store) for endpoint in endpoints}
                first = min((targets[key] for key in keys & targets.keys()), default=None)
                targets |= dict.fromkeys(keys - targets.keys(), place)
                if first is not None:
                    message = (
                        f"logstore {quoted(store)} of project {quoted(name)} is already listed"
                    )
                    yield Problem(path=place, message=message, repeats=first)


def _repeated_groups(logstore: Mapping[str, object], path: KeyPath) -> Iterator[Problem]:
    groups = logstore.get("consumer_groups")
    if not isinstance(groups, list):
        return
    seen: dict[str, KeyPath] = {}
    for index, group in enumerate(groups):
        place: KeyPath = (*path, "consumer_groups", index)
        name = group
        if isinstance(group, dict):
            place, name = (*place, "name"), group.get("name")
        if isinstance(name, str) and is_literal(name):
            first = seen.setdefault(name, place)
            if first is not place:
                message = f"consumer group {quoted(name)} is already listed"
                yield Problem(path=place, message=message, repeats=first)


def _polling(owner: Mapping[str, object]) -> Mapping[str, object]:
    value = owner.get("polling")
    return value if isinstance(value, dict) else {}


def _mappings(owner: Mapping[str, object], key: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    value = owner.get(key)
    for index, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, dict):
            yield index, item
