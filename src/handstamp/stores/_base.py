"""What a session store must do, on one page. :class:`handstamp.testing.StoreContract` proves that a store does it.

A record never moves. It is kept under its *handle*, which may be shown, from its creation to its end. A secret opens
it, and the record holds only the hash of that secret. Renewing a session replaces the hash in place. All times are
whole seconds since 1970 by the caller's clock. A store's own clock decides nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from ..exceptions import StoreError

#: How long a store keeps a record beyond its end, at least, because clocks differ. Counted from the last seen, as
#: ``end - seen + GRACE_SECONDS``, it does not depend on the store's clock.
GRACE_SECONDS = 60


class Record(NamedTuple):
    """A session as a store keeps it. None of its texts holds a control character.

    :ivar hash: SHA-256 of the secret, 64 hexadecimal digits
    :ivar fields: the data, JSON texts under JSON texts (``{'"visits"': '1'}``)
    :ivar owner: the owner as a JSON text; ``""``: nobody
    :ivar created: when the session was created
    :ivar seen: when it was last written or touched
    :ivar end: its last good second
    """

    hash: str
    fields: Mapping[str, str]
    owner: str
    created: int
    seen: int
    end: int

    def admits(self, expect: str, change: Change) -> bool:
        """Return whether a change is accepted: the rule of :meth:`Store.update`."""
        return self.hash in (expect, change.hash) and change.seen <= self.end

    def apply(self, change: Change) -> Record:
        """Return the record after an accepted change."""
        kept = {name: text for name, text in self.fields.items() if name not in change.removed}
        return Record(
            hash=self.hash if change.hash is None else change.hash,
            fields={**kept, **change.fields},
            owner=self.owner if change.owner is None else change.owner,
            created=self.created if change.created is None else change.created,
            seen=max(self.seen, change.seen),
            end=change.end if change.shorten else max(self.end, change.end),
        )


class Change(NamedTuple):
    """What one request changes in a record. With nothing but a time and an end it is a *touch*.

    :ivar seen: when the change is made; the record's time only moves forward
    :ivar end: the last good second; the record's end only moves forward, unless ``shorten`` is set
    :ivar fields: the fields to set; for the same name the last writer wins
    :ivar removed: the names of the fields to remove; none of them is also set
    :ivar hash: replaces the hash; ``None``: it stays
    :ivar owner: replaces the owner, ``""`` for nobody; ``None``: it stays
    :ivar created: replaces the time of creation; ``None``: it stays
    :ivar shorten: whether the end may also move back
    """

    seen: int
    end: int
    fields: Mapping[str, str] = {}
    removed: Sequence[str] = ()
    hash: str | None = None
    owner: str | None = None
    created: int | None = None
    shorten: bool = False


class Store(Protocol):
    """Five verbs. Each is one atomic step, and a client library may repeat it without harm.

    Handles, names and owners are compared exactly: case, accents and trailing blanks count. A store that fails or
    cannot be reached raises :exc:`StoreError`, whose message and chain hold neither handles nor data. It works again as
    soon as it can, without a restart.
    """

    def load(self, handle: str) -> Record | None:
        """Return a record, or ``None`` if there is none. A record whose end has passed may be either.

        :raises StoreError: what is kept there is not a record
        """
        ...

    def create(self, handle: str, record: Record) -> bool:
        """Keep a new record. Return whether it is there, by this call or by an earlier one with the same hash.

        Anything else under this handle stays as it is. The answer is then ``False``, or a :exc:`StoreError` if it is
        not a record.
        """
        ...

    def update(self, handle: str, expect: str, change: Change) -> bool:
        """Merge a change into a record. Leave everything else as it is, and never create a record.

        The answer is ``False`` if there is no record, if its end is before ``change.seen``, or if its hash is neither
        ``expect`` nor the one that the change brings (which is a repeated call). If what is kept there is not a record,
        the answer is ``False`` or a :exc:`StoreError`.

        :param expect: the hash of the record when the session was loaded
        """
        ...

    def delete(self, handle: str) -> bool:
        """Delete what is kept under a handle, even if it is not a record. Return whether there was anything."""
        ...

    def find(self, owner: str) -> Mapping[str, Record]:
        """Return the records of an owner by their handles. Records whose end has passed may be among them.

        What cannot be read is left out.
        """
        ...


def redact_handle(handle: str) -> str:
    """Return what a message may call a record: the beginning of its handle's hash."""
    return f"the session record {hashlib.sha256(handle.encode()).hexdigest()[:16]}"


def damaged_error(handle: str) -> StoreError:
    """Return the error for what is kept under a handle and is not a record."""
    return StoreError(f"{redact_handle(handle)} is damaged or foreign; delete it")
