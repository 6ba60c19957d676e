"""The tests of a store's ``load``, ``create`` and ``update``."""

from __future__ import annotations

import time

from ..stores._base import Store
from ._records import HOUR, keep, make_change, make_handle, make_hash, make_owner, make_record


class ChangeLaws:
    """Tests of ``load``, ``create`` and ``update``, called one after the other."""

    # -- load

    def test_load_gives_what_was_created(self, store: Store) -> None:
        """A record is loaded exactly as it was created, whatever JSON texts it holds."""
        record = make_record(
            fields={'"a"': "1", '"é\\u0000\\n"': '"€\\ud83d\\ude00 😀"', '""': '""', '"b"': "[" * 9000}
        )
        handle = keep(store, record)
        assert store.load(handle) == record

    def test_load_of_nothing(self, store: Store) -> None:
        """Loading a handle without a record returns None."""
        assert store.load(make_handle()) is None

    def test_record_without_fields(self, store: Store) -> None:
        """A record may have neither fields nor an owner."""
        record = make_record(fields={})
        assert store.load(keep(store, record)) == record

    def test_record_that_loses_all_fields(self, store: Store) -> None:
        """A record stays when its last field is removed."""
        record = make_record(fields={'"a"': "1"})
        handle = keep(store, record)
        assert store.update(handle, record.hash, make_change(record, removed=['"a"']))
        assert store.load(handle) == record._replace(fields={})

    # -- create

    def test_create_never_takes_over(self, store: Store) -> None:
        """Creating a record under a handle that is taken returns False, and leaves the other record alone."""
        record = make_record(owner=make_owner())
        handle = keep(store, record)
        assert store.create(handle, make_record(owner=make_owner(), fields={'"b"': "2"})) is False
        assert store.load(handle) == record

    def test_create_replayed(self, store: Store) -> None:
        """Creating a record again with the same hash succeeds."""
        record = make_record(owner=make_owner())
        handle = keep(store, record)
        assert store.create(handle, record) is True
        assert store.load(handle) == record
        assert store.find(record.owner) == {handle: record}

    def test_create_replayed_late(self, store: Store) -> None:
        """Creating a record again after a change succeeds, and does not undo the change."""
        record = make_record()
        handle = keep(store, record)
        change = make_change(record, fields={'"a"': "2"}, end=record.end + 9)
        assert store.update(handle, record.hash, change)
        assert store.create(handle, record) is True
        assert store.load(handle) == record.apply(change)

    # -- update

    def test_update_merges(self, store: Store) -> None:
        """A change sets and removes the fields that it names, and leaves all others alone."""
        record = make_record(fields={'"a"': "1", '"b"': "2", '"c"': "3"})
        handle = keep(store, record)
        change = make_change(record, fields={'"b"': "4", '"d"': "5"}, removed=['"c"', '"x"'])
        assert store.update(handle, record.hash, change) is True
        assert store.load(handle) == record._replace(fields={'"a"': "1", '"b"': "4", '"d"': "5"})

    def test_update_of_much(self, store: Store) -> None:
        """A change can set and remove hundreds of fields at once."""
        record = make_record(fields={f'"{number}"': "1" for number in range(500)})
        handle = keep(store, record)
        added = {f'"x{number}"': "2" for number in range(500)}
        assert store.update(handle, record.hash, make_change(record, fields=added, removed=list(record.fields)))
        assert store.load(handle) == record._replace(fields=added)

    def test_update_never_creates(self, store: Store) -> None:
        """A change is rejected if there is no record, and does not create one."""
        handle, record = make_handle(), make_record(owner=make_owner())
        change = make_change(record, fields={'"a"': "1"}, owner=record.owner, hash=record.hash)
        assert store.update(handle, record.hash, change) is False
        assert store.load(handle) is None
        assert store.find(record.owner) == {}

    def test_update_with_another_hash(self, store: Store) -> None:
        """A change is rejected if it expects another hash, and changes nothing."""
        record = make_record(owner=make_owner())
        handle = keep(store, record)
        change = make_change(record, fields={'"a"': "9"}, owner=make_owner(), end=record.end + 9)
        assert store.update(handle, make_hash(), change) is False
        assert store.update(handle, make_hash(), change._replace(hash=make_hash())) is False
        assert store.load(handle) == record

    def test_update_of_the_rest(self, store: Store) -> None:
        """A change can replace only the hash, only the owner or only the time of creation."""
        record = make_record(owner=make_owner())
        handle = keep(store, record)
        for parts in ({"hash": make_hash()}, {"owner": make_owner()}, {"created": record.created + 5}, {"owner": ""}):
            expected = record._replace(**parts)
            assert store.update(handle, record.hash, make_change(record)._replace(**parts)) is True
            assert store.load(handle) == expected
            record = expected

    def test_old_hash_is_dead(self, store: Store) -> None:
        """After the hash is replaced, changes that expect the old hash are rejected, and those with the new succeed."""
        record = make_record()
        handle, new = keep(store, record), make_hash()
        assert store.update(handle, record.hash, make_change(record, hash=new))
        assert store.update(handle, record.hash, make_change(record, fields={'"a"': "9"})) is False
        assert store.update(handle, record.hash, make_change(record, hash=make_hash())) is False
        assert store.update(handle, new, make_change(record, fields={'"a"': "8"})) is True
        assert store.load(handle) == record._replace(hash=new, fields={'"a"': "8"})

    def test_update_replayed(self, store: Store) -> None:
        """A change that replaces the hash can be repeated, with the same outcome."""
        record = make_record(owner=make_owner(), fields={'"a"': "1", '"b"': "2"})
        handle = keep(store, record)
        change = make_change(
            record, fields={'"a"': "3"}, removed=['"b"'], hash=make_hash(), owner=make_owner(), end=record.end + 9
        )
        assert [store.update(handle, record.hash, change) for _ in range(3)] == [True] * 3
        assert store.load(handle) == record.apply(change)
        assert store.find(change.owner or "") == {handle: record.apply(change)}

    def test_update_replayed_after_delete(self, store: Store) -> None:
        """A change that is repeated after the record was deleted is rejected, and brings nothing back."""
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
        """A touch moves ``seen`` and ``end`` forward."""
        record = make_record()
        handle = keep(store, record)
        change = make_change(record, seen=record.seen + 5, end=record.end + 5)
        assert store.update(handle, record.hash, change) is True
        assert store.load(handle) == record._replace(seen=record.seen + 5, end=record.end + 5)

    def test_touch_never_moves_back(self, store: Store) -> None:
        """A touch by a clock that is behind succeeds, and moves neither time back."""
        record = make_record()
        handle = keep(store, record)
        change = make_change(record, seen=record.seen - 50, end=record.end - 50)
        assert store.update(handle, record.hash, change) is True
        assert store.load(handle) == record

    def test_write_moves_forward_only(self, store: Store) -> None:
        """A write without ``shorten`` moves neither time back."""
        record = make_record()
        handle = keep(store, record)
        change = make_change(record, seen=record.seen - 50, end=record.end - 50, fields={'"a"': "2"})
        assert store.update(handle, record.hash, change) is True
        assert store.load(handle) == record._replace(fields={'"a"': "2"})

    def test_shortening(self, store: Store) -> None:
        """A write with ``shorten`` moves the end back, and a later write moves it forward again."""
        record = make_record()
        handle = keep(store, record)
        assert store.update(handle, record.hash, make_change(record, end=record.end - 50, shorten=True))
        assert store.load(handle) == record._replace(end=record.end - 50)
        assert store.update(handle, record.hash, make_change(record, end=record.end + 50))
        assert store.load(handle) == record._replace(end=record.end + 50)

    def test_end_decides(self, store: Store) -> None:
        """By the caller's clock, a change is accepted in the last second of a record and rejected in the next."""
        record = make_record()
        handle = keep(store, record)
        change = make_change(record, seen=record.end + 1, end=record.end + HOUR, fields={'"a"': "2"})
        assert store.update(handle, record.hash, change) is False
        assert store.load(handle) == record
        assert store.update(handle, record.hash, change._replace(seen=record.end)) is True
        assert store.load(handle) == record.apply(change._replace(seen=record.end))

    def test_ended_is_not_taken_over(self, store: Store) -> None:
        """A record that ended a moment ago still exists, and creating another one under its handle is rejected."""
        now = int(time.time())
        record = make_record()._replace(created=now - HOUR, seen=now - 2, end=now - 1)
        handle = keep(store, record)
        assert store.create(handle, make_record()) is False
        assert store.load(handle) == record
