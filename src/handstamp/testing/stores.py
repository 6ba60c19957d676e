"""The laws of a store, as tests that any store inherits."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ..exceptions import StoreError
from ..stores.base import Change, Record, Store, name_record

_HOUR = 3600
_T = TypeVar("_T")


class StoreContract:
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

    def damage(self, store: Store, handle: str) -> None:
        """Put something under the handle of a record that the store cannot read."""
        raise NotImplementedError(f"{type(self).__name__} needs a damage method")

    # -- what is kept comes back

    def test_load_gives_what_was_created(self, store: Store) -> None:
        """A record comes back as it was created, its texts whatever JSON can be."""
        record = make_record(
            fields={'"a"': "1", '"é\\u0000\\n"': '"€\\ud83d\\ude00 😀"', '""': '""', '"b"': "[" * 9000}
        )
        handle = _create(store, record)
        assert store.load(handle) == record

    def test_load_of_nothing(self, store: Store) -> None:
        """A handle without a record loads nothing."""
        assert store.load(make_handle()) is None

    def test_record_without_fields(self, store: Store) -> None:
        """A record without fields and owner is a record."""
        record = make_record(fields={})
        assert store.load(_create(store, record)) == record

    def test_record_that_loses_all_fields(self, store: Store) -> None:
        """A record whose last field is removed stays."""
        record = make_record(fields={'"a"': "1"})
        handle = _create(store, record)
        assert store.update(handle, record.hash, make_change(record, removed=['"a"']))
        assert store.load(handle) == record._replace(fields={})

    # -- create

    def test_create_never_takes_over(self, store: Store) -> None:
        """Creating leaves a record alone that is there already under another hash, and says so."""
        record = make_record(owner=make_owner())
        handle = _create(store, record)
        assert store.create(handle, make_record(owner=make_owner(), fields={'"b"': "2"})) is False
        assert store.load(handle) == record

    def test_create_replayed(self, store: Store) -> None:
        """Creating with the same hash succeeds again."""
        record = make_record(owner=make_owner())
        handle = _create(store, record)
        assert store.create(handle, record) is True
        assert store.load(handle) == record
        assert store.find(record.owner) == {handle: record}

    def test_create_replayed_late(self, store: Store) -> None:
        """Creating that is replayed after a change leaves the change alone."""
        record = make_record()
        handle = _create(store, record)
        change = make_change(record, fields={'"a"': "2"}, end=record.end + 9)
        assert store.update(handle, record.hash, change)
        assert store.create(handle, record) is True
        assert store.load(handle) == record.apply(change)

    # -- update

    def test_update_merges(self, store: Store) -> None:
        """A change sets and removes the fields that it names, and leaves all others."""
        record = make_record(fields={'"a"': "1", '"b"': "2", '"c"': "3"})
        handle = _create(store, record)
        change = make_change(record, fields={'"b"': "4", '"d"': "5"}, removed=['"c"', '"x"'])
        assert store.update(handle, record.hash, change) is True
        assert store.load(handle) == record._replace(fields={'"a"': "1", '"b"': "4", '"d"': "5"})

    def test_update_of_much(self, store: Store) -> None:
        """A change sets and removes hundreds of fields at once."""
        record = make_record(fields={f'"{number}"': "1" for number in range(500)})
        handle = _create(store, record)
        added = {f'"x{number}"': "2" for number in range(500)}
        assert store.update(handle, record.hash, make_change(record, fields=added, removed=list(record.fields)))
        assert store.load(handle) == record._replace(fields=added)

    def test_update_never_creates(self, store: Store) -> None:
        """A change of a record that is not there is refused, and makes none."""
        handle, record = make_handle(), make_record(owner=make_owner())
        change = make_change(record, fields={'"a"': "1"}, owner=record.owner, hash=record.hash)
        assert store.update(handle, record.hash, change) is False
        assert store.load(handle) is None
        assert store.find(record.owner) == {}

    def test_update_with_another_hash(self, store: Store) -> None:
        """A change under another hash is refused, and changes nothing."""
        record = make_record(owner=make_owner())
        handle = _create(store, record)
        change = make_change(record, fields={'"a"': "9"}, owner=make_owner(), end=record.end + 9)
        assert store.update(handle, make_hash(), change) is False
        assert store.update(handle, make_hash(), change._replace(hash=make_hash())) is False
        assert store.load(handle) == record

    def test_update_of_the_rest(self, store: Store) -> None:
        """A change brings a hash, an owner and a beginning, each for itself, and leaves the rest."""
        record = make_record(owner=make_owner())
        handle = _create(store, record)
        for told in ({"hash": make_hash()}, {"owner": make_owner()}, {"created": record.created + 5}, {"owner": ""}):
            expected = record._replace(**told)
            assert store.update(handle, record.hash, make_change(record)._replace(**told)) is True
            assert store.load(handle) == expected
            record = expected

    def test_old_hash_is_dead(self, store: Store) -> None:
        """Once the hash is replaced, the old one changes nothing any more, and the new one does."""
        record = make_record()
        handle, new = _create(store, record), make_hash()
        assert store.update(handle, record.hash, make_change(record, hash=new))
        assert store.update(handle, record.hash, make_change(record, fields={'"a"': "9"})) is False
        assert store.update(handle, record.hash, make_change(record, hash=make_hash())) is False
        assert store.update(handle, new, make_change(record, fields={'"a"': "8"})) is True
        assert store.load(handle) == record._replace(hash=new, fields={'"a"': "8"})

    def test_update_replayed(self, store: Store) -> None:
        """A change that replaces the hash succeeds again when it is replayed, with the same outcome."""
        record = make_record(owner=make_owner(), fields={'"a"': "1", '"b"': "2"})
        handle = _create(store, record)
        change = make_change(
            record, fields={'"a"': "3"}, removed=['"b"'], hash=make_hash(), owner=make_owner(), end=record.end + 9
        )
        assert [store.update(handle, record.hash, change) for _ in range(3)] == [True] * 3
        assert store.load(handle) == record.apply(change)
        assert store.find(change.owner or "") == {handle: record.apply(change)}

    def test_update_replayed_after_delete(self, store: Store) -> None:
        """A change that is replayed after the record was deleted brings nothing back."""
        record = make_record(owner=make_owner())
        handle = _create(store, record)
        change = make_change(record, fields={'"a"': "3"}, hash=make_hash())
        assert store.update(handle, record.hash, change)
        assert store.delete(handle)
        assert store.update(handle, record.hash, change) is False
        assert store.load(handle) is None
        assert store.find(record.owner) == {}

    # -- times

    def test_touch_moves_forward(self, store: Store) -> None:
        """A touch moves the last seen and the end forward."""
        record = make_record()
        handle = _create(store, record)
        change = make_change(record, seen=record.seen + 5, end=record.end + 5)
        assert store.update(handle, record.hash, change) is True
        assert store.load(handle) == record._replace(seen=record.seen + 5, end=record.end + 5)

    def test_touch_never_moves_back(self, store: Store) -> None:
        """A touch by a clock that is behind succeeds and moves neither time back."""
        record = make_record()
        handle = _create(store, record)
        change = make_change(record, seen=record.seen - 50, end=record.end - 50)
        assert store.update(handle, record.hash, change) is True
        assert store.load(handle) == record

    def test_write_moves_forward_only(self, store: Store) -> None:
        """A write that is not told to shorten moves neither time back either."""
        record = make_record()
        handle = _create(store, record)
        change = make_change(record, seen=record.seen - 50, end=record.end - 50, fields={'"a"': "2"})
        assert store.update(handle, record.hash, change) is True
        assert store.load(handle) == record._replace(fields={'"a"': "2"})

    def test_shortening(self, store: Store) -> None:
        """A write that is told so moves the end back; the next one moves it on again."""
        record = make_record()
        handle = _create(store, record)
        assert store.update(handle, record.hash, make_change(record, end=record.end - 50, shorten=True))
        assert store.load(handle) == record._replace(end=record.end - 50)
        assert store.update(handle, record.hash, make_change(record, end=record.end + 50))
        assert store.load(handle) == record._replace(end=record.end + 50)

    def test_end_decides(self, store: Store) -> None:
        """A change is accepted in the record's last good second and refused in the next, by the caller's clock."""
        record = make_record()
        handle = _create(store, record)
        change = make_change(record, seen=record.end + 1, end=record.end + _HOUR, fields={'"a"': "2"})
        assert store.update(handle, record.hash, change) is False
        assert store.load(handle) == record
        assert store.update(handle, record.hash, change._replace(seen=record.end)) is True
        assert store.load(handle) == record.apply(change._replace(seen=record.end))

    def test_ended_is_not_taken_over(self, store: Store) -> None:
        """A record that ended a moment ago is still there, and is not taken over."""
        now = int(time.time())
        record = make_record()._replace(created=now - _HOUR, seen=now - 2, end=now - 1)
        handle = _create(store, record)
        assert store.create(handle, make_record()) is False
        assert store.load(handle) == record

    # -- delete

    def test_delete(self, store: Store) -> None:
        """What was deleted is gone, and deleting it again says that nothing was there."""
        record = make_record(owner=make_owner())
        handle = _create(store, record)
        assert [store.delete(handle), store.delete(handle)] == [True, False]
        assert store.load(handle) is None
        assert store.update(handle, record.hash, make_change(record, fields={'"a"': "1"})) is False
        assert store.load(handle) is None

    def test_delete_leaves_others(self, store: Store) -> None:
        """Deleting one record leaves the owner's others."""
        owner = make_owner()
        record = make_record(owner=owner)
        kept, dropped = _create(store, record), _create(store, record)
        store.delete(dropped)
        assert store.find(owner) == {kept: record}

    # -- find

    def test_find(self, store: Store) -> None:
        """An owner's records are found by their handles, and those of others are not."""
        owner = make_owner()
        records = [make_record(owner=owner, fields={'"n"': str(number)}) for number in range(5)]
        found = {_create(store, record): record for record in records}
        for other in (make_owner(), ""):
            _create(store, make_record(owner=other))
        assert store.find(owner) == found

    def test_find_of_nobody(self, store: Store) -> None:
        """An owner without records has none."""
        assert store.find(make_owner()) == {}

    def test_find_follows_the_owner(self, store: Store) -> None:
        """A record that comes to an owner is found there from then on, and no longer with the one before."""
        record = make_record()
        handle, first, second = _create(store, record), make_owner(), make_owner()
        seen = []
        for owner in (first, second, ""):
            assert store.update(handle, record.hash, make_change(record, owner=owner))
            seen.append([list(store.find(first)), list(store.find(second))])
        assert seen == [[[handle], []], [[], [handle]], [[], []]]

    def test_find_sees_changes(self, store: Store) -> None:
        """What is found is the record as it is now."""
        record = make_record(owner=make_owner())
        handle = _create(store, record)
        change = make_change(record, fields={'"a"': "7"}, seen=record.seen + 1, end=record.end + 1, hash=make_hash())
        assert store.update(handle, record.hash, change)
        assert store.find(record.owner) == {handle: record.apply(change)}

    def test_find_after_deleting(self, store: Store) -> None:
        """A record that was deleted is not found."""
        record = make_record(owner=make_owner())
        store.delete(_create(store, record))
        assert store.find(record.owner) == {}

    # -- exactly

    def test_owners_are_exact(self, store: Store) -> None:
        """Owners that differ in case, accents, blanks or signs are different owners."""
        base = make_owner()
        owners = [
            base + end for end in ("", "e", "E", "é", "e ", " e", "e*", "e?", "e%", "e_", "{e}", "e:e", "😀", "ß", "ss")
        ]
        handles = {owner: _create(store, make_record(owner=owner)) for owner in owners}
        assert {owner: list(store.find(owner)) for owner in owners} == {
            owner: [handle] for owner, handle in handles.items()
        }

    def test_handles_are_exact(self, store: Store) -> None:
        """Handles that differ in case are different handles."""
        tail = make_handle()[:-1]
        records = {tail + last: make_record(fields={'"a"': f'"{last}"'}) for last in "AQgw"}
        swapped = {handle.swapcase(): make_record(fields={'"b"': "1"}) for handle in records}
        for handle, record in (records | swapped).items():
            assert store.create(handle, record)
        assert {handle: store.load(handle) for handle in records | swapped} == records | swapped

    def test_names_are_exact(self, store: Store) -> None:
        """Names of fields that differ in case, accents or blanks are different; long ones are not cut."""
        names = ["a", "A", "á", "a ", " a", "", "ss", "ß", "x" * 2000, "x" * 2000 + "y", "hash", "owner", "end", "seen"]
        fields = {f'"{name}"': str(number) for number, name in enumerate(names)}
        record = make_record(fields={'"start"': "0"})
        handle = _create(store, record)
        assert store.update(handle, record.hash, make_change(record, fields=fields))
        assert store.load(handle) == record._replace(fields={'"start"': "0"} | fields)
        assert store.update(handle, record.hash, make_change(record, removed=['"a"']))
        fields.pop('"a"')
        assert store.load(handle) == record._replace(fields={'"start"': "0"} | fields)

    # -- what is no record

    def test_damaged_is_an_error(self, store: Store) -> None:
        """What cannot be read is an error that names the handle by its hash, and holds no handle."""
        handle = self._damaged(store)
        error = _catch(lambda: store.load(handle))
        assert name_record(handle) in str(error)
        while error is not None:
            assert handle not in str(error)
            error = error.__cause__ or error.__context__

    def test_damaged_is_never_accepted(self, store: Store) -> None:
        """What cannot be read is neither changed nor taken over."""
        handle, record = self._damaged(store), make_record()
        change = make_change(record, fields={'"a"': "1"}, hash=make_hash())
        for attempt in (
            lambda: store.create(handle, record),
            lambda: store.update(handle, record.hash, change),
            lambda: store.update(handle, "", change._replace(hash=None)),
        ):
            assert _is_refused(attempt)
            assert _catch(lambda: store.load(handle))

    def test_damaged_is_left_out(self, store: Store) -> None:
        """What cannot be read is found with nobody, and hides none of the owner's others."""
        record = make_record(owner=make_owner())
        handle = _create(store, record)
        self._damaged(store, record.owner)
        assert store.find(record.owner) == {handle: record}

    def test_damaged_can_be_deleted(self, store: Store) -> None:
        """What cannot be read can be deleted, and its place be used."""
        handle, record = self._damaged(store), make_record()
        assert store.delete(handle) is True
        assert store.load(handle) is None
        assert store.create(handle, record) is True
        assert store.load(handle) == record

    def _damaged(self, store: Store, owner: str = "") -> str:
        handle = _create(store, make_record(owner=owner))
        self.damage(store, handle)
        return handle

    # -- many at once

    def test_writers_lose_nothing(self, store: Store) -> None:
        """Concurrent writes to different fields of one record are all kept."""
        record = make_record(fields={})
        handle = _create(store, record)

        def write(writer: int) -> list[bool]:
            names = [f'"{writer}.{number}"' for number in range(self.writes)]
            return [store.update(handle, record.hash, make_change(record, fields={name: "1"})) for name in names]

        assert self._at_once(write) == [[True] * self.writes] * self.writers
        names = {f'"{writer}.{number}"': "1" for writer in range(self.writers) for number in range(self.writes)}
        assert store.load(handle) == record._replace(fields=names)

    def test_one_renews(self, store: Store) -> None:
        """Of several that replace one hash at once, one succeeds, and its hash holds."""
        record = make_record()
        handle = _create(store, record)
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
        handle = _create(store, record)

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


