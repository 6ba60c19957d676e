"""The session that reads its cookie at the first access, and knows exactly what has changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol, Self
from weakref import ref

from webob import Request

from ._hidden import discreet, empty_frames
from ._loaded import CREATED, Loaded, Serializer
from ._payload_types import IMMUTABLE, is_immutable
from ._session import SessionMixin
from ._settings import Settings
from .exceptions import RejectReason, ReservedKey, SessionCommitted


class SessionLoader(Protocol):
    """What a session asks of its interface."""

    def load_sessions(self, settings: Settings, request: Request, rejected: list[RejectReason]) -> Iterable[Loaded]:
        """Return what the good cookies of a request hold, the one issued last first; take the reasons of the others."""
        ...

    def validate_session(self, settings: Settings, session: Any) -> bool:
        """Return whether a loaded session may be used."""
        ...

    def report_rejected(self, settings: Settings, request: Request, rejected: list[RejectReason]) -> None:
        """Be told why each of the rejected cookies of a request was rejected."""
        ...

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        ...


class SecureCookieSession(SessionMixin):
    """A mapping that reads its cookie at the first access, and tracks changes exactly.

    ``open_session`` makes it. It holds a weak reference to the request: environ, session and request form no circle,
    so no request leaves garbage behind.

    :ivar new: whether this request created the session
    :ivar modified: whether what would be saved differs from what was loaded, nested values included; assign a bool to
        overrule: ``True`` saves in any case, ``False`` discards
    :ivar accessed: whether the application has looked inside; asking for this or for ``modified`` does not count
    :ivar permanent: whether the cookie outlives the browser; stored under the key ``_permanent``
    :ivar created: when the session was created, in UTC
    :ivar needs_reissue: whether the token is to be reissued, for its age or for its key
    :ivar committed: whether the response headers have been sent, so that nothing can be saved any more

    >>> from handstamp import SecureCookieSessionInterface
    >>> request = Request.blank("/")
    >>> settings = Settings({"SECRET_KEY": "the key of an example"})
    >>> session = SecureCookieSessionInterface().open_session(settings, request)
    >>> session.setdefault("cart", []).append("pen")
    >>> session.new, session.modified
    (True, True)
    """

    __slots__ = (
        "_created", "_data", "_emptied", "_ended", "_loaded", "_loader", "_modified", "_rejected", "_renewed",
        "_request", "_settings", "accessed", "committed", "is_available", "is_existing",
    )  # fmt: skip

    def __init__(self, loader: SessionLoader, settings: Settings, request: Request) -> None:
        self._loader = loader
        self._settings = settings
        self._request = ref(request)
        self._data: dict[str, Any] | None = None
        self._modified: bool | None = None
        self.accessed: bool = False
        self.committed: bool = False
        self.is_available: bool = True
        self.is_existing: bool = False

    # -- loading

    def _load(self) -> dict[str, Any]:
        request = self._request()
        if self.committed or request is None:
            raise SessionCommitted(
                "the session was accessed for the first time after the response headers had been sent; access it before"
                " the first chunk"
            )
        rejected: list[RejectReason] = []
        self._rejected = rejected
        try:
            for loaded in self._loader.load_sessions(self._settings, request, rejected):
                self._take(loaded)  # no name for the data: a tracker shows the frames below the hook that it reports
                if self._loader.validate_session(self._settings, self):
                    return self._read()
                rejected.append(RejectReason.REVOKED)
            return self._take(None)
        except BaseException:
            self._data = None  # what was not validated must not be found here
            # An application that catches the error answers without the session, and caches must know that.
            self.accessed = True
            self.is_available = False
            raise
        finally:
            if rejected:
                self._loader.report_rejected(self._settings, request, rejected)

    def _take(self, loaded: Loaded | None) -> dict[str, Any]:
        """Become a loaded session, or a new one."""
        self._loaded = loaded
        self._renewed = self._ended = self._emptied = False
        self.accessed = self.is_available = True
        self.is_existing = loaded is not None
        if loaded is None:
            self._created = int(self._loader.now())
            self._data = {}
        else:
            self._created = loaded.created
            self._data = loaded.take_data()
        return self._data

    def _read(self) -> dict[str, Any]:
        # Written out where most requests pass, because the call costs as much as what it does.
        data = self._data
        return self._load() if data is None else data

    # -- reading

    def __getitem__(self, key: str) -> Any:
        data = self._data
        value = None
        try:
            value = (self._load() if data is None else data)[key]
            if type(value) not in IMMUTABLE and not is_immutable(value):
                self._prepare(key)
            return value
        except BaseException as error:
            empty_frames(error)
            del self, key, data, value
            raise

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or the default."""
        data = self._data
        try:
            if data is None:
                data = self._load()
            return self[key] if key in data else default
        except BaseException as error:
            empty_frames(error)
            del self, key, default, data
            raise

    def __contains__(self, key: object) -> bool:
        try:
            return key in self._read()
        except BaseException as error:
            empty_frames(error)
            del self, key
            raise

    @discreet
    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        data = self._data
        try:
            return len(self._load() if data is None else data)
        except BaseException as error:
            empty_frames(error)
            del self, data
            raise

    def __repr__(self) -> str:
        state = "not loaded" if self._data is None else "modified" if self.modified else "loaded"
        return f"<{type(self).__name__}: {state}>"

    @property
    @discreet
    def new(self) -> bool:  # type: ignore[override]  # SessionMixin's is an attribute for simple sessions
        """Whether this request created the session."""
        self._read()
        return self._ended or self._loaded is None

    @property
    @discreet
    def created(self) -> datetime:
        """When the session was created, in UTC."""
        self._read()
        return datetime.fromtimestamp(self._created, UTC)

    # -- writing

    def __setitem__(self, key: str, value: Any) -> None:
        try:
            if key == CREATED:
                raise ReservedKey(f"{CREATED!r} is reserved; call session.renew() to restart the session's age")
            self._check_changeable()
            self._prepare(key)[key] = value
        except BaseException as error:
            empty_frames(error)
            del self, key, value
            raise

    @discreet
    def __delitem__(self, key: str) -> None:
        self._check_changeable()
        data = self._prepare(key)
        del data[key]
        if not data:
            self._emptied = True

    # MutableMapping's own begin with a KeyError, which costs more than the rest.

    @discreet
    def pop(self, key: str, *default: Any) -> Any:
        """Remove a key and return its value, or the default if there is none."""
        if default and key not in self:
            return default[0]
        return super().pop(key, *default)

    @discreet
    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, after setting it to the default if there was none."""
        if key in self:
            return self[key]
        self[key] = default
        return default

    @discreet
    def popitem(self) -> tuple[str, Any]:
        """Remove and return the last key and its value, as a dict does."""
        self._check_changeable()
        for key in reversed(self._read()):
            return key, self.pop(key)
        raise KeyError("the session is empty")

    def clear(self) -> None:
        """Remove all data. A session that is left empty has ended, as if by :meth:`invalidate`."""
        self._check_changeable()
        data = self._read()
        for key in data:
            self._prepare(key)
        data.clear()
        self._emptied = True  # of an empty one too: it may be empty because its cookie was rejected

    @discreet
    def __ior__(self, other: Any) -> Self:  # type: ignore[override]  # changes the session, and __or__ does not
        self.update(other)
        return self

    @discreet
    def renew(self) -> None:
        """Give the session a new token, keep its data, and let ``created`` start again."""
        self._check_changeable()
        self._read()
        self._created = int(self._loader.now())
        self._renewed = True

    @discreet
    def invalidate(self) -> None:
        """Drop the data and delete the cookie. A change after this begins a new session."""
        self.renew()
        self._data = {}
        self._ended = self._emptied = True

    def _check_changeable(self) -> None:
        """Raise an error if the session cannot be changed."""
        if self.committed:
            raise _late_error()

    # -- changes

    def _prepare(self, key: str) -> dict[str, Any]:
        """Keep the loaded value of a key before it is changed or handed out, and return the data."""
        data = self._data
        if data is None:
            data = self._load()
        if self._loaded is not None:
            self._loaded.keep_original(key)
        return data

    @property
    def modified(self) -> bool:
        """Whether what would be saved differs from what was loaded. Assign a bool to overrule."""
        if self._modified is not None or self._data is None:
            return self._modified is True
        try:
            return self._is_changed(self._data)
        except BaseException as error:
            empty_frames(error)
            del self
            raise

    @modified.setter
    @discreet
    def modified(self, value: bool) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        if self.committed:  # and nothing else is asked: overruling loads nothing
            raise _late_error()
        self._modified = bool(value)

    def _is_changed(self, data: dict[str, Any]) -> bool:
        if self._renewed or self._loaded is None:
            return bool(data) or self._loaded is not None or self.was_emptied
        return self._loaded.has_changed(data)

    def list_changes(self) -> list[str]:
        """Return the keys that were changed or removed since the session was loaded."""
        data = self._read()
        return [] if self._loaded is None else self._loaded.list_changes(data)

    # -- what an interface asks

    @property
    def needs_reissue(self) -> bool:  # type: ignore[override]  # SessionMixin's is an attribute for simple sessions
        """Whether the token is to be reissued, for its age or for its key."""
        if self._data is None or self._loaded is None or self._modified is False:
            return False
        return self._loaded.needs_reissue

    @property
    def was_emptied(self) -> bool:
        """Whether this request has left the session empty, and came with a cookie, which is to be deleted.

        A cookie that was rejected here counts: another machine, whose clock or keys differ, may accept it.
        """
        if self._data is None or self._data or not self._emptied:
            return False
        return self._loaded is not None or bool(self._rejected)

    def dump(self, serializer: Serializer) -> str:
        """Write the payload of a cookie: the data, and when the session was created.

        :param serializer: writes a new session; a loaded one is written by what has read it
        """
        data = self._read()
        if self._loaded is None:
            return serializer.dumps({**data, CREATED: self._created})
        return self._loaded.dump(data, self._created)


def _late_error() -> SessionCommitted:
    return SessionCommitted(
        "the session was changed after the response headers had been sent; change it before the first chunk"
    )


# The methods of MutableMapping hold the session and what is assigned to it.
for _name in ("__eq__", "clear", "update"):
    setattr(SecureCookieSession, _name, discreet(getattr(SecureCookieSession, _name)))
