"""The number of polled consumer groups that match each item of ``logstores`` in the configuration.

An item without any may contain a typing error, so that something is not watched.
"""

from collections.abc import Iterable, Mapping

from exporter.config.problems import path_text
from exporter.config.selectors import Selectors
from exporter.logs.logger import Logger
from exporter.polling.targets import Target


def count_matches(
    selectors: Selectors, targets: Iterable[Target], *, is_complete: bool
) -> Mapping[str, int]:
    """Return the number of groups of ``targets`` that match each item, by its place in the file.

    An item counts at all of its endpoints together, and also if an earlier one decides. If targets
    may be missing, items without groups are left out.
    """
    counts = {path_text(each.path): 0 for owner in selectors.projects for each in owner.all}
    for target in targets:
        logstore = target.key.logstore
        for owner in selectors.of_project(*target.key.project_key):
            for selector in owner.matching(logstore):
                if not selector.excludes_logstore(logstore):
                    found = [group for group in target.groups if selector.find(group.name)]
                    counts[path_text(selector.path)] += len(found)
    return {item: count for item, count in counts.items() if count or is_complete}


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
