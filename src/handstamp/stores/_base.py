"""The rules of a session store, on one page. :class:`handstamp.testing.StoreContract` tests that a store keeps them.

A record never moves. It is kept under its *handle*, which may be shown, from its creation to its end. A secret opens
it, and the record holds only the hash of that secret. Renewing a session replaces the hash in place. All times are
whole seconds since 1970 by the caller's clock. A store's own clock decides nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from .._field_docs import document_fields
from ..exceptions import StoreError

#: A store keeps a record for at least this long after its end, because clocks differ. A store that counts the seconds
#: to live computes ``end - seen + GRACE_SECONDS``, which does not depend on its own clock.
GRACE_SECONDS = 60


class Record(NamedTuple):
    """A session as a store keeps it. Its texts contain no control characters.

    :ivar hash: SHA-256 of the secret, 64 hexadecimal digits
    :ivar fields: the data; each key and each value is a JSON text, as in ``{'"visits"': '1'}``
    :ivar owner: the owner as a JSON text; ``""`` if the session has no owner
    :ivar created: when the session was created
    :ivar seen: when the session was last written or touched
    :ivar end: the last second in which the session is valid

    >>> record = Record(hash="0" * 64, fields={'"visits"': "1"}, owner="", created=0, seen=0, end=3600)
    >>> record.apply(Change(seen=60, end=3660, fields={'"visits"': "2"})).fields
    {'"visits"': '2'}
    """

    hash: str
    fields: Mapping[str, str]
    owner: str
    created: int
    seen: int
    end: int

    def admits(self, expect: str, change: Change) -> bool:
        """Return whether :meth:`Store.update` accepts a change."""
        return self.hash in (expect, change.hash) and change.seen <= self.end

    def apply(self, change: Change) -> Record:
        """Return the record after an accepted change."""
        removed = frozenset(change.removed)
        kept = {name: text for name, text in self.fields.items() if name not in removed}
        return Record(
            hash=self.hash if change.hash is None else change.hash,
            fields={**kept, **change.fields},
            owner=self.owner if change.owner is None else change.owner,
            created=self.created if change.created is None else change.created,
            seen=max(self.seen, change.seen),
            end=change.end if change.shorten else max(self.end, change.end),
        )


document_fields(Record)


class Change(NamedTuple):
    """The changes that one request makes to a record. A change with only ``seen`` and ``end`` is a *touch*.

    :ivar seen: when the change is made; the record's ``seen`` only moves forward
    :ivar end: the new end; the record's ``end`` only moves forward, unless ``shorten`` is True
    :ivar fields: the fields to set; if two requests set the same field, the last one wins
    :ivar removed: the names of the fields to remove; none of them is in ``fields``
    :ivar hash: the new hash; ``None`` keeps the old one
    :ivar owner: the new owner, ``""`` for no owner; ``None`` keeps the old one
    :ivar created: the new time of creation; ``None`` keeps the old one
    :ivar shorten: whether the end may also move back

    >>> touch = Change(seen=60, end=3660)
    >>> touch.fields, touch.owner
    ({}, None)
    """

    seen: int
    end: int
    fields: Mapping[str, str] = {}
    removed: Sequence[str] = ()
    hash: str | None = None
    owner: str | None = None
    created: int | None = None
    shorten: bool = False


document_fields(Change)


class Store(Protocol):
    """The five methods of a store. Each is one atomic step, and a client library may safely repeat it.

    Handles, names and owners are compared exactly: case, accents and trailing blanks count. If a store fails or cannot
    be reached, it raises :exc:`StoreError`. Neither the message of that error nor its chain contains handles or data.
    After a failure the store works again as soon as it can, without a restart.

    >>> from handstamp.stores import MemoryStore
    >>> store: Store = MemoryStore()
    >>> record = Record(hash="0" * 64, fields={'"visits"': "1"}, owner='"ada"', created=0, seen=0, end=3600)
    >>> store.create("handle", record)
    True
    >>> store.update("handle", record.hash, Change(seen=60, end=3660, fields={'"visits"': "2"}))
    True
    >>> store.load("handle").fields
    {'"visits"': '2'}
    >>> list(store.find('"ada"'))
    ['handle']
    >>> store.delete("handle")
    True
    """

    def load(self, handle: str) -> Record | None:
        """Return a record, or ``None`` if there is none.

        If the end of the record has passed, the store may return either.

        :raises StoreError: the value under the handle is not a record
        """
        ...

    def create(self, handle: str, record: Record) -> bool:
        """Save a new record. Return whether the store holds it now.

        A repeated call with the same hash also returns ``True``, and changes nothing. If the handle holds another
        record, it stays as it is, and the call returns ``False``. If the handle holds a value that is not a record, it
        stays as it is, and the call returns ``False`` or raises :exc:`StoreError`.
        """
        ...

    def update(self, handle: str, expect: str, change: Change) -> bool:
        """Merge a change into a record. Return whether the store accepted it. Never create a record.

        A change is rejected if there is no record, if the record ended before ``change.seen``, or if the record's hash
        is neither ``expect`` nor ``change.hash``. (It is ``change.hash`` if the call is a repetition.) If the value
        under the handle is not a record, the call returns ``False`` or raises :exc:`StoreError`.

        :param expect: the hash of the record when the session was loaded
        """
        ...

    def delete(self, handle: str) -> bool:
        """Delete the value under a handle, even if it is not a record. Return whether there was one."""
        ...

    def find(self, owner: str) -> Mapping[str, Record]:
        """Return the records of an owner by their handles.

        Records whose end has passed may be among them. Damaged records are left out.
        """
        ...


def redact_handle(handle: str) -> str:
    """Return the name of a record for messages: the beginning of its handle's hash."""
    return f"the session record {hashlib.sha256(handle.encode()).hexdigest()[:16]}"


def damaged_error(handle: str) -> StoreError:
    """Return the error for a value under a handle that is not a record."""
    return StoreError(f"{redact_handle(handle)} is damaged or foreign; delete it")
