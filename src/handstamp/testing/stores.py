"""The laws of a store, as tests that any store inherits."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ..stores._base import Store
from .changes import ChangeLaws
from .findings import FindingLaws
from .records import keep, make_change, make_handle, make_hash, make_owner, make_record

_T = TypeVar("_T")


class StoreContract(ChangeLaws, FindingLaws):
    """Inherit the laws of :class:`handstamp.stores.Store`, for pytest.

    A subclass whose name begins with ``Test`` has a fixture ``store``, and says how a record is damaged:

    .. code-block:: python

        class TestMyStore(StoreContract):
            @pytest.fixture
            def store(self):
                return MyStore(...)

            def damage(self, store, handle):
                ...  # put something there that is no record

    Handles and owners are new in each test, so that the store behind may be shared. Records end within hours of now.
    """

    #: Writers at once, and what each of them writes.
    writers = 8
    writes = 10

    # -- many at once

    def test_writers_lose_nothing(self, store: Store) -> None:
        """Concurrent writes to different fields of one record are all kept."""
        record = make_record(fields={})
        handle = keep(store, record)

        def write(writer: int) -> list[bool]:
            names = [f'"{writer}.{number}"' for number in range(self.writes)]
            return [store.update(handle, record.hash, make_change(record, fields={name: "1"})) for name in names]

        assert self._at_once(write) == [[True] * self.writes] * self.writers
        names = {f'"{writer}.{number}"': "1" for writer in range(self.writers) for number in range(self.writes)}
        assert store.load(handle) == record._replace(fields=names)

    def test_one_renews(self, store: Store) -> None:
        """Of several that replace one hash at once, one succeeds, and its hash holds."""
        record = make_record()
        handle = keep(store, record)
        hashes = [make_hash() for _ in range(self.writers)]
        done = self._at_once(lambda n: store.update(handle, record.hash, make_change(record, hash=hashes[n])))
        assert done.count(True) == 1
        assert store.load(handle) == record._replace(hash=hashes[done.index(True)])

    def test_one_creates(self, store: Store) -> None:
        """Of several that create one record at once, one succeeds."""
        handle = make_handle()
        records = [make_record(fields={'"n"': str(number)}) for number in range(self.writers)]
        done = self._at_once(lambda n: store.create(handle, records[n]))
        assert done.count(True) == 1
        assert store.load(handle) == records[done.index(True)]

    def test_ended_stays_ended(self, store: Store) -> None:
        """However writes overlap a delete, the record is gone afterwards, and no write succeeds after it."""
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
