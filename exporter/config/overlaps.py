"""The overlaps between items of ``logstores``, of which the first item in the file decides.

Whether two patterns match a common name is decided by the plain text at their ends. If that does
not rule it out, they count as overlapping.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cache
from itertools import chain

from msgspec import Struct

from exporter.config.patterns import METACHARACTER, Pattern
from exporter.config.schema import GroupConfig
from exporter.config.selectors import Selector, Selectors

_EVERY_NAME = ".*"
_LONGEST_KEY = 64  # as long as the names of SLS
_LOGSTORE_KEYS = ("shards", "consumers", "exclude_consumers", "exclude_consumer_groups")
_PROJECT_KEYS = ("credentials", "region", "signature", "polling", "lag", "http")
_GROUP_KEYS = ("stall_after", "lag_limit", "labels")


class Overlap(Struct, frozen=True, kw_only=True):
    """An earlier item whose patterns can match the same consumer groups."""

    earlier: Selector
    different: tuple[str, ...]
    """The keys whose values differ."""
    is_complete: bool
    """Whether the earlier item decides about all groups, so that the later one has no effect."""


def may_meet(one: Pattern, other: Pattern) -> bool:
    """Return whether two names can match the same text. False is certain."""
    if one.literal:
        return other.matches(one.text)
    if other.literal:
        return one.matches(other.text)
    (start, end), (other_start, other_end) = _ends(one.text), _ends(other.text)
    return (start.startswith(other_start) or other_start.startswith(start)) and (
        end.endswith(other_end) or other_end.endswith(end)
    )


def covers(one: Pattern, other: Pattern) -> bool:
    """Return whether a name matches all that another matches. True is certain."""
    return one.matches(other.text) if other.literal else one.text in {other.text, _EVERY_NAME}


def overlaps(selectors: Selectors) -> Iterator[tuple[Selector, Sequence[Overlap]]]:
    """Yield each item of the configuration with the earlier items that it overlaps with."""
    before = _Before(lambda each: str(each.project_settings.endpoint))
    for owner in selectors.projects:
        for selector in owner.all:
            earlier = sorted(before.meeting(selector), key=lambda each: each.path)
            yield selector, [found for each in earlier if (found := _overlap(each, selector))]
            before.add(selector)


def hidden_groups(selector: Selector) -> Iterator[tuple[GroupConfig, GroupConfig]]:
    """Yield the groups of an item that never apply, each with an earlier one that decides."""
    patterns: list[GroupConfig] = []
    for item in selector.logstore.consumer_groups:
        first = next((each for each in patterns if covers(each.name, item.name)), None)
        if first is not None and selector.settings(first) != selector.settings(item):
            yield item, first
        if not item.name.literal:
            patterns.append(item)


def shared_series(selectors: Selectors) -> Iterator[tuple[Selector, Selector]]:
    """Yield items with the first earlier one at another endpoint that can have the same series."""
    before = _Before(lambda each: each.labels)
    for owner in selectors.projects:
        for selector in owner.all:
            endpoint = selector.project_settings.endpoint
            earlier = [
                each
                for each in before.meeting(selector)
                if each.project_settings.endpoint != endpoint
            ]
            if earlier:
                yield selector, min(earlier, key=lambda each: each.order)
            before.add(selector)


class _Before:
    """The items so far, grouped by a property.

    There can be thousands. They are found by the plain text at the start or the end of a name.
    """

    def __init__(self, group: Callable[[Selector], Hashable]) -> None:
        self._group = group
        self._equal: defaultdict[Hashable, list[Selector]] = defaultdict(list)
        self._longer: defaultdict[Hashable, list[Selector]] = defaultdict(list)

    def add(self, selector: Selector) -> None:
        group = self._group(selector)
        for number, text in enumerate(_plain_texts(selector)):
            self._equal[group, number, text].append(selector)
            for size in range(len(text)):
                self._longer[group, number, text[:size]].append(selector)

    def meeting(self, selector: Selector) -> Iterator[Selector]:
        """Yield the earlier items of the same group that can have the same names."""
        group = self._group(selector)
        candidates = [
            [
                self._longer.get((group, number, text), ()),
                *(self._equal.get((group, number, text[:n]), ()) for n in range(len(text) + 1)),
            ]
            for number, text in enumerate(_plain_texts(selector))
        ]
        fewest = min(candidates, key=lambda lists: sum(map(len, lists)))
        for each in chain.from_iterable(fewest):
            if may_meet(each.project.project, selector.project.project) and may_meet(
                each.logstore.logstore, selector.logstore.logstore
            ):
                yield each


def _plain_texts(selector: Selector) -> Iterator[str]:
    """Yield the plain text at each end of an item's names, from that end on."""
    for name in (selector.project.project, selector.logstore.logstore):
        start, end = (name.text, name.text) if name.literal else _ends(name.text)
        yield start[:_LONGEST_KEY]
        yield end[::-1][:_LONGEST_KEY]


def _overlap(earlier: Selector, later: Selector) -> Overlap | None:
    """Compare items whose logstores can be the same; None if they have no group in common."""
    pairs = list(_pairs(earlier, later))
    if not pairs:
        return None
    settings = {(earlier.settings(one), later.settings(other)) for one, other in pairs}
    compared = (
        *((key, earlier.project_settings, later.project_settings) for key in _PROJECT_KEYS),
        *((key, earlier.logstore, later.logstore) for key in _LOGSTORE_KEYS),
        *((key, one, other) for key in _GROUP_KEYS for one, other in settings),
    )
    different = [key for key, one, other in compared if getattr(one, key) != getattr(other, key)]
    return Overlap(
        earlier=earlier,
        different=tuple(dict.fromkeys(different)),
        is_complete=_covers_all(earlier, later),
    )


def _pairs(earlier: Selector, later: Selector) -> Iterator[tuple[GroupConfig, GroupConfig]]:
    """Yield the groups of two items that can match the same name."""
    for item in later.logstore.consumer_groups:
        if item.name.literal:
            found = earlier.find(item.name.text)
            if found is not None:
                yield found, item
        else:
            for each in earlier.logstore.consumer_groups:
                if may_meet(each.name, item.name):
                    yield each, item


def _covers_all(earlier: Selector, later: Selector) -> bool:
    return (
        covers(earlier.project.project, later.project.project)
        and covers(earlier.logstore.logstore, later.logstore.logstore)
        and all(
            any(covers(each, name) for each in earlier.logstore.group_names)
            for name in later.logstore.group_names
        )
    )


@cache
def _ends(text: str) -> tuple[str, str]:
    """Return the plain text at the start and at the end of all names that a pattern matches."""
    if "|" in text or "(?" in text:
        return "", ""
    start, *_, end = METACHARACTER.split(text)
    is_optional = text[len(start)] in "*?{"  # as the last character of the start may be
    return start[:-1] if is_optional else start, "" if "\\" in text else end
