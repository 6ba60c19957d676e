"""ServerSideSession: a session that is loaded from a record in a store, and has an id and an owner."""

from __future__ import annotations

import logging
from typing import Any, Literal, Protocol

from webob import Request

from ._hidden import discreet
from ._loaded import Loaded
from ._session_id import SessionId, dump_owner, load_owner
from ._settings import Settings
from ._tracked import SecureCookieSession, SessionLoader
from .exceptions import SessionUnavailable, StoreError
from .payload import dump_fields
from .stores import Change, Record

OnFailure = Literal["raise", "readonly"]

logger = logging.getLogger("handstamp")


class LoadedRecord(Loaded):
    """A session as it was loaded from a record.

    :ivar session_id: the id that opened the record
    :ivar owner: the owner as a JSON text
    """

    __slots__ = ("owner", "session_id")

    def __init__(self, data: dict[str, Any], session_id: SessionId, record: Record) -> None:
        super().__init__(data, record.created, record.seen)
        self.session_id: SessionId = session_id
        self.owner: str = record.owner


class ServerSessionLoader(SessionLoader, Protocol):
    """The part of an interface that a server-side session uses."""

    on_failure: OnFailure


class ServerSideSession(SecureCookieSession):
    """A mapping that loads its record at the first access. See :class:`~handstamp.SecureCookieSession` for the rest.

    :ivar handle: identifies the session in a list of sessions, and is not confidential; ``None`` before the session is
        saved
    :ivar owner: the owner, such as a user's id; any value that a session can hold; ``None`` if there is no owner
    :ivar is_available: whether the store could be read. If not, the session is empty and cannot be changed.
    :ivar ended_id: the id of the record that :meth:`invalidate` ended; for the interface

    >>> from handstamp.serverside import ServerSideSessionInterface
    >>> from handstamp.stores import MemoryStore
    >>> request = Request.blank("/")
    >>> settings = Settings({"SECRET_KEY": "the key of an example"})
    >>> session = ServerSideSessionInterface(MemoryStore()).open_session(settings, request)
    >>> session.owner = 7
    >>> session.modified
    True
    """

    __slots__ = ("_id", "_next_id", "_on_failure", "_owner", "_owner_before", "ended_id")

    def __init__(self, loader: ServerSessionLoader, settings: Settings, request: Request) -> None:
        super().__init__(loader, settings, request)
        self._on_failure = loader.on_failure
        self.ended_id: SessionId | None = None

    # -- loading

    def _load(self) -> dict[str, Any]:
        try:
            return super()._load()
        except StoreError as error:
            if self._on_failure == "raise":
                raise
            logger.error("the session is empty and read-only: %s", error)
            data = self._take(None)
            self.is_available = False
            return data

    def _take(self, loaded: Loaded | None) -> dict[str, Any]:
        self._id: SessionId | None = None
        self._owner = self._owner_before = ""
        if isinstance(loaded, LoadedRecord):
            self._id = loaded.session_id
            self._owner = self._owner_before = loaded.owner
        self._next_id: SessionId | None = None
        return super()._take(loaded)

    # -- what the application asks

    @property
    @discreet
    def handle(self) -> str | None:
        """Identifies the session in a list of sessions, and is not confidential; ``None`` before it is saved."""
        self._read()
        session_id = self._next_id or self._id
        return None if session_id is None else session_id.handle

    @property
    @discreet
    def owner(self) -> Any:
        """The owner, such as a user's id; any value that a session can hold; ``None`` if there is no owner."""
        self._read()
        return load_owner(self._owner)

    @owner.setter
    @discreet
    def owner(self, value: Any) -> None:
        text = dump_owner(value)
        self._check_changeable()
        self._read()
        self._owner = text
        self._emptied = self._emptied and not text  # a session may hold an owner and nothing else

    @discreet
    def invalidate(self) -> None:
        """Drop the data, and delete the record and the cookie. A change after this begins a new session."""
        super().invalidate()
        self.ended_id = self.ended_id or self._id
        self._id = None
        self._owner = self._owner_before = ""

    # -- changes

    def _check_changeable(self) -> None:
        super()._check_changeable()
        self._read()
        if not self.is_available:
            raise SessionUnavailable(
                "the session store could not be read, so this session is empty and cannot be changed; see the log for"
                " the reason"
            )

    @discreet
    def pop(self, key: str, *default: Any) -> Any:
        """Remove a key and return its value, or the default if there is none."""
        self._check_changeable()  # otherwise a sign-out by pop(key, None) would seem to work while the store is down
        return super().pop(key, *default)

    def _is_changed(self, data: dict[str, Any]) -> bool:
        return self._owner != self._owner_before or super()._is_changed(data)

    # -- what the interface saves

    def prepare_id(self) -> SessionId:
        """Return the id under which to save the session. A new or renewed session gets a new id, once."""
        if self._next_id is None:
            self._next_id = SessionId.generate() if self._id is None else self._id.renew() if self.renewed else self._id
        return self._next_id

    @property
    def loaded_id(self) -> SessionId | None:
        """The id that opened the record; ``None`` if there is no record."""
        self._read()
        return self._id

    @property
    def renewed(self) -> bool:
        """Whether the session gets a new secret."""
        return self._renewed

    @property
    def is_worth_saving(self) -> bool:
        """Whether the session holds data or has an owner."""
        return bool(self._read() or self._owner)

    def make_record(self, seen: int) -> Record:
        """Return the record of a new session.

        :param seen: the current time, in whole seconds since 1970
        :raises UnserializableValue: a value has no exact form in a session
        """
        fields, session_hash = dump_fields(self._read()), self.prepare_id().hash
        return Record(session_hash, fields, self._owner, self._created, seen, self._find_end(seen))

    def make_change(self, seen: int) -> Change:
        """Return the changes of this request. They leave the other keys to other requests, which may change them too.

        :param seen: the current time, in whole seconds since 1970
        :raises UnserializableValue: a value has no exact form in a session
        """
        data, keys = self._read(), self.list_changes()
        return Change(
            seen,
            self._find_end(seen),
            fields=dump_fields({key: data[key] for key in keys if key in data}),
            removed=list(dump_fields({key: None for key in keys if key not in data})),
            hash=self.prepare_id().hash if self._renewed else None,
            owner=None if self._owner == self._owner_before else self._owner,
            created=self._created if self._renewed else None,
            shorten="_permanent" in keys,
        )

    def _find_end(self, seen: int) -> int:
        return self._settings.limits_of(self._read()).find_end(self._created, seen)
