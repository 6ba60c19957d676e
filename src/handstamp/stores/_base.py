"""What a store of sessions must do, on a page; :class:`handstamp.testing.StoreContract` proves that it does.

A record never moves: it is kept under its *handle*, which may be shown, from its creation to its end. What opens it is
a secret of which the record holds only the hash; to renew a session is to replace that hash in place. Every time is in
whole seconds since 1970 by the clock of the one who calls; a store's own clock decides nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from ..exceptions import StoreError

#: Seconds that a store keeps a record beyond its end at least: clocks differ. Count them from the last seen, as
#: ``end - seen + GRACE_SECONDS``, and the store's clock need not be ours.
GRACE_SECONDS = 60


class Record(NamedTuple):
    """A session as it is kept. None of its texts holds a control character.

    :ivar hash: SHA-256 of the secret, 64 hexadecimal digits
    :ivar fields: the data, JSON texts under JSON texts (``{'"visits"': '1'}``)
    :ivar owner: whose session it is, as a JSON text; ``""``: nobody's
    :ivar created: when the session began
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
        """Tell whether a change is accepted: the law of :meth:`Store.update`."""
        return self.hash in (expect, change.hash) and change.seen <= self.end

    def apply(self, change: Change) -> Record:
        """Return what an accepted change makes of the record."""
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
    """What one request does to a record; with a time and an end alone it is a *touch*.

    :ivar seen: when the change is made; the record's moves only forward
    :ivar end: the last good second; the record's moves only forward, unless ``shorten`` is set
    :ivar fields: what is set; of the same name the last writer wins
    :ivar removed: names of fields that go; none of them is set too
    :ivar hash: what replaces the hash; ``None``: it stays
    :ivar owner: whose the session becomes, ``""`` for nobody's; ``None``: it stays whose it is
    :ivar created: when the session begins anew; ``None``: it stays
    :ivar shorten: take the end as it is, be it earlier
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
    """Five verbs. Each is one atomic step, and may be replayed by a client library without harm.

    Handles, names and owners are compared exactly: by case, by accent, by trailing blanks. A store that fails or cannot
    be reached raises :exc:`StoreError`, whose message and chain hold neither handles nor data; it works again as soon
    as it can, without a restart.
    """

    def load(self, handle: str) -> Record | None:
        """Return a record, or ``None`` if it is gone; one whose end has passed may be either.

        :raises StoreError: what is kept there is no record; see :func:`damaged`
        """
        ...

    def create(self, handle: str, record: Record) -> bool:
        """Keep a new record. Tell whether it is there, now or by an earlier call with the same hash.

        Whatever else is there already stays as it is, and the answer is ``False``, or :exc:`StoreError` if it is no
        record.
        """
        ...

    def update(self, handle: str, expect: str, change: Change) -> bool:
        """Merge a change into a record; touch nothing that it does not tell, and never create.

        Refused (``False``) if the record is gone, if its end is before ``change.seen``, or if its hash is neither
        ``expect`` nor the one that the change brings (which is a replay). What is there and is no record is rejected,
        or raises :exc:`StoreError`.

        :param expect: the hash under which the session was opened
        """
        ...

    def delete(self, handle: str) -> bool:
        """Drop what is kept under a handle, were it no record. Tell whether there was anything."""
        ...

    def find(self, owner: str) -> Mapping[str, Record]:
        """Return the records of an owner by their handles; those whose end has passed may be among them.

        What cannot be read is left out, for it is nobody's.
        """
        ...


def redact_handle(handle: str) -> str:
    """Return what a message may call a record: the beginning of its handle's hash."""
    return f"the session record {hashlib.sha256(handle.encode()).hexdigest()[:16]}"


def damaged_error(handle: str) -> StoreError:
    """Return the error for what is kept under a handle and is no record."""
    return StoreError(f"{redact_handle(handle)} is damaged or foreign; delete it")
