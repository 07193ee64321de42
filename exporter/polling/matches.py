"""The number of polled consumer groups that match each item of ``logstores`` in the configuration.

An item without any may contain a typing error, so that something is not watched.
"""

from collections.abc import Iterable, Iterator, Mapping

from exporter.config.problems import path_text
from exporter.config.selectors import Selector, Selectors
from exporter.logs.logger import Logger
from exporter.model.names import EntryKey
from exporter.polling.targets import Target


def count_matches(
    selectors: Selectors, targets: Iterable[Target], unread: Iterable[EntryKey] | None
) -> Mapping[str, int]:
    """Return the number of groups of ``targets`` that match each item, by its place in the file.

    An item counts at all of its endpoints together, and also if an earlier one decides. An item
    without groups is left out if an ``unread`` listing may find some; None means that any may.
    """
    counts = {path_text(each.path): 0 for owner in selectors.projects for each in owner.all}
    for target in targets:
        for selector in _items(selectors, *target.key):
            found = [group for group in target.groups if selector.find(group.name)]
            counts[path_text(selector.path)] += len(found)
    if unread is None:
        return {item: count for item, count in counts.items() if count}
    uncertain = {path_text(each.path) for entry in unread for each in _items(selectors, *entry)}
    return {item: count for item, count in counts.items() if count or item not in uncertain}


def _items(selectors: Selectors, endpoint: str, project: str, logstore: str) -> Iterator[Selector]:
    """Yield the items that select a logstore, or that listings of projects or logstores concern."""
    of_listing = (
        each
        for each in selectors.projects
        if str(each.settings.endpoint) == endpoint and not each.project.project.literal
    )
    for owner in selectors.of_project(endpoint, project) if project else of_listing:
        for selector in owner.matching(logstore) if logstore else owner.all:
            if not logstore or not selector.excludes_logstore(logstore):
                yield selector


class MatchReports:
    """The items without groups. Those that begin and those that end are logged."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._without: frozenset[str] = frozenset()

    def report(self, matches: Mapping[str, int]) -> None:
        """Log the items that match nothing any more, and those that match something again."""
        before = self._without
        self._without = frozenset(item for item, count in matches.items() if not count)
        for item in sorted(self._without - before):
            self._log.warning("item of the configuration matches no consumer group", item=item)
        for item in sorted(before - self._without):
            if item in matches:
                self._log.info("item of the configuration matches consumer groups", item=item)
