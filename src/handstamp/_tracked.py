"""The session that reads its cookie at the first access, and knows exactly what has changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol, Self
from weakref import ref

from webob import Request

from ._loaded import CREATED, Loaded, Serializer
from ._payload_types import IMMUTABLE, is_immutable
from ._session import SessionMixin
from ._settings import Settings
from .exceptions import RejectReason, ReservedKey, SessionCommitted


class SessionLoader(Protocol):
    """What a session asks of its interface."""

    def load_sessions(self, settings: Settings, request: Request) -> Iterable[Loaded]:
        """Return what the good cookies of a request hold, the one issued last first."""
        ...

    def validate_session(self, settings: Settings, session: Any) -> bool:
        """Return whether a loaded session may be used."""
        ...

    def cookie_rejected(self, settings: Settings, request: Request, reason: RejectReason) -> None:
        """Be told of a rejected cookie."""
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
        "_created", "_data", "_ended", "_loaded", "_loader", "_modified", "_renewed", "_request", "_settings",
        "accessed", "committed", "is_available",
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

    # -- loading

    def _load(self) -> dict[str, Any]:
        request = self._request()
        if self.committed or request is None:
            raise SessionCommitted(
                "the session was accessed for the first time after the response headers had been sent; access it before"
                " the first chunk"
            )
        try:
            for loaded in self._loader.load_sessions(self._settings, request):
                data = self._take(loaded)
                if self._loader.validate_session(self._settings, self):
                    return data
                self._loader.cookie_rejected(self._settings, request, RejectReason.REVOKED)
            return self._take(None)
        except BaseException:
            self._data = None  # what was not validated must not be found here
            # An application that catches the error answers without the session, and caches must know that.
            self.accessed = True
            self.is_available = False
            raise

    def _take(self, loaded: Loaded | None) -> dict[str, Any]:
        """Become a loaded session, or a new one."""
        self._loaded = loaded
        self._renewed = self._ended = False
        self.accessed = self.is_available = True
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
        value = (self._load() if data is None else data)[key]
        if type(value) not in IMMUTABLE and not is_immutable(value):
            self._keep(key)
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
        data = self._data
        return len(self._load() if data is None else data)

    def __repr__(self) -> str:
        state = "not loaded" if self._data is None else "modified" if self.modified else "loaded"
        return f"<{type(self).__name__}: {state}>"

    @property
    def new(self) -> bool:  # type: ignore[override]  # SessionMixin's is an attribute for simple sessions
        """Whether this request created the session."""
        self._read()
        return self._ended or self._loaded is None

    @property
    def created(self) -> datetime:
        """When the session was created, in UTC."""
        self._read()
        return datetime.fromtimestamp(self._created, UTC)

    # -- writing

    def __setitem__(self, key: str, value: Any) -> None:
        if key == CREATED:
            raise ReservedKey(f"{CREATED!r} is reserved; call session.renew() to restart the session's age")
        self._check_open()
        self._keep(key)[key] = value
        if type(key) is not str and self._loaded is not None:
            self._loaded.distrust_keys()

    def __delitem__(self, key: str) -> None:
        self._check_open()
        del self._keep(key)[key]

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the last key and its value, as a dict does."""
        self._check_open()
        for key in reversed(self._read()):
            return key, self.pop(key)
        raise KeyError("the session is empty")

    def __ior__(self, other: Any) -> Self:  # type: ignore[misc,override]  # changes the session, and __or__ does not
        self.update(other)
        return self

    def renew(self) -> None:
        """Give the session a new token, keep its data, and let ``created`` start again."""
        self._check_open()
        self._read()
        self._created = int(self._loader.now())
        self._renewed = True

    def invalidate(self) -> None:
        """Drop the data and delete the cookie. A change after this begins a new session."""
        self.renew()
        self._data = {}
        self._ended = True

    def _check_open(self) -> None:
        """Raise an error if the session cannot be changed."""
        if self.committed:
            raise SessionCommitted(
                "the session was changed after the response headers had been sent; change it before the first chunk"
            )

    # -- changes

    def _keep(self, key: str) -> dict[str, Any]:
        """Keep the loaded value of a key before it is changed or handed out, and return the data."""
        data = self._data
        if data is None:
            data = self._load()
        if self._loaded is not None:
            self._loaded.keep(key)
        return data

    @property
    def modified(self) -> bool:
        """Whether what would be saved differs from what was loaded. Assign a bool to overrule."""
        if self._modified is not None or self._data is None:
            return self._modified is True
        return self._is_changed(self._data)

    @modified.setter
    def modified(self, value: bool) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        SecureCookieSession._check_open(self)  # overruling is not a change yet: it loads nothing
        self._modified = bool(value)

    def _is_changed(self, data: dict[str, Any]) -> bool:
        if self._renewed or self._loaded is None:
            return bool(data) or self._loaded is not None
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

    def dump(self, serializer: Serializer) -> str:
        """Write the payload of a cookie: the data, and when the session was created.

        :param serializer: writes a new session; a loaded one is written by what has read it
        """
        data = self._read()
        if self._loaded is None:
            return serializer.dumps({**data, CREATED: self._created})
        return self._loaded.dump(data, self._created)
