"""The laws of a store on what is deleted, found, compared and damaged."""

from __future__ import annotations

from ..stores._base import Store, redact_handle
from .records import catch_error, is_rejected, keep, make_change, make_handle, make_hash, make_owner, make_record


class FindingLaws:
    """What ``delete`` and ``find`` do, what is the same, and what is no record."""

    def damage(self, store: Store, handle: str) -> None:
        """Put something under the handle of a record that the store cannot read."""
        raise NotImplementedError(f"{type(self).__name__} needs a damage method")

    # -- delete

    def test_delete(self, store: Store) -> None:
        """What was deleted is gone, and deleting it again says that nothing was there."""
        record = make_record(owner=make_owner())
        handle = keep(store, record)
        assert [store.delete(handle), store.delete(handle)] == [True, False]
        assert store.load(handle) is None
        assert store.update(handle, record.hash, make_change(record, fields={'"a"': "1"})) is False
        assert store.load(handle) is None

    def test_delete_leaves_others(self, store: Store) -> None:
        """Deleting one record leaves the owner's others."""
        owner = make_owner()
        record = make_record(owner=owner)
        kept, dropped = keep(store, record), keep(store, record)
        store.delete(dropped)
        assert store.find(owner) == {kept: record}

    # -- find

    def test_find(self, store: Store) -> None:
        """An owner's records are found by their handles, and those of others are not."""
        owner = make_owner()
        records = [make_record(owner=owner, fields={'"n"': str(number)}) for number in range(5)]
        found = {keep(store, record): record for record in records}
        for other in (make_owner(), ""):
            keep(store, make_record(owner=other))
        assert store.find(owner) == found

    def test_find_of_nobody(self, store: Store) -> None:
        """An owner without records has none."""
        assert store.find(make_owner()) == {}

    def test_find_follows_the_owner(self, store: Store) -> None:
        """A record that comes to an owner is found there from then on, and no longer with the one before."""
        record = make_record()
        handle, first, second = keep(store, record), make_owner(), make_owner()
        seen = []
        for owner in (first, second, ""):
            assert store.update(handle, record.hash, make_change(record, owner=owner))
            seen.append([list(store.find(first)), list(store.find(second))])
        assert seen == [[[handle], []], [[], [handle]], [[], []]]

    def test_find_sees_changes(self, store: Store) -> None:
        """What is found is the record as it is now."""
        record = make_record(owner=make_owner())
        handle = keep(store, record)
        change = make_change(record, fields={'"a"': "7"}, seen=record.seen + 1, end=record.end + 1, hash=make_hash())
        assert store.update(handle, record.hash, change)
        assert store.find(record.owner) == {handle: record.apply(change)}

    def test_find_after_deleting(self, store: Store) -> None:
        """A record that was deleted is not found."""
        record = make_record(owner=make_owner())
        store.delete(keep(store, record))
        assert store.find(record.owner) == {}

    # -- exactly

    def test_owners_are_exact(self, store: Store) -> None:
        """Owners that differ in case, accents, blanks or signs are different owners."""
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
        """Names of fields that differ in case, accents or blanks are different; long ones are not cut."""
        names = ["a", "A", "á", "a ", " a", "", "ss", "ß", "x" * 2000, "x" * 2000 + "y", "hash", "owner", "end", "seen"]
        fields = {f'"{name}"': str(number) for number, name in enumerate(names)}
        record = make_record(fields={'"start"': "0"})
        handle = keep(store, record)
        assert store.update(handle, record.hash, make_change(record, fields=fields))
        assert store.load(handle) == record._replace(fields={'"start"': "0"} | fields)
        assert store.update(handle, record.hash, make_change(record, removed=['"a"']))
        fields.pop('"a"')
        assert store.load(handle) == record._replace(fields={'"start"': "0"} | fields)

    # -- what is no record

    def test_damaged_is_an_error(self, store: Store) -> None:
        """What cannot be read is an error that names the handle by its hash, and holds no handle."""
        handle = self._damage(store)
        error = catch_error(lambda: store.load(handle))
        assert redact_handle(handle) in str(error)
        while error is not None:
            assert handle not in str(error)
            error = error.__cause__ or error.__context__

    def test_damaged_is_never_accepted(self, store: Store) -> None:
        """What cannot be read is neither changed nor taken over."""
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
        """What cannot be read is found with nobody, and hides none of the owner's others."""
        record = make_record(owner=make_owner())
        handle = keep(store, record)
        self._damage(store, record.owner)
        assert store.find(record.owner) == {handle: record}

    def test_damaged_can_be_deleted(self, store: Store) -> None:
        """What cannot be read can be deleted, and its place be used."""
        handle, record = self._damage(store), make_record()
        assert store.delete(handle) is True
        assert store.load(handle) is None
        assert store.create(handle, record) is True
        assert store.load(handle) == record

    def _damage(self, store: Store, owner: str = "") -> str:
        handle = keep(store, make_record(owner=owner))
        self.damage(store, handle)
        return handle
