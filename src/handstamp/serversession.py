"""The session of a record in a store: the same mapping, which also knows its ticket and its owner."""

from __future__ import annotations

import hashlib
from secrets import token_bytes
from typing import Any, NamedTuple

from webob import Request

from .exceptions import BadToken, RejectReason, SessionUnavailable
from .lazy import SecureCookieSession, SessionSource
from .payload import dump_fields, load_fields
from .settings import Settings
from .stores.base import Change, Record
from .tokens import ALPHABET, encode_urlsafe

# 128 bits each (ASVS 7.2.3).
_HANDLE_BYTES = _SECRET_BYTES = 16
_HANDLE_LENGTH = 22  # of base64url without padding


class Ticket(NamedTuple):
    """What opens a record.

    :ivar content: what the token holds: handle and secret
    :ivar handle: where the record is kept, 22 characters of base64url; stays as long as the session
    :ivar hash: what the record holds of the secret: SHA-256, for 128 random bits need no salt
    """

    content: bytes
    handle: str
    hash: str

    def renew(self) -> Ticket:
        """Return a ticket with another secret for the same record."""
        return read_ticket(self.content[:_HANDLE_BYTES] + token_bytes(_SECRET_BYTES))


def make_ticket() -> Ticket:
    """Return a ticket for a record that is nowhere yet."""
    return read_ticket(token_bytes(_HANDLE_BYTES + _SECRET_BYTES))


def read_ticket(content: bytes) -> Ticket:
    """Read what a token holds; :exc:`BadToken` if it is no ticket."""
    if len(content) != _HANDLE_BYTES + _SECRET_BYTES:
        raise BadToken(RejectReason.MALFORMED)
    handle, secret = content[:_HANDLE_BYTES], content[_HANDLE_BYTES:]
    return Ticket(content, encode_urlsafe(handle).decode(), hashlib.sha256(secret).hexdigest())


def is_handle(text: str) -> bool:
    """Tell whether a text, which may come from anywhere, can be the handle of a record at all."""
    return len(text) == _HANDLE_LENGTH and text.isascii() and not text.encode().translate(None, ALPHABET)


def dump_owner(owner: object) -> str:
    """Write an owner as a store keeps it: exactly, so that 1 is not "1"; ``""`` for nobody.

    :raises UnserializableValue: as :func:`payload.dumps` does
    """
    return "" if owner is None else dump_fields({"owner": owner})['"owner"']


def load_owner(text: str) -> Any:
    """Read what :func:`dump_owner` wrote; :exc:`ValueError` for anything else."""
    return load_fields({'"owner"': text})["owner"] if text else None


class ServerSideSession(SecureCookieSession):
    """A mapping that reads its record at the first touch.

    :ivar ticket: what opens the record; ``None``: there is none yet
    :ivar dropped: the ticket of a record that ``invalidate()`` ended; the interface deletes it
    :ivar unavailable: the store could not be read: the session is empty, and refuses changes
    """

    __slots__ = ("_owner", "_owner_before", "dropped", "ticket", "unavailable")

    def __init__(self, source: SessionSource, settings: Settings, request: Request) -> None:
        super().__init__(source, settings, request)
        self.ticket: Ticket | None = None
        self.dropped: Ticket | None = None
        self.unavailable = False
        self._owner = self._owner_before = ""

    # -- what the interface tells

    def take_record(self, ticket: Ticket | None, owner: str) -> None:
        """Belong to a record from now on, or to none."""
        self.ticket = ticket
        self._owner = self._owner_before = owner

    def adopt(self, data: dict[str, Any], created: int, *, opened: bool, stale: bool) -> None:
        """Become what a record held, or a new session."""
        super().adopt(data, created, opened=opened, stale=stale)
        if not opened:
            self.take_record(None, "")

    # -- what the application asks

    @property
    def handle(self) -> str | None:
        """What ends the session from a list of them, and may be shown; ``None`` before it was saved."""
        self._read()
        return None if self.ticket is None else self.ticket.handle

    @property
    def owner(self) -> Any:
        """Whose the session is, by any value that a session can hold, as a user's id; ``None``: nobody's."""
        self._read()
        return load_owner(self._owner)

    @owner.setter
    def owner(self, value: Any) -> None:
        text = dump_owner(value)
        self._refuse_change()
        self._read()
        self._owner = text

    def invalidate(self) -> None:
        """Drop the data, delete record and cookie; a write after this begins a brand-new session."""
        super().invalidate()
        self.dropped = self.dropped or self.ticket
        self.take_record(None, "")

    # -- changes

    def _refuse_change(self) -> None:
        super()._refuse_change()
        self._read()
        if self.unavailable:
            raise SessionUnavailable(
                "the store of sessions could not be read, so this session is empty and cannot be changed; the log says"
                " why"
            )

    def pop(self, key: str, *default: Any) -> Any:
        """Remove a key and return its value; the default if there is none."""
        self._refuse_change()  # else a sign-out by pop(key, None) would seem to work while the store is down
        return super().pop(key, *default)

    @property
    def modified(self) -> bool:
        """Whether what would be kept differs from what was read. Assign to overrule: ``False`` discards."""
        if self._modified is None and self._data is not None and self._owner != self._owner_before:
            return True
        return super().modified

    @modified.setter
    def modified(self, value: bool) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        SecureCookieSession.modified.fset(self, value)  # type: ignore[attr-defined]

    # -- what the store keeps

    def make_record(self, ticket: Ticket, seen: int) -> Record:
        """Return the record of a new session.

        :param seen: the time
        :raises UnserializableValue: names what has no exact form
        """
        return Record(ticket.hash, dump_fields(self._read()), self._owner, self._created, seen, self._find_end(seen))

    def make_change(self, ticket: Ticket, seen: int) -> Change:
        """Return what this request does to the record, and no more: others may write to other keys meanwhile.

        :param seen: the time
        :raises UnserializableValue: names what has no exact form
        """
        data, keys = self._read(), self.find_changed_keys()
        return Change(
            seen,
            self._find_end(seen),
            fields=dump_fields({key: data[key] for key in keys if key in data}),
            removed=list(dump_fields({key: None for key in keys if key not in data})),
            hash=ticket.hash if self._renewed else None,
            owner=None if self._owner == self._owner_before else self._owner,
            created=self._created if self._renewed else None,
            shorten="_permanent" in keys,
        )

    def _find_end(self, seen: int) -> int:
        permanent = bool(self._read().get("_permanent"))
        return self._settings.lifetimes.of(permanent).expires(self._created, seen)

    @property
    def renewed(self) -> bool:
        """Whether the secret is to be replaced."""
        return self._renewed

    @property
    def is_worth_keeping(self) -> bool:
        """Whether there is anything to keep: data or an owner."""
        return bool(self._read() or self._owner)
