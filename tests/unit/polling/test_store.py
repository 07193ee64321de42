"""The store of the newest statuses: targets, and groups that are published one by one."""

from msgspec.structs import replace

from exporter.model.names import TargetKey
from exporter.model.snapshot import GroupStatus, TargetStatus, View
from exporter.polling.store import Store
from tests.support.snapshots import ENDPOINT, KEY, group, shard, target

OTHER = TargetKey(ENDPOINT, "shop", "clicks")


def expecting(*names: str) -> Store:
    store = Store()
    store.expect({KEY: set(names)})
    return store


def put(store: Store, status: GroupStatus, *, monotonic: float = 50.0) -> bool:
    return store.put_group(KEY, status, monotonic=monotonic)


def known(store: Store) -> TargetStatus:
    status = store.get(KEY)
    assert status is not None
    return status


def test_expected_target_is_pending_until_it_is_polled() -> None:
    store = Store()
    assert store.view() == View()
    store.expect({KEY: ["billing"], OTHER: []})
    assert store.view() == View(pending=frozenset({KEY, OTHER}))
    status = target(group(shard()))
    store.put(status)
    assert (store.get(KEY), store.get(OTHER)) == (status, None)
    assert store.view() == View(targets=(status,), pending=frozenset({OTHER}))


def test_targets_are_sorted_by_name() -> None:
    store = Store()
    store.expect({KEY: [], OTHER: []})
    orders, clicks = target(key=KEY), target(key=OTHER)
    store.put(orders)
    store.put(clicks)
    assert store.view().targets == (clicks, orders)


def test_newest_status_replaces_the_previous_one() -> None:
    store = expecting("billing")
    store.put(target(group(shard())))
    newest = target(group(shard(), shard(1)))
    store.put(newest)
    assert store.view().targets == (newest,)


def test_target_that_stays_keeps_its_status_and_one_that_left_is_forgotten() -> None:
    store = Store()
    store.expect({KEY: ["billing"], OTHER: []})
    kept = target(group(shard()))
    store.put(kept)
    store.put(target(key=OTHER))
    store.expect({KEY: ["billing"]})
    assert store.view() == View(targets=(kept,))
    assert store.get(OTHER) is None


def test_poll_that_ends_after_its_target_has_left_changes_nothing() -> None:
    store = Store()
    store.expect({OTHER: []})
    store.put(target(group(shard())))
    assert store.view() == View(pending=frozenset({OTHER}))


def test_groups_that_left_their_target_are_forgotten() -> None:
    store = expecting("billing", "mail")
    mail = group(shard(), name="mail")
    store.put(target(group(shard()), mail, retention_seconds=60.0))
    store.expect({KEY: ["mail"]})
    assert known(store) == target(mail, retention_seconds=60.0)


def test_group_of_a_first_poll_shows_while_its_target_is_pending() -> None:
    store = expecting("billing", "mail")
    billing = group(shard())
    assert put(store, billing, monotonic=70.0)
    view = store.view()
    assert [each.groups for each in view.targets] == [(billing,)]
    assert view.pending == {KEY}
    assert view.target_count == 1
    status = known(store)
    assert (status.polled_monotonic, status.stale_after) == (70.0, 180.0)
    assert (status.shards_by_status, status.retention_seconds) == (None, None)
    assert status.cursor_access is None


def test_groups_are_in_the_order_of_their_names_whichever_comes_first() -> None:
    store = expecting("a", "b", "c")
    for name in ("c", "a", "b"):
        put(store, group(name=name))
    assert [each.key.consumer_group for each in known(store).groups] == ["a", "b", "c"]


def test_group_replaces_its_own_status_and_nothing_else() -> None:
    store = expecting("billing", "mail")
    billing, mail = group(shard()), group(shard(), name="mail")
    before = target(billing, mail, retention_seconds=60.0, shards_by_status={"readwrite": 1})
    store.put(before)
    newer = group(shard(), shard(1), name="mail")
    assert put(store, newer, monotonic=99.0)
    assert known(store) == replace(before, groups=(billing, newer))


def test_end_of_the_first_poll_ends_pending() -> None:
    store = expecting("billing")
    put(store, group(shard()))
    store.put(target(group(shard())))
    assert store.view().pending == frozenset()


def test_target_of_an_interrupted_first_poll_stays_pending_over_a_reload() -> None:
    store = expecting("billing", "mail")
    put(store, group(shard()))
    store.expect({KEY: {"billing"}, OTHER: set()})
    view = store.view()
    assert view.pending == {KEY, OTHER}
    assert [each.key for each in view.targets] == [KEY]


def test_group_that_left_is_not_stored() -> None:
    store = expecting("mail")
    assert not put(store, group(shard()))
    assert store.get(KEY) is None


def test_poll_that_ends_after_a_reload_brings_no_group_back() -> None:
    store = expecting("billing", "mail")
    store.expect({KEY: {"billing"}})
    billing = group(shard())
    store.put(target(billing, group(shard(), name="mail")))
    assert known(store).groups == (billing,)


def test_group_of_a_target_that_left_is_not_stored() -> None:
    store = expecting("billing")
    store.expect({OTHER: {"billing"}})
    assert not put(store, group(shard()))
    assert store.view().targets == ()


def test_view_is_not_changed_by_what_comes_after_it() -> None:
    store = expecting("billing", "mail")
    store.put(target(group(shard())))
    before = store.view()
    put(store, group(shard(), name="mail"))
    store.put(target(group(shard())))
    store.expect({})
    assert [len(each.groups) for each in before.targets] == [1]
