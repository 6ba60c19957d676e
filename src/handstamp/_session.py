"""SessionMixin: what every session has in common. NullSession: what stands in where there is no session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from datetime import datetime
from typing import Any, NoReturn

from ._setting_types import NEW_KEY
from ._settings import find_lookalike
from .exceptions import SessionUnavailable


class SessionMixin(MutableMapping[str, Any]):
    """Make a session of any mapping: ``class Session(dict, SessionMixin)`` is a complete one.

    The defaults are Flask's: a mapping that tracks nothing counts as accessed and modified.

    :ivar new: whether this request created the session
    :ivar modified: whether the session differs from what was loaded; assign a bool to overrule
    :ivar accessed: whether the application has looked into the session
    :ivar needs_reissue: whether the session's token is to be reissued, for its age or for its key
    :ivar committed: whether the response headers have been sent, so that nothing can be saved any more; set by the
        middleware
    :ivar is_available: whether the session could be loaded; if not, what the application shows is not to be stored

    >>> class Session(dict, SessionMixin):
    ...     pass
    >>> Session(user=7).modified
    True
    """

    __slots__ = ()

    new: bool = False
    modified: bool = True
    accessed: bool = True
    needs_reissue: bool = False
    committed: bool = False
    is_available: bool = True

    @property
    def permanent(self) -> bool:
        """Whether the cookie outlives the browser; stored under the key ``_permanent``."""
        return bool(self.get("_permanent", False))

    @permanent.setter
    def permanent(self, value: bool) -> None:
        if value:
            self["_permanent"] = True
        else:
            self.pop("_permanent", None)

    @property
    def created(self) -> datetime | None:
        """When the session was created, in UTC; ``None`` if that is not known."""
        return None

    def copy(self) -> dict[str, Any]:
        """Return the data as a dict.

        >>> NullSession().copy()
        {}
        """
        return dict(self)

    # Both take a dict and nothing else, as dict does: Session(dict, SessionMixin) inherits from both.

    def __or__(self, other: dict[str, Any]) -> dict[str, Any]:
        return dict(self) | dict(other) if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: dict[str, Any]) -> dict[str, Any]:
        return dict(other) | dict(self) if isinstance(other, Mapping) else NotImplemented

    def renew(self) -> None:
        """Give the session a new token and keep its data. Call it when a user signs in (ASVS 7.2.4)."""
        self.modified = True

    def invalidate(self) -> None:
        """End the session and drop its data. Call it when a user signs out (ASVS 7.4.1)."""
        self.clear()
        self.modified = True


class NullSession(SessionMixin):
    """Read like an empty session, and raise :exc:`SessionUnavailable` for every change.

    :param settings: searched for a key that was meant to be ``SECRET_KEY``

    >>> session = NullSession({"SECRETKEY": "the key of an example"})
    >>> session.get("user") is None
    True
    >>> session["user"] = 7
    Traceback (most recent call last):
        ...
    handstamp.exceptions.SessionUnavailable: there is no session: SECRET_KEY is not set (did you mean it by \
'SECRETKEY'?); make one with: python -m handstamp secret
    """

    modified = False
    accessed = False

    def __init__(self, settings: Mapping[str, Any] | None = None) -> None:
        self._settings = settings or {}

    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: no SECRET_KEY>"

    def _reject_change(self) -> NoReturn:
        raise SessionUnavailable(f"there is no session: SECRET_KEY is not set{self._name_lookalike()}; {NEW_KEY}")

    def _name_lookalike(self) -> str:
        foreign = {str(key).upper(): key for key in self._settings if key != "SECRET_KEY"}
        found = find_lookalike("SECRET_KEY", (key for key in foreign if "FALLBACK" not in key), 0.6)
        return "" if found is None else f" (did you mean it by {foreign[found]!r}?)"

    def __setitem__(self, key: str, value: Any) -> NoReturn:
        self._reject_change()

    def __delitem__(self, key: str) -> NoReturn:
        self._reject_change()

    def __ior__(self, other: Any) -> NoReturn:  # type: ignore[misc]  # unlike __or__, it is a change
        self._reject_change()

    # The mixins would change nothing where there is nothing to change: a sign-out must not seem to work.

    def clear(self) -> NoReturn:
        """Raise :exc:`SessionUnavailable`."""
        self._reject_change()

    def pop(self, key: str, *default: Any) -> NoReturn:
        """Raise :exc:`SessionUnavailable`."""
        self._reject_change()

    def popitem(self) -> NoReturn:
        """Raise :exc:`SessionUnavailable`."""
        self._reject_change()

    def setdefault(self, key: str, default: Any = None) -> NoReturn:
        """Raise :exc:`SessionUnavailable`."""
        self._reject_change()

    def update(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise :exc:`SessionUnavailable`."""
        self._reject_change()

    def renew(self) -> NoReturn:
        """Raise :exc:`SessionUnavailable`."""
        self._reject_change()

    def invalidate(self) -> NoReturn:
        """Raise :exc:`SessionUnavailable`."""
        self._reject_change()

    @property
    def permanent(self) -> bool:
        """Always False."""
        return False

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self._reject_change()
