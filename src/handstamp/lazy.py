"""The session of a signed cookie: read at the first touch, and exact about what has changed.

What has changed is found by keeping, for each key that was assigned, deleted, or whose value was handed out and can
change unseen (a list in the basket), what was read. At the end the two are compared, by type and by value.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Protocol, Self
from weakref import ref

from webob import Request

from .exceptions import ReservedKey, SessionCommitted
from .payload import ATOMS, IMMUTABLE, is_immutable
from .session import SessionMixin
from .settings import Settings

#: The key of the payload that the mapping never shows.
CREATED = "_created"


class _Absent:
    """What was read of a key that was not there."""


_ABSENT = _Absent()


class _Fingerprint(str):
    """What was read of a value that is no atom."""

    __slots__ = ()


class SessionSource(Protocol):
    """What a session asks its interface."""

    def load_session(self, settings: Settings, request: Request, session: SecureCookieSession) -> None:
        """Have the session adopt what the request's cookies hold."""
        ...

    def fingerprint(self, value: Any) -> str:
        """Write a value so that equal values give equal text."""
        ...

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        ...


class SecureCookieSession(SessionMixin):
    """A mapping that reads its cookie at the first touch.

    Made by ``open_session``. It holds no more than a weak reference to the request: environ, session and request form
    no circle, so no request leaves garbage behind.

    :ivar content: what the data were read from; told by the interface
    :ivar opened: the data come from a good cookie
    :ivar touched: of a session that opened: the keys whose values may be others than were read, and what was read
    """

    __slots__ = (
        "_created", "_data", "_ended", "_modified", "_renewed", "_request", "_settings", "_source", "_stale",
        "accessed", "committed", "content", "opened", "touched",
    )  # fmt: skip

    def __init__(self, source: SessionSource, settings: Settings, request: Request) -> None:
        self._source = source
        self._settings = settings
        self._request = ref(request)
        self._data: dict[str, Any] | None = None
        self._modified: bool | None = None
        self.accessed = self.committed = False
        self.content: bytes | None = None

    # -- reading

    def adopt(self, data: dict[str, Any], created: int, *, opened: bool, stale: bool) -> None:
        """Become what a good cookie held, or a new session; called by the interface.

        :param data: the session's own from now on
        :param created: whole seconds since 1970
        :param opened: the data come from a good cookie
        :param stale: its token is due to be issued anew, for its age or for its key
        """
        self._data = data
        self.content = None
        self.accessed = True
        self._created = created
        self.opened = opened
        self._stale = stale
        self.touched: dict[str, Any] = {}
        self._renewed = self._ended = False

    def _load(self) -> dict[str, Any]:
        request = self._request()
        if self.committed or request is None:
            raise SessionCommitted("a first look after the response's head has gone; look before the first chunk")
        try:
            self._source.load_session(self._settings, request, self)
        except BaseException:
            self._data = None  # what validate_session did not come to accept must not be found here
            self.accessed = False
            raise
        return self._data  # type: ignore[return-value]  # load_session has had it adopted

    def _read(self) -> dict[str, Any]:
        # Written out where most requests come by, since a call costs as much as what it does.
        data = self._data
        return self._load() if data is None else data

    def __getitem__(self, key: str) -> Any:
        data = self._data
        value = (self._load() if data is None else data)[key]
        if type(value) not in IMMUTABLE and not is_immutable(value):
            self._remember(key)
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or the default."""
        data = self._data
        if data is None:
            data = self._load()
        return self[key] if key in data else default

    def __contains__(self, key: object) -> bool:
        return key in self._read()

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        state = "not read" if self._data is None else "modified" if self.modified else "read"
        return f"<{type(self).__name__}: {state}>"

    # -- writing

    def __setitem__(self, key: str, value: Any) -> None:
        if key == CREATED:
            raise ReservedKey(f"{CREATED!r} is kept by handstamp itself; session.renew() begins a session anew")
        self._refuse_change()
        self._remember(key)[key] = value
        if type(key) is not str:
            self.content = None  # it may be in the place of an equal one, so what was read vouches for nothing

    def __delitem__(self, key: str) -> None:
        self._refuse_change()
        del self._remember(key)[key]

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the last key and its value, as a dict does."""
        self._refuse_change()
        for key in reversed(self._read()):
            return key, self.pop(key)
        raise KeyError("the session is empty")

    def __ior__(self, other: Any) -> Self:  # type: ignore[misc,override]  # unlike | it changes the session
        self.update(other)
        return self

    def renew(self) -> None:
        """Issue the session anew: data kept, ``created`` starts again."""
        self._refuse_change()
        self._read()
        self._created = int(self._source.now())
        self._renewed = True

    def invalidate(self) -> None:
        """Drop the data and delete the cookie; a write after this begins a brand-new session."""
        self.renew()
        self._data = {}
        self._ended = True

    def _refuse_change(self) -> None:
        if self.committed:
            raise SessionCommitted("a change after the response's head has gone; make it before the first chunk")

    # -- what has changed

    def _remember(self, key: str) -> dict[str, Any]:
        """Keep what was read of a key, if anything was, before it changes or is handed out; return the data."""
        data = self._data
        if data is None:
            data = self._load()
        if self.opened and key not in self.touched:
            value = data.get(key, _ABSENT)
            is_whole = value is _ABSENT or type(value) in ATOMS
            self.touched[key] = value if is_whole else _Fingerprint(self._source.fingerprint(value))
        return data

    def _has_changed(self, key: str) -> bool:
        before, value = self.touched[key], self._read().get(key, _ABSENT)
        kind = type(before)
        if kind is _Fingerprint:
            return value is _ABSENT or type(value) in ATOMS or self._fingerprint(value) != before
        # 1 is not True, and 0.0 not -0.0: they are written differently.
        return kind is not type(value) or before != value or (kind is float and str(before) != str(value))

    def _fingerprint(self, value: Any) -> str | None:
        try:
            return self._source.fingerprint(value)
        except (TypeError, ValueError):
            return None  # it cannot be written; saving says why

    def find_changed_keys(self) -> list[str]:
        """Return the keys of a session that opened which would be written otherwise than they were read, or no more."""
        self._read()
        return [key for key in self.touched if self._has_changed(key)]

    @property
    def modified(self) -> bool:
        """Whether what would be written differs from what was read. Assign to overrule: ``False`` discards."""
        if self._modified is not None or self._data is None:
            return self._modified is True
        if self._renewed or not self.opened:
            return bool(self._data) or self.opened
        return bool(self.touched) and any(map(self._has_changed, self.touched))

    @modified.setter
    def modified(self, value: bool) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        SecureCookieSession._refuse_change(self)  # to overrule is no change yet: nothing is read for it
        self._modified = bool(value)

    # -- what the interface asks

    @property
    def new(self) -> bool:  # type: ignore[override]
        """Whether this request began the session."""
        self._read()
        return self._ended or not self.opened

    @property
    def created(self) -> datetime:
        """When the session began, in UTC."""
        self._read()
        return datetime.fromtimestamp(self._created, UTC)

    @property
    def stale(self) -> bool:  # type: ignore[override]
        """Whether the token is due to be issued anew, for its age or for its key."""
        return self._modified is not False and self._data is not None and self._stale

    def export(self) -> dict[str, Any]:
        """Return what is written: the data and when the session began."""
        return {**self._read(), CREATED: self._created}
