"""A check of plain names: two endpoints whose logstores would have the same series."""

from collections.abc import Iterator

from exporter.base.text import quoted
from exporter.config.patterns import any_matches
from exporter.config.problems import KeyPath, Problem
from exporter.config.schema import Config
from exporter.config.selectors import Selector, Selectors, decide
from exporter.model.snapshot import Labels

_Series = tuple[tuple[str, ...], Labels]


def same_series(config: Config) -> Iterator[Problem]:
    """Yield a problem for each plain logstore whose series another endpoint has as well.

    Logstores that only a listing can find are compared when they are discovered.
    """
    selectors = Selectors(config)
    first: dict[_Series, tuple[str, KeyPath]] = {}
    for owner in selectors.projects:
        project, endpoint = owner.project.project, str(owner.settings.endpoint)
        if not project.literal or any_matches(config.exclude_projects, project.text):
            continue
        for selector in owner.all:
            for series in _series(selectors, selector):
                path = (*selector.path, "logstore")
                other, place = first.setdefault(series, (endpoint, path))
                if other != endpoint:
                    yield _problem(selector, path, place)
                    break


def _problem(selector: Selector, path: KeyPath, first: KeyPath) -> Problem:
    """Return the problem of a logstore at ``path`` whose series are those at ``first``."""
    names = (
        f"logstore {quoted(selector.logstore.logstore.text)} of project"
        f" {quoted(selector.project.project.text)}"
    )
    if first == path:
        message = (
            f"{names} has the same series at two of these endpoints, because labels do not tell"
            " them apart; write an item with labels for each endpoint"
        )
        return Problem(path=(*path[:2], "endpoints"), message=message)
    message = (
        f"{names} has the same series at another endpoint; set different labels, such as region,"
        " here and"
    )
    return Problem(path=path, message=message, repeats=first)


def _series(selectors: Selectors, selector: Selector) -> Iterator[_Series]:
    """Yield the names and the labels of the series of a plain logstore and its plain groups."""
    project, logstore = selector.project.project.text, selector.logstore.logstore
    if not logstore.literal or selector.excludes_logstore(logstore.text):
        return
    endpoint = str(selector.project_settings.endpoint)
    owners = selectors.of_project(endpoint, project)
    matching = [each for owner in owners for each in owner.matching(logstore.text)]
    decisions = {name: decide(matching, logstore.text, name) for name in selector.plain_names}
    own = {name: each for name, each in decisions.items() if each and each.selector is selector}
    if own or selector.needs_listing:
        yield (project, logstore.text), selector.labels
    for name, decision in own.items():
        yield (project, logstore.text, name), decision.settings.labels
