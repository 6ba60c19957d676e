"""StoreModel: compare a store with a model, for every order of the calls of three requests.

A request makes a few calls, and each call is atomic. So overlapping requests can differ only in the order of their
calls. Each order runs on the store and on a dict that follows the rules of :class:`handstamp.stores.Record`, and all
results are compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

from ..stores._base import Change, Record, Store
from ._records import make_handle, make_hash, make_owner, make_record


class ModelStore:
    """The simplest store that follows the rules."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}

    def load(self, handle: str) -> Record | None:
        """Return a record."""
        return self._records.get(handle)

    def create(self, handle: str, record: Record) -> bool:
        """Save a new record."""
        return self._records.setdefault(handle, record).hash == record.hash

    def update(self, handle: str, expect: str, change: Change) -> bool:
        """Merge a change into a record."""
        record = self._records.get(handle)
        if record is None or not record.admits(expect, change):
            return False
        self._records[handle] = record.apply(change)
        return True

    def delete(self, handle: str) -> bool:
        """Delete a record."""
        return self._records.pop(handle, None) is not None

    def find(self, owner: str) -> dict[str, Record]:
        """Return the records of an owner."""
        return {handle: record for handle, record in self._records.items() if record.owner == owner}


class Scene(NamedTuple):
    """The session that the requests share, and the values that they write.

    :ivar handle: the handle of the session
    :ivar record: its record before the first request
    :ivar others: an owner for each request to assign
    :ivar hashes: a hash for each request to assign
    """

    handle: str
    record: Record
    others: tuple[str, ...]
    hashes: tuple[str, ...]

    def change(self, **parts: Any) -> Change:
        """Return a change at the times of the record."""
        return Change(self.record.seen, self.record.end)._replace(**parts)


def make_scene() -> Scene:
    """Return a new session with an owner."""
    record = make_record(owner=make_owner(), fields={'"a"': "1", '"b"': "2"})
    return Scene(make_handle(), record, tuple(make_owner() for _ in range(3)), tuple(make_hash() for _ in range(3)))


#: One call of a request, which has a number from 0 to 2. It returns the result of the call.
Verb = Callable[[Store, Scene, int], object]


def _open(store: Store, scene: Scene, number: int) -> object:
    return store.load(scene.handle)


def _changing(make: Callable[[Scene, int], Change]) -> Verb:
    return lambda store, scene, number: store.update(scene.handle, scene.record.hash, make(scene, number))


def _end_all(store: Store, scene: Scene, number: int) -> object:
    return [store.delete(handle) for handle in store.find(scene.record.owner)]


_renew = _changing(lambda scene, number: scene.change(hash=scene.hashes[number], fields={f'"own{number}"': "1"}))

#: The kinds of requests, and the calls of each.
REQUESTS: dict[str, tuple[Verb, ...]] = {
    "own key": (_open, _changing(lambda scene, number: scene.change(fields={f'"own{number}"': "1"}))),
    "shared key": (_open, _changing(lambda scene, number: scene.change(fields={'"a"': f"1{number}"}))),
    "remove": (_open, _changing(lambda scene, number: scene.change(removed=['"a"'], fields={f'"own{number}"': "1"}))),
    "touch": (_open, _changing(lambda scene, number: scene.change(end=scene.record.end + 9))),
    "shorten": (_open, _changing(lambda scene, number: scene.change(end=scene.record.end - 9, shorten=True))),
    "owner": (_open, _changing(lambda scene, number: scene.change(owner=scene.others[number]))),
    "renew": (_open, _renew),
    "replayed": (_renew, _renew),
    "delete": (_open, lambda store, scene, number: store.delete(scene.handle)),
    "end all": (_end_all, _open),
    "create again": (lambda store, scene, number: store.create(scene.handle, scene.record._replace(hash="0" * 64)),),
}


def list_orders(sizes: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield every order of the calls of several requests. An order is a sequence of the requests' numbers.

    :param sizes: the number of calls of each request
    """
    if not any(sizes):
        yield ()
    for number, size in enumerate(sizes):
        if size:
            rest = [*sizes[:number], size - 1, *sizes[number + 1 :]]
            yield from ((number, *order) for order in list_orders(rest))


def list_plays() -> Iterator[tuple[tuple[str, ...], tuple[int, ...]]]:
    """Yield every three kinds of requests, with every order of their calls."""
    for names in combinations_with_replacement(REQUESTS, 3):
        yield from ((names, order) for order in list_orders([len(REQUESTS[name]) for name in names]))


def play(store: Store, scene: Scene, names: Sequence[str], order: Sequence[int]) -> list[object]:
    """Run the calls of three requests in an order. Return all results, and the records at the end."""
    assert store.create(scene.handle, scene.record)
    done: Counter[int] = Counter()
    answers: list[object] = []
    for number in order:
        answers.append(REQUESTS[names[number]][done[number]](store, scene, number))
        done[number] += 1
    found = [store.find(owner) for owner in (scene.record.owner, *scene.others)]
    answers += [store.load(scene.handle), found]
    store.delete(scene.handle)
    return answers


class StoreModel:
    """A pytest test of every order in which three requests can overlap. Inherit it like :class:`StoreContract`.

    :cvar one_of: run only one of this many orders; a database takes minutes for all of them

    >>> import pytest
    >>> from handstamp.stores import MemoryStore
    >>> class TestOrders(StoreModel):
    ...     one_of = 100
    ...
    ...     @pytest.fixture
    ...     def store(self):
    ...         return MemoryStore()
    >>> TestOrders().test_every_order(MemoryStore())
    """

    one_of = 1

    def test_every_order(self, store: Store) -> None:
        """Whatever three requests do in whatever order, all results and the final records follow the rules."""
        for names, order in list(list_plays())[:: self.one_of]:
            scene = make_scene()
            found, expected = (play(each, scene, names, order) for each in (store, ModelStore()))
            assert found == expected, f"{names} in the order {order}"
