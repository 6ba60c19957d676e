"""The tests of a store's ``delete`` and ``find``, of exact comparison, and of damaged records."""

from __future__ import annotations

from ..stores._base import Store, redact_handle
from ._records import catch_error, is_rejected, keep, make_change, make_handle, make_hash, make_owner, make_record


class FindingLaws:
    """Tests of ``delete`` and ``find``, of exact comparison, and of damaged records."""

    def damage(self, store: Store, handle: str) -> None:
        """Replace the record under a handle by a value that is not a record."""
        raise NotImplementedError(f"{type(self).__name__} needs a damage method")

    # -- delete

    def test_delete(self, store: Store) -> None:
        """A deleted record is gone, and deleting it again returns False."""
        record = make_record(owner=make_owner())
        handle = keep(store, record)
        assert [store.delete(handle), store.delete(handle)] == [True, False]
        assert store.load(handle) is None
        assert store.update(handle, record.hash, make_change(record, fields={'"a"': "1"})) is False
        assert store.load(handle) is None

    def test_delete_leaves_others(self, store: Store) -> None:
        """Deleting a record leaves the other records of its owner alone."""
        owner = make_owner()
        record = make_record(owner=owner)
        kept, dropped = keep(store, record), keep(store, record)
        store.delete(dropped)
        assert store.find(owner) == {kept: record}

    # -- find

    def test_find(self, store: Store) -> None:
        """Find returns the records of an owner by their handles, and no others."""
        owner = make_owner()
        records = [make_record(owner=owner, fields={'"n"': str(number)}) for number in range(5)]
        found = {keep(store, record): record for record in records}
        for other in (make_owner(), ""):
            keep(store, make_record(owner=other))
        assert store.find(owner) == found

    def test_find_of_nobody(self, store: Store) -> None:
        """Find returns nothing for an owner without records."""
        assert store.find(make_owner()) == {}

    def test_find_follows_the_owner(self, store: Store) -> None:
        """After the owner changes, a record is found with the new owner, and no longer with the old one."""
        record = make_record()
        handle, first, second = keep(store, record), make_owner(), make_owner()
        seen = []
        for owner in (first, second, ""):
            assert store.update(handle, record.hash, make_change(record, owner=owner))
            seen.append([list(store.find(first)), list(store.find(second))])
        assert seen == [[[handle], []], [[], [handle]], [[], []]]

    def test_find_sees_changes(self, store: Store) -> None:
        """Find returns the current state of a record."""
        record = make_record(owner=make_owner())
        handle = keep(store, record)
        change = make_change(record, fields={'"a"': "7"}, seen=record.seen + 1, end=record.end + 1, hash=make_hash())
        assert store.update(handle, record.hash, change)
        assert store.find(record.owner) == {handle: record.apply(change)}

    def test_find_after_deleting(self, store: Store) -> None:
        """Find does not return a deleted record."""
        record = make_record(owner=make_owner())
        store.delete(keep(store, record))
        assert store.find(record.owner) == {}

    # -- exact comparison

    def test_owners_are_exact(self, store: Store) -> None:
        """Owners that differ in case, accents, blanks or punctuation are different owners."""
        base = make_owner()
        owners = [
            base + end for end in ("", "e", "E", "é", "e ", " e", "e*", "e?", "e%", "e_", "{e}", "e:e", "😀", "ß", "ss")
        ]
        handles = {owner: keep(store, make_record(owner=owner)) for owner in owners}
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
        """Field names that differ in case, accents or blanks are different names, and long names are not cut."""
        names = ["a", "A", "á", "a ", " a", "", "ss", "ß", "x" * 2000, "x" * 2000 + "y", "hash", "owner", "end", "seen"]
        fields = {f'"{name}"': str(number) for number, name in enumerate(names)}
        record = make_record(fields={'"start"': "0"})
        handle = keep(store, record)
        assert store.update(handle, record.hash, make_change(record, fields=fields))
        assert store.load(handle) == record._replace(fields={'"start"': "0"} | fields)
        assert store.update(handle, record.hash, make_change(record, removed=['"a"']))
        fields.pop('"a"')
        assert store.load(handle) == record._replace(fields={'"start"': "0"} | fields)

    # -- damaged records

    def test_damaged_is_an_error(self, store: Store) -> None:
        """Loading a damaged record raises an error that contains the hash of the handle, but not the handle."""
        handle = self._damage(store)
        error = catch_error(lambda: store.load(handle))
        assert redact_handle(handle) in str(error)
        while error is not None:
            assert handle not in str(error)
            error = error.__cause__ or error.__context__

    def test_damaged_is_never_accepted(self, store: Store) -> None:
        """A damaged record is neither changed nor replaced."""
        handle, record = self._damage(store), make_record()
        change = make_change(record, fields={'"a"': "1"}, hash=make_hash())
        for attempt in (
            lambda: store.create(handle, record),
            lambda: store.update(handle, record.hash, change),
            lambda: store.update(handle, "", change._replace(hash=None)),
        ):
            assert is_rejected(attempt)
            assert catch_error(lambda: store.load(handle))

    def test_damaged_is_left_out(self, store: Store) -> None:
        """Find leaves out a damaged record, and still returns the other records of its owner."""
        record = make_record(owner=make_owner())
        handle = keep(store, record)
        self._damage(store, record.owner)
        assert store.find(record.owner) == {handle: record}

    def test_damaged_can_be_deleted(self, store: Store) -> None:
        """A damaged record can be deleted, and its handle can be used again."""
        handle, record = self._damage(store), make_record()
        assert store.delete(handle) is True
        assert store.load(handle) is None
        assert store.create(handle, record) is True
        assert store.load(handle) == record

    def _damage(self, store: Store, owner: str = "") -> str:
        handle = keep(store, make_record(owner=owner))
        self.damage(store, handle)
        return handle
