"""The item of the configuration that decides about a consumer group, and its settings."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from exporter.config.patterns import any_matches
from exporter.config.problems import ConfigError
from exporter.config.selectors import Decision, Selector, Selectors, decide
from exporter.model.snapshot import GroupSettings
from tests.unit.config.test_reader import read

HOST = "cn-shanghai.log.aliyuncs.com"


def project(*logstores: str, name: str = "shop", endpoint: str = HOST, more: str = "") -> str:
    """Write an entry of ``projects`` as flow YAML."""
    return f"{{project: '{name}', endpoint: {endpoint}, logstores: [{', '.join(logstores)}]{more}}}"


def selectors(*projects: str, top: str = "") -> Selectors:
    return Selectors(read(f"{top}\nprojects: [{', '.join(projects)}]\n"))


def matching(
    found: Selectors, name: str = "shop", logstore: str = "web", endpoint: str = HOST
) -> list[Selector]:
    owners = found.of_project(f"https://{endpoint}", name)
    return [each for owner in owners for each in owner.matching(logstore)]


def decision(
    found: Selectors, group: str, *, name: str = "shop", logstore: str = "web"
) -> Decision | None:
    return decide(matching(found, name, logstore), logstore, group)


def stall_after(found: Selectors, group: str, **place: str) -> float | None:
    """Return the setting that holds for a group; None if it is not watched."""
    made = decision(found, group, **place)
    return made.settings.stall_after if made else None


TWO_LEVELS = "{logstore: '.*', consumer_groups: [{name: 'nightly-.*', stall_after: 2h}, '.*']}"


def test_first_matching_name_of_an_item_decides() -> None:
    found = selectors(project(TWO_LEVELS))
    assert stall_after(found, "nightly-1") == 7200.0
    assert stall_after(found, "billing") == 300.0


@pytest.mark.parametrize("plain_first", [True, False])
def test_plain_name_and_pattern_decide_in_the_order_of_the_file(*, plain_first: bool) -> None:
    items = ["{name: billing, stall_after: 1m}", "{name: 'b.*', stall_after: 2m}"]
    text = ", ".join(items if plain_first else reversed(items))
    found = selectors(project(f"{{logstore: web, consumer_groups: [{text}]}}"))
    assert stall_after(found, "billing") == (60.0 if plain_first else 120.0)
    assert stall_after(found, "back") == 120.0


def test_first_item_of_logstores_decides_even_if_a_later_one_names_the_group() -> None:
    found = selectors(
        project(
            "{logstore: 'w.*', consumer_groups: ['b.*'], stall_after: 1m}",
            "{logstore: web, consumer_groups: [billing, other], stall_after: 2m}",
        )
    )
    assert stall_after(found, "billing") == 60.0
    assert stall_after(found, "other") == 120.0
    assert stall_after(found, "billing", logstore="app") is None


def test_first_project_decides_whether_its_name_is_plain_or_a_pattern() -> None:
    item = "{logstore: web, consumer_groups: [billing]}"
    plain = project(item, more=", stall_after: 1m")
    pattern = project(item, name="sh.*", more=", stall_after: 2m")
    assert stall_after(selectors(plain, pattern), "billing") == 60.0
    assert stall_after(selectors(pattern, plain), "billing") == 120.0
    assert stall_after(selectors(plain, pattern), "billing", name="ship") == 120.0


def test_exclusion_of_the_first_item_leaves_out_what_a_later_one_names() -> None:
    first = "{logstore: '.*', consumer_groups: ['b.*'], exclude_consumer_groups: [billing]}"
    second = "{logstore: web, consumer_groups: [billing, other]}"
    assert decision(selectors(project(first, second)), "billing") is None
    assert decision(selectors(project(second, first)), "billing") is not None
    assert decision(selectors(project(first, second)), "other") is not None


def test_excluded_logstore_of_the_first_project_leaves_out_its_groups_only() -> None:
    first = project("{logstore: '.*', consumer_groups: ['b.*']}", more=", exclude_logstores: [web]")
    second = project("{logstore: web, consumer_groups: [billing, other]}")
    assert decision(selectors(first, second), "billing") is None
    assert decision(selectors(first, second), "other") is not None


def test_exclusion_without_a_matching_name_decides_nothing() -> None:
    first = "{logstore: '.*', consumer_groups: ['x.*'], exclude_consumer_groups: [billing]}"
    second = "{logstore: web, consumer_groups: [billing]}"
    assert decision(selectors(project(first, second)), "billing") is not None


def test_items_at_another_endpoint_decide_nothing() -> None:
    item = "{logstore: '.*', consumer_groups: ['.*'], stall_after: 1m}"
    found = selectors(
        project(item, endpoint="cn-beijing.log.aliyuncs.com"),
        project("{logstore: web, consumer_groups: [billing], stall_after: 2m}"),
    )
    assert stall_after(found, "billing") == 120.0


LEVELS = ("of_top", "of_project", "of_logstore", "of_group")


def keys_of(level: int, deepest: int) -> list[str]:
    """Write the keys of a level, which has all of them down to the deepest one."""
    own = [f"{LEVELS[level]}: x"]
    if level > deepest:
        return [f"labels: {{{own[0]}}}"]
    labels = ", ".join([*own, f"level: l{level}"])
    return [f"stall_after: {level + 1}m", f"lag_limit: {level + 1}h", f"labels: {{{labels}}}"]


@pytest.mark.parametrize("deepest", range(4))
def test_value_nearest_to_the_group_holds(deepest: int) -> None:
    top, of_project, of_logstore, of_group = (keys_of(level, deepest) for level in range(4))
    group = f"{{name: billing, {', '.join(of_group)}}}"
    logstore = f"{{logstore: web, consumer_groups: [{group}], {', '.join(of_logstore)}}}"
    found = selectors(project(logstore, more=f", {', '.join(of_project)}"), top="\n".join(top))
    made = decision(found, "billing")
    assert made is not None
    assert made.settings == GroupSettings(
        stall_after=60.0 * (deepest + 1),
        lag_limit=3600.0 * (deepest + 1),
        labels=tuple(sorted({**dict.fromkeys(LEVELS, "x"), "level": f"l{deepest}"}.items())),
    )


def test_labels_of_a_logstore_are_those_of_all_levels_above_the_group() -> None:
    found = selectors(
        project(
            "{logstore: web, consumer_groups: [{name: billing, labels: {a: g, b: g}}],"
            " labels: {a: l, c: l}}",
            more=", labels: {a: p, d: p, e: }",
        ),
        top="labels: {a: t, f: t}",
    )
    made = decision(found, "billing")
    assert made is not None
    assert made.selector.labels == (("a", "l"), ("c", "l"), ("d", "p"), ("f", "t"))
    assert made.settings.labels == (("a", "g"), ("b", "g"), ("c", "l"), ("d", "p"), ("f", "t"))


names = st.sampled_from(["a", "b", "ab", "a.*", ".*b", ".*", "[ab]"])
lists = st.lists(names, min_size=1, max_size=3, unique=True)
items = st.builds(
    "{{logstore: '{}', consumer_groups: {}, exclude_consumer_groups: {}}}".format,
    names,
    lists,
    st.lists(names, max_size=1),
)
projects = st.builds(
    lambda name, stores, excluded: project(
        *stores, name=name, more=f", exclude_logstores: {excluded}"
    ),
    names,
    st.lists(items, min_size=1, max_size=3),
    st.lists(names, max_size=1),
)


@settings(deadline=None)
@given(st.lists(projects, min_size=1, max_size=3), *[st.sampled_from(["a", "b", "ab", "bb"])] * 3)
def test_decision_equals_a_search_through_the_whole_file(
    entries: list[str], name: str, logstore: str, group: str
) -> None:
    try:
        found = selectors(*entries)
    except ConfigError:  # a plain name appears twice
        assume(condition=False)
        return
    made = decision(found, group, name=name, logstore=logstore)
    first = next(
        (
            (selector, item)
            for owner in found.projects
            if owner.project.project.matches(name)
            for selector in owner.all
            if selector.logstore.logstore.matches(logstore)
            for item in selector.logstore.consumer_groups
            if item.name.matches(group)
        ),
        None,
    )
    if first is None:
        assert made is None
        return
    selector, item = first
    is_out = any_matches(selector.logstore.exclude_consumer_groups, group)
    if is_out or any_matches(selector.project.exclude_logstores, logstore):
        assert made is None
    else:
        assert made is not None
        assert (made.selector is selector, made.item is item) == (True, True)


def test_each_of_the_endpoints_is_an_item_with_a_label_for_the_region() -> None:
    item = "{logstore: web, consumer_groups: [{name: billing, labels: {team: x}}]}"
    text = (
        "projects: [{project: shop, endpoints: [cn-beijing.log.aliyuncs.com,"
        " cn-shenzhen-intranet.log.aliyuncs.com, 'https://private.example.com'],"
        f" logstores: [{item}]}}]"
    )
    found = Selectors(read(text))
    assert [(str(each.settings.endpoint), each.settings.region) for each in found.projects] == [
        ("https://cn-beijing.log.aliyuncs.com", "cn-beijing"),
        ("https://cn-shenzhen-intranet.log.aliyuncs.com", "cn-shenzhen"),
        ("https://private.example.com", None),
    ]
    labels = [dict(each.all[0].labels) for each in found.projects]
    assert labels == [{"region": "cn-beijing"}, {"region": "cn-shenzhen"}, {}]
    decisions = [decide(each.all, "web", "billing") for each in found.projects]
    of_groups = [dict(each.settings.labels) for each in decisions if each]
    assert of_groups == [{**each, "team": "x"} for each in labels]


@pytest.mark.parametrize(
    ("top", "own", "label"), [("a", None, "cn-beijing"), ("a", "b", "b"), (None, "b", "b")]
)
def test_region_of_endpoints_is_a_label_of_the_project(
    top: str | None, own: str | None, label: str
) -> None:
    text = (
        f"labels: {{region: {top or '~'}}}\n"
        "projects: [{project: shop, endpoints: [cn-beijing.log.aliyuncs.com],"
        f" labels: {{region: {own or '~'}}},"
        " logstores: [{logstore: web, consumer_groups: [g]}]}]"
    )
    found = Selectors(read(text))
    assert dict(found.projects[0].all[0].labels) == {"region": label}
