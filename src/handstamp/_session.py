"""SessionMixin: what every session has in common. NullSession: what stands in where there is no session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from datetime import datetime
from typing import Any, NoReturn

from ._hidden import discreet, empty_frames
from ._keys import NEW_KEY
from ._settings import Settings, find_lookalike
from .exceptions import SessionUnavailable


class SessionMixin(MutableMapping[str, Any]):
    """Make a session of any mapping: ``class Session(dict, SessionMixin)`` is a complete one.

    The defaults are Flask's: a mapping that tracks nothing counts as accessed and modified.

    :ivar new: whether this request created the session
    :ivar modified: whether the session differs from what was loaded; assign a bool to overrule
    :ivar accessed: whether the application has looked into the session
    :ivar needs_reissue: whether the session's token is to be reissued, for its age or for its key
    :ivar needs_new_id: whether :meth:`renew` was called, so that the cookie must get another value
    :ivar committed: whether the response headers have been sent, so that nothing can be saved any more; set by the
        middleware
    :ivar is_existing: whether a session was found, even if it was ended since; a page that shows it is private
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
    needs_new_id: bool = False
    committed: bool = False
    is_available: bool = True
    is_existing: bool = True

    @property
    def permanent(self) -> bool:
        """Whether the cookie outlives the browser; stored under the key ``_permanent``."""
        try:
            return bool(self.get("_permanent", False))
        except BaseException as error:
            empty_frames(error)
            del self
            raise

    @permanent.setter
    @discreet
    def permanent(self, value: bool) -> None:
        if value:
            self["_permanent"] = True
        else:
            self.pop("_permanent", None)

    @property
    def created(self) -> datetime | None:
        """When the session was created, in UTC; ``None`` if that is not known."""
        return None

    @discreet
    def copy(self) -> dict[str, Any]:
        """Return the data as a dict.

        >>> NullSession().copy()
        {}
        """
        return dict(self)

    # Both take a dict and nothing else, as dict does: Session(dict, SessionMixin) inherits from both.

    @discreet
    def __or__(self, other: dict[str, Any]) -> dict[str, Any]:
        return dict(self) | dict(other) if isinstance(other, Mapping) else NotImplemented

    @discreet
    def __ror__(self, other: dict[str, Any]) -> dict[str, Any]:
        return dict(other) | dict(self) if isinstance(other, Mapping) else NotImplemented

    def __sentry_repr__(self) -> str:
        """Return what Sentry shows: without this it would show the data."""
        return f"<{type(self).__name__}>"

    def renew(self) -> None:
        """Give the session a new token and keep its data. Call it when a user signs in (ASVS 7.2.4).

        This only marks a session of your own. Where its cookie holds an id, override this and take another id: whoever
        planted the old cookie in the visitor's browser would be signed in too (session fixation). Let ``save_session``
        forget the old id. :meth:`invalidate` comes by here.

        >>> from secrets import token_urlsafe
        >>> class Session(dict, SessionMixin):
        ...     id = "made by whoever planted it"
        ...     def renew(self):
        ...         super().renew()
        ...         self.id = token_urlsafe()
        >>> session = Session(cart=["tea"])
        >>> session.renew()
        >>> session, session.id == Session.id
        ({'cart': ['tea']}, False)
        """
        self.modified = self.needs_new_id = True

    def invalidate(self) -> None:
        """End the session and drop its data. Call it when a user signs out (ASVS 7.4.1)."""
        self.clear()
        self.renew()


class NullSession(SessionMixin):
    """Read like an empty session, and raise :exc:`SessionUnavailable` for every change.

    :param settings: searched for a key that was meant to be ``SECRET_KEY``

    >>> session = NullSession({"SECRETKEY": "the key of an example"})
    >>> session.get("user") is None
    True
    >>> session["user"] = 7
    Traceback (most recent call last):
        ...
    handstamp.exceptions.SessionUnavailable: there is no session: SECRET_KEY is not set (the settings have \
'SECRETKEY'; rename it); make one with: python -m handstamp secret
    """

    modified = False
    accessed = False

    def __init__(self, settings: Settings | Mapping[str, Any] | None = None) -> None:
        # The keys alone: their values may be secrets.
        self._settings = settings if isinstance(settings, Settings) else tuple(settings or ())

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
        keys = self._settings.list_foreign() if isinstance(self._settings, Settings) else self._settings
        foreign = {str(key).upper(): key for key in keys if key != "SECRET_KEY"}
        found = find_lookalike("SECRET_KEY", (key for key in foreign if "FALLBACK" not in key), 0.6)
        return "" if found is None else f" (the settings have {foreign[found]!r}; rename it)"

    @discreet
    def __setitem__(self, key: str, value: Any) -> NoReturn:
        self._reject_change()

    def __delitem__(self, key: str) -> NoReturn:
        self._reject_change()

    @discreet
    def __ior__(self, other: Any) -> NoReturn:
        self._reject_change()

    # The mixins would change nothing where there is nothing to change: a sign-out must not seem to work.

    def clear(self) -> NoReturn:
        """Raise :exc:`SessionUnavailable`."""
        self._reject_change()

    @discreet
    def pop(self, key: str, *default: Any) -> NoReturn:
        """Raise :exc:`SessionUnavailable`."""
        self._reject_change()

    def popitem(self) -> NoReturn:
        """Raise :exc:`SessionUnavailable`."""
        self._reject_change()

    @discreet
    def setdefault(self, key: str, default: Any = None) -> NoReturn:
        """Raise :exc:`SessionUnavailable`."""
        self._reject_change()

    @discreet
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
