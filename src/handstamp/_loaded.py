"""Loaded: a session as it was loaded, and what has changed since.

For each key that was assigned, deleted, or whose value was handed out and can change unseen (a list in a basket), the
loaded value is kept. In the end the two are compared, by type and by value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol, Self

from . import payload
from ._lifetimes import CLOCK_TOLERANCE_SECONDS
from ._payload_types import ATOMS
from ._rejection import BadToken
from .exceptions import RejectReason

#: The key of the payload that the mapping never shows.
CREATED = "_created"


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
    :ivar created: when the session was created
    :ivar used: when it was last issued, or seen by a store
    :ivar needs_reissue: whether the token is to be reissued; set by the interface before the session takes it

    >>> Loaded({"user": 7}, created=1000, used=2000).get("user")
    7
    """

    __slots__ = ("_data", "_originals", "_serializer", "_text", "created", "get", "needs_reissue", "used")

    def __init__(self, data: dict[str, Any], created: int, used: int, serializer: Serializer = payload) -> None:
        self._data = data
        self.get: Callable[..., Any] = data.get
        self._serializer = serializer
        self._originals: dict[str, Any] = {}
        self._text: bytes | None = None  # what the data were read from, as long as it vouches for them
        self.created: int = created
        self.used: int = used
        self.needs_reissue: bool = False

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

    def keep_original(self, key: str) -> None:
        """Keep the loaded value of a key before it is changed or handed out."""
        if type(key) is not str:
            self._text = None  # it may replace an equal key, so each key is checked when the session is written
        if key in self._originals:
            return
        value = self._data.get(key, _ABSENT)
        is_whole = value is _ABSENT or type(value) in ATOMS
        self._originals[key] = value if is_whole else _Fingerprint(self._fingerprint(value))

    def take_data(self) -> dict[str, Any]:
        """Return the data, which belong to the session from now on."""
        return self._data

    def has_changed(self, data: Mapping[str, Any]) -> bool:
        """Return whether a key was changed or removed since the session was loaded.

        :param data: what the session holds now
        """
        if not self._originals:
            return False
        return any(self._differs(value, data.get(key, _ABSENT)) for key, value in self._originals.items())

    def list_changes(self, data: Mapping[str, Any]) -> list[str]:
        """Return the keys that were changed or removed since the session was loaded.

        :param data: what the session holds now
        """
        return [key for key, value in self._originals.items() if self._differs(value, data.get(key, _ABSENT))]

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
