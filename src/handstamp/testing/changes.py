"""The laws of a store on what is created and changed."""

from __future__ import annotations

import time

from ..stores._base import Store
from .records import HOUR, keep, make_change, make_handle, make_hash, make_owner, make_record


class ChangeLaws:
    """What ``load``, ``create`` and ``update`` do, one after the other."""

    # -- what is kept comes back

    def test_load_gives_what_was_created(self, store: Store) -> None:
        """A record comes back as it was created, its texts whatever JSON can be."""
        record = make_record(
            fields={'"a"': "1", '"é\\u0000\\n"': '"€\\ud83d\\ude00 😀"', '""': '""', '"b"': "[" * 9000}
        )
        handle = keep(store, record)
        assert store.load(handle) == record

    def test_load_of_nothing(self, store: Store) -> None:
        """A handle without a record loads nothing."""
        assert store.load(make_handle()) is None

    def test_record_without_fields(self, store: Store) -> None:
        """A record without fields and owner is a record."""
        record = make_record(fields={})
        assert store.load(keep(store, record)) == record

    def test_record_that_loses_all_fields(self, store: Store) -> None:
        """A record whose last field is removed stays."""
        record = make_record(fields={'"a"': "1"})
        handle = keep(store, record)
        assert store.update(handle, record.hash, make_change(record, removed=['"a"']))
        assert store.load(handle) == record._replace(fields={})

    # -- create

    def test_create_never_takes_over(self, store: Store) -> None:
        """Creating leaves a record alone that is there already under another hash, and says so."""
        record = make_record(owner=make_owner())
        handle = keep(store, record)
        assert store.create(handle, make_record(owner=make_owner(), fields={'"b"': "2"})) is False
        assert store.load(handle) == record

    def test_create_replayed(self, store: Store) -> None:
        """Creating with the same hash succeeds again."""
        record = make_record(owner=make_owner())
        handle = keep(store, record)
        assert store.create(handle, record) is True
        assert store.load(handle) == record
        assert store.find(record.owner) == {handle: record}

    def test_create_replayed_late(self, store: Store) -> None:
        """Creating that is replayed after a change leaves the change alone."""
        record = make_record()
        handle = keep(store, record)
        change = make_change(record, fields={'"a"': "2"}, end=record.end + 9)
        assert store.update(handle, record.hash, change)
        assert store.create(handle, record) is True
        assert store.load(handle) == record.apply(change)

    # -- update

    def test_update_merges(self, store: Store) -> None:
        """A change sets and removes the fields that it names, and leaves all others."""
        record = make_record(fields={'"a"': "1", '"b"': "2", '"c"': "3"})
        handle = keep(store, record)
        change = make_change(record, fields={'"b"': "4", '"d"': "5"}, removed=['"c"', '"x"'])
        assert store.update(handle, record.hash, change) is True
        assert store.load(handle) == record._replace(fields={'"a"': "1", '"b"': "4", '"d"': "5"})

    def test_update_of_much(self, store: Store) -> None:
        """A change sets and removes hundreds of fields at once."""
        record = make_record(fields={f'"{number}"': "1" for number in range(500)})
        handle = keep(store, record)
        added = {f'"x{number}"': "2" for number in range(500)}
        assert store.update(handle, record.hash, make_change(record, fields=added, removed=list(record.fields)))
        assert store.load(handle) == record._replace(fields=added)

    def test_update_never_creates(self, store: Store) -> None:
        """A change of a record that is not there is rejected, and makes none."""
        handle, record = make_handle(), make_record(owner=make_owner())
        change = make_change(record, fields={'"a"': "1"}, owner=record.owner, hash=record.hash)
        assert store.update(handle, record.hash, change) is False
        assert store.load(handle) is None
        assert store.find(record.owner) == {}

    def test_update_with_another_hash(self, store: Store) -> None:
        """A change under another hash is rejected, and changes nothing."""
        record = make_record(owner=make_owner())
        handle = keep(store, record)
        change = make_change(record, fields={'"a"': "9"}, owner=make_owner(), end=record.end + 9)
        assert store.update(handle, make_hash(), change) is False
        assert store.update(handle, make_hash(), change._replace(hash=make_hash())) is False
        assert store.load(handle) == record

    def test_update_of_the_rest(self, store: Store) -> None:
        """A change brings a hash, an owner and a beginning, each for itself, and leaves the rest."""
        record = make_record(owner=make_owner())
        handle = keep(store, record)
        for told in ({"hash": make_hash()}, {"owner": make_owner()}, {"created": record.created + 5}, {"owner": ""}):
            expected = record._replace(**told)
            assert store.update(handle, record.hash, make_change(record)._replace(**told)) is True
            assert store.load(handle) == expected
            record = expected

    def test_old_hash_is_dead(self, store: Store) -> None:
        """Once the hash is replaced, the old one changes nothing any more, and the new one does."""
        record = make_record()
        handle, new = keep(store, record), make_hash()
        assert store.update(handle, record.hash, make_change(record, hash=new))
        assert store.update(handle, record.hash, make_change(record, fields={'"a"': "9"})) is False
        assert store.update(handle, record.hash, make_change(record, hash=make_hash())) is False
        assert store.update(handle, new, make_change(record, fields={'"a"': "8"})) is True
        assert store.load(handle) == record._replace(hash=new, fields={'"a"': "8"})

    def test_update_replayed(self, store: Store) -> None:
        """A change that replaces the hash succeeds again when it is replayed, with the same outcome."""
        record = make_record(owner=make_owner(), fields={'"a"': "1", '"b"': "2"})
        handle = keep(store, record)
        change = make_change(
            record, fields={'"a"': "3"}, removed=['"b"'], hash=make_hash(), owner=make_owner(), end=record.end + 9
        )
        assert [store.update(handle, record.hash, change) for _ in range(3)] == [True] * 3
        assert store.load(handle) == record.apply(change)
        assert store.find(change.owner or "") == {handle: record.apply(change)}

    def test_update_replayed_after_delete(self, store: Store) -> None:
        """A change that is replayed after the record was deleted brings nothing back."""
        record = make_record(owner=make_owner())
        handle = keep(store, record)
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
        handle = keep(store, record)
        change = make_change(record, seen=record.seen + 5, end=record.end + 5)
        assert store.update(handle, record.hash, change) is True
        assert store.load(handle) == record._replace(seen=record.seen + 5, end=record.end + 5)

    def test_touch_never_moves_back(self, store: Store) -> None:
        """A touch by a clock that is behind succeeds and moves neither time back."""
        record = make_record()
        handle = keep(store, record)
        change = make_change(record, seen=record.seen - 50, end=record.end - 50)
        assert store.update(handle, record.hash, change) is True
        assert store.load(handle) == record

    def test_write_moves_forward_only(self, store: Store) -> None:
        """A write that is not told to shorten moves neither time back either."""
        record = make_record()
        handle = keep(store, record)
        change = make_change(record, seen=record.seen - 50, end=record.end - 50, fields={'"a"': "2"})
        assert store.update(handle, record.hash, change) is True
        assert store.load(handle) == record._replace(fields={'"a"': "2"})

    def test_shortening(self, store: Store) -> None:
        """A write that is told so moves the end back; the next one moves it on again."""
        record = make_record()
        handle = keep(store, record)
        assert store.update(handle, record.hash, make_change(record, end=record.end - 50, shorten=True))
        assert store.load(handle) == record._replace(end=record.end - 50)
        assert store.update(handle, record.hash, make_change(record, end=record.end + 50))
        assert store.load(handle) == record._replace(end=record.end + 50)

    def test_end_decides(self, store: Store) -> None:
        """A change is accepted in the record's last good second and rejected in the next, by the caller's clock."""
        record = make_record()
        handle = keep(store, record)
        change = make_change(record, seen=record.end + 1, end=record.end + HOUR, fields={'"a"': "2"})
        assert store.update(handle, record.hash, change) is False
        assert store.load(handle) == record
        assert store.update(handle, record.hash, change._replace(seen=record.end)) is True
        assert store.load(handle) == record.apply(change._replace(seen=record.end))

    def test_ended_is_not_taken_over(self, store: Store) -> None:
        """A record that ended a moment ago is still there, and is not taken over."""
        now = int(time.time())
        record = make_record()._replace(created=now - HOUR, seen=now - 2, end=now - 1)
        handle = keep(store, record)
        assert store.create(handle, make_record()) is False
        assert store.load(handle) == record
