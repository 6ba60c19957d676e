"""The session that reads its cookie at the first access, and knows exactly what has changed.

For each key that was assigned, deleted, or whose value was handed out and can change unseen (a list in a basket), the
loaded value is kept. In the end the two are compared, by type and by value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import compress
from types import MappingProxyType
from typing import Any, Protocol, Self
from weakref import ref

from webob import Request

from . import payload
from ._lifetimes import CLOCK_TOLERANCE_SECONDS
from ._payload_types import ATOMS, IMMUTABLE, is_immutable
from ._rejection import BadToken
from ._session import SessionMixin
from ._settings import Settings
from .exceptions import RejectReason, ReservedKey, SessionCommitted

#: The key of the payload that the mapping never shows.
CREATED = "_created"


# -- what is loaded ---------------------------------------------------------------------------------------------------


class Serializer(Protocol):
    """Session data <-> text."""

    def dumps(self, obj: Any, /) -> str:
        """Write data."""
        ...

    def loads(self, text: str, /) -> Any:
        """Read data."""
        ...


class _Absent:
    """The loaded value of a key that was not there."""


_ABSENT = _Absent()


class _Fingerprint(str):
    """The loaded value, as text, of a key whose value can change unseen."""

    __slots__ = ()


class Loaded:
    """A session as it was loaded, and what has changed since.

    Made by the interface that loads a session, and taken by the session as a whole. Nothing outside of this module can
    change what was loaded, so what is known of it stays true.

    :param data: belongs to the session from now on
    :param created: when the session was created, in whole seconds since 1970
    :param used: when it was last issued, or seen by a store, in whole seconds since 1970
    :param serializer: writes values for comparison, and the session
    :ivar get: returns a value of the data, or a default
    :ivar needs_reissue: whether the token is to be reissued; set by the interface before the session takes it
    """

    __slots__ = ("_data", "_originals", "_serializer", "_text", "created", "get", "needs_reissue", "used")

    def __init__(self, data: dict[str, Any], created: int, used: int, serializer: Serializer = payload) -> None:
        self._data = data
        self.get = data.get
        self._serializer = serializer
        self._originals: dict[str, Any] = {}
        self._text: bytes | None = None  # what the data were read from, as long as it vouches for them
        self.created = created
        self.used = used
        self.needs_reissue = False

    @classmethod
    def parse(cls, text: bytes, serializer: Serializer, issued: int) -> Self:
        """Read the payload of a cookie.

        :raises BadToken: it does not hold a session
        """
        try:
            data = serializer.loads(text.decode())
        except Exception as error:  # an application's own serializer may fail in any way
            raise BadToken(RejectReason.MALFORMED) from error
        if not isinstance(data, dict):
            raise BadToken(RejectReason.MALFORMED)
        # A token of another library does not say when the session was created: that was when it was signed.
        created = data.pop(CREATED, issued)
        # A session that was created after its token was issued would outlive its absolute limit. (The clock that issued
        # the token may have been behind the one that created the session.)
        if type(created) is not int or not 0 <= created <= issued + CLOCK_TOLERANCE_SECONDS:
            raise BadToken(RejectReason.MALFORMED)
        loaded = cls(data, created, issued, serializer)
        if serializer is payload:
            loaded._text = text
        return loaded

    @property
    def data(self) -> Mapping[str, Any]:
        """The data, read-only."""
        return MappingProxyType(self._data)

    def keep(self, key: str) -> None:
        """Keep the loaded value of a key before it is changed or handed out."""
        if key in self._originals:
            return
        value = self._data.get(key, _ABSENT)
        is_whole = value is _ABSENT or type(value) in ATOMS
        self._originals[key] = value if is_whole else _Fingerprint(self._fingerprint(value))

    def has_changed(self, data: Mapping[str, Any]) -> bool:
        """Return whether a key was changed or removed since the session was loaded.

        :param data: what the session holds now
        """
        return any(self._find_changes(data))

    def list_changes(self, data: Mapping[str, Any]) -> list[str]:
        """Return the keys that were changed or removed since the session was loaded.

        :param data: what the session holds now
        """
        return list(compress(self._originals, self._find_changes(data)))

    def _find_changes(self, data: Mapping[str, Any]) -> Iterator[bool]:
        return (self._differs(original, data.get(key, _ABSENT)) for key, original in self._originals.items())

    def _differs(self, original: Any, value: Any) -> bool:
        kind = type(original)
        if kind is _Fingerprint:
            return value is _ABSENT or type(value) in ATOMS or self._try_fingerprint(value) != original
        # 1 is not True, and 0.0 is not -0.0: they are written differently.
        return kind is not type(value) or original != value or (kind is float and str(original) != str(value))

    def _fingerprint(self, value: Any) -> str:
        """Write a value so that equal values give equal text."""
        write = getattr(self._serializer, "fingerprint", self._serializer.dumps)
        return str(write(value))

    def _try_fingerprint(self, value: Any) -> str | None:
        try:
            return self._fingerprint(value)
        except (TypeError, ValueError):
            return None  # it cannot be written; saving says why

    def dump(self, data: dict[str, Any], created: int) -> str:
        """Write what the session holds now.

        Of loaded data that were JSON's own types, only what has changed since is checked.
        """
        whole = {**data, CREATED: created}
        if data is self._data and self._text is not None and payload.is_plain(self._text):
            return payload.dump_changed(whole, self._originals)
        return self._serializer.dumps(whole)

    def distrust_keys(self) -> None:
        """Check every key on writing: one of another type than str may have replaced an equal one."""
        self._text = None


# -- the session ------------------------------------------------------------------------------------------------------


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
    """

    __slots__ = (
        "_created", "_data", "_emptied", "_ended", "_loaded", "_loader", "_modified", "_rejected", "_renewed",
        "_request", "_settings", "accessed", "committed",
    )  # fmt: skip

    def __init__(self, loader: SessionLoader, settings: Settings, request: Request) -> None:
        self._loader = loader
        self._settings = settings
        self._request = ref(request)
        self._data: dict[str, Any] | None = None
        self._modified: bool | None = None
        self.accessed = self.committed = False

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
                data = self._take(loaded)
                if self._loader.validate_session(self._settings, self):
                    return data
                rejected.append(RejectReason.REVOKED)
            return self._take(None)
        except BaseException:
            self._data = None  # what was not validated must not be found here
            self.accessed = False
            raise
        finally:
            if rejected:
                self._loader.report_rejected(self._settings, request, rejected)

    def _take(self, loaded: Loaded | None) -> dict[str, Any]:
        """Become a loaded session, or a new one."""
        self._loaded = loaded
        self._renewed = self._ended = self._emptied = False
        self.accessed = True
        if loaded is None:
            self._created = int(self._loader.now())
            self._data = {}
        else:
            self._created = loaded.created
            self._data = loaded._data
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
        return len(self._read())

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
        data = self._keep(key)
        del data[key]
        if not data:
            self._emptied = True

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the last key and its value, as a dict does."""
        self._check_open()
        for key in reversed(self._read()):
            return key, self.pop(key)
        raise KeyError("the session is empty")

    def clear(self) -> None:
        """Remove all data. A session that is left empty has ended, as if by :meth:`invalidate`."""
        super().clear()
        self._emptied = True  # of an empty one too: it may be empty because its cookie was rejected

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
        self._ended = self._emptied = True

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
        if self._renewed or self._loaded is None:
            return bool(self._data) or self._loaded is not None or self.was_emptied
        return bool(self._loaded._originals) and self._loaded.has_changed(self._data)

    @modified.setter
    def modified(self, value: bool) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        SecureCookieSession._check_open(self)  # overruling is not a change yet: it loads nothing
        self._modified = bool(value)

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
