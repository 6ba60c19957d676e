"""The session of a record in a store: the same mapping, which also has an id and an owner."""

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

    :ivar session_id: what has opened the record
    :ivar owner: the owner as text
    """

    __slots__ = ("owner", "session_id")

    def __init__(self, data: dict[str, Any], session_id: SessionId, record: Record) -> None:
        super().__init__(data, record.created, record.seen)
        self.session_id: SessionId = session_id
        self.owner: str = record.owner


class ServerSessionLoader(SessionLoader, Protocol):
    """What a server-side session asks of its interface."""

    on_failure: OnFailure


class ServerSideSession(SecureCookieSession):
    """A mapping that reads its record at the first access; see :class:`SecureCookieSession`.

    :ivar handle: names the session in a list of sessions, and may be shown; ``None`` before it is saved
    :ivar owner: whose session it is: any value that a session can hold, such as a user's id; ``None``: nobody's
    :ivar is_available: whether the store could be read; if not, the session is empty and cannot be changed
    """

    __slots__ = ("_id", "_next_id", "_on_failure", "_owner", "_owner_before", "ended_id", "is_available")

    def __init__(self, loader: ServerSessionLoader, settings: Settings, request: Request) -> None:
        super().__init__(loader, settings, request)
        self._on_failure = loader.on_failure
        self.is_available: bool = True
        self.ended_id: SessionId | None = None

    # -- loading

    def _load(self) -> dict[str, Any]:
        try:
            return super()._load()
        except StoreError as error:
            if self._on_failure == "raise":
                raise
            logger.error("the session is empty and read-only: %s", error)
            self.is_available = False
            return self._take(None)

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
        """Names the session in a list of sessions, and may be shown; ``None`` before it is saved."""
        self._read()
        session_id = self._next_id or self._id
        return None if session_id is None else session_id.handle

    @property
    @discreet
    def owner(self) -> Any:
        """Whose session it is: any value that a session can hold, such as a user's id; ``None``: nobody's."""
        self._read()
        return load_owner(self._owner)

    @owner.setter
    @discreet
    def owner(self, value: Any) -> None:
        text = dump_owner(value)
        self._check_open()
        self._read()
        self._owner = text

    @discreet
    def invalidate(self) -> None:
        """Drop the data, delete the record and the cookie. A change after this begins a new session."""
        super().invalidate()
        self.ended_id = self.ended_id or self._id
        self._id = None
        self._owner = self._owner_before = ""

    # -- changes

    def _check_open(self) -> None:
        super()._check_open()
        self._read()
        if not self.is_available:
            raise SessionUnavailable(
                "the session store could not be read, so this session is empty and cannot be changed; the log says why"
            )

    @discreet
    def pop(self, key: str, *default: Any) -> Any:
        """Remove a key and return its value, or the default if there is none."""
        self._check_open()  # else a sign-out by pop(key, None) would seem to work while the store is down
        return super().pop(key, *default)

    def _is_changed(self, data: dict[str, Any]) -> bool:
        return self._owner != self._owner_before or super()._is_changed(data)

    # -- what the interface saves

    def prepare_id(self) -> SessionId:
        """Return the id that the session is saved under: a new one for a new or a renewed session; made once."""
        if self._next_id is None:
            self._next_id = SessionId.generate() if self._id is None else self._id.renew() if self.renewed else self._id
        return self._next_id

    @property
    def loaded_id(self) -> SessionId | None:
        """What has opened the record; ``None``: there is no record."""
        self._read()
        return self._id

    @property
    def renewed(self) -> bool:
        """Whether the session gets a new secret."""
        return self._renewed

    @property
    def is_worth_saving(self) -> bool:
        """Whether there is anything to save: data or an owner."""
        return bool(self._read() or self._owner)

    def make_record(self, seen: int) -> Record:
        """Return the record of a new session.

        :param seen: the time, in whole seconds since 1970
        :raises UnserializableValue: names what has no exact form
        """
        fields, session_hash = dump_fields(self._read()), self.prepare_id().hash
        return Record(session_hash, fields, self._owner, self._created, seen, self._find_end(seen))

    def make_change(self, seen: int) -> Change:
        """Return what this request changes in the record, and no more: others may write to other keys meanwhile.

        :param seen: the time, in whole seconds since 1970
        :raises UnserializableValue: names what has no exact form
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
