"""StoreContract: the rules of a store, as tests that the tests of any store inherit."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ..stores._base import Store
from ._changes import ChangeLaws
from ._findings import FindingLaws
from ._records import keep, make_change, make_handle, make_hash, make_owner, make_record

_T = TypeVar("_T")


class StoreContract(ChangeLaws, FindingLaws):
    """The pytest tests of the rules of :class:`handstamp.stores.Store`. Inherit them to test a store.

    The name of the subclass begins with ``Test``. It has a fixture ``store``, and a method ``damage`` that replaces the
    record under a handle by a value that is not a record. Each test uses new handles and new owners, so tests may share
    a database. All records end within hours of the current time.

    :cvar writers: the number of threads in tests of concurrent calls
    :cvar writes: the number of calls of each thread

    >>> import pytest
    >>> from handstamp.stores import MemoryStore
    >>> class TestMyStore(StoreContract):
    ...     @pytest.fixture
    ...     def store(self):
    ...         return MemoryStore()
    ...
    ...     def damage(self, store, handle):
    ...         store._records[handle] = "junk"
    >>> TestMyStore().test_damaged_is_an_error(MemoryStore())
    """

    writers = 8
    writes = 10

    # -- concurrent calls

    def test_writers_lose_nothing(self, store: Store) -> None:
        """Concurrent writes to different fields of one record are all saved."""
        record = make_record(fields={})
        handle = keep(store, record)

        def write(writer: int) -> list[bool]:
            names = [f'"{writer}.{number}"' for number in range(self.writes)]
            return [store.update(handle, record.hash, make_change(record, fields={name: "1"})) for name in names]

        assert self._at_once(write) == [[True] * self.writes] * self.writers
        names = {f'"{writer}.{number}"': "1" for writer in range(self.writers) for number in range(self.writes)}
        assert store.load(handle) == record._replace(fields=names)

    def test_one_renews(self, store: Store) -> None:
        """Of several concurrent changes of the hash, exactly one succeeds, and its hash is saved."""
        record = make_record()
        handle = keep(store, record)
        hashes = [make_hash() for _ in range(self.writers)]
        done = self._at_once(lambda n: store.update(handle, record.hash, make_change(record, hash=hashes[n])))
        assert done.count(True) == 1
        assert store.load(handle) == record._replace(hash=hashes[done.index(True)])

    def test_one_creates(self, store: Store) -> None:
        """Of several concurrent calls that create a record under one handle, exactly one succeeds."""
        handle = make_handle()
        records = [make_record(fields={'"n"': str(number)}) for number in range(self.writers)]
        done = self._at_once(lambda n: store.create(handle, records[n]))
        assert done.count(True) == 1
        assert store.load(handle) == records[done.index(True)]

    def test_ended_stays_ended(self, store: Store) -> None:
        """After a delete among concurrent writes, the record is gone, and no later write succeeds."""
        record = make_record(owner=make_owner())
        handle = keep(store, record)

        def act(number: int) -> list[bool]:
            if number == self.writers // 2:
                return [store.delete(handle)]
            name = f'"{number}"'
            return [
                store.update(handle, record.hash, make_change(record, fields={name: str(turn)}))
                for turn in range(self.writes)
            ]

        done = self._at_once(act)
        assert done.pop(self.writers // 2) == [True]
        assert all(answers == sorted(answers, reverse=True) for answers in done)
        assert store.load(handle) is None
        assert store.find(record.owner) == {}

    def _at_once(self, act: Callable[[int], _T]) -> list[_T]:
        with ThreadPoolExecutor(self.writers) as pool:
            return list(pool.map(act, range(self.writers)))