# -- records, changes and attempts ------------------------------------------------------------------------------------


def make_handle() -> str:
    """Return a handle that nobody has."""
    return secrets.token_urlsafe(16)


def make_hash() -> str:
    """Return the hash of a secret that nobody has."""
    return hashlib.sha256(secrets.token_bytes(16)).hexdigest()


def make_owner() -> str:
    """Return an owner that has no record."""
    return f"owner-{secrets.token_hex(4)}"


def make_record(*, owner: str = "", fields: dict[str, str] | None = None) -> Record:
    """Return a record of a session that began just now and ends in an hour."""
    now = int(time.time())
    return Record(make_hash(), {'"a"': "1"} if fields is None else fields, owner, now, now, now + _HOUR)


def make_change(record: Record, **told: Any) -> Change:
    """Return a change that tells no more than it is given, at the times of a record."""
    return Change(record.seen, record.end)._replace(**told)


def _create(store: Store, record: Record) -> str:
    handle = make_handle()
    assert store.create(handle, record) is True
    return handle


def _catch(attempt: Callable[[], object]) -> BaseException | None:
    try:
        attempt()
    except StoreError as error:
        return error
    raise AssertionError("no StoreError")


def _is_refused(attempt: Callable[[], bool]) -> bool:
    try:
        return attempt() is False
    except StoreError:
        return True
