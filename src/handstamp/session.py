"""What every session has in common, and the session that stands in where there is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from datetime import datetime
from typing import Any, NoReturn

from .checks import NEW_KEY
from .exceptions import SessionUnavailable
from .settings import find_lookalike


class SessionMixin(MutableMapping[str, Any]):
    """Add to any mapping what the middleware asks of a session: ``class Session(dict, SessionMixin)`` is a full one.

    The defaults are those of Flask: a mapping that tracks nothing counts as read and changed.
    """

    __slots__ = ()

    #: There was no session before this request.
    new: bool = False
    #: The session differs from what was read; assign to overrule.
    modified: bool = True
    #: The application looked inside.
    accessed: bool = True
    #: The session's token is old enough to be issued anew.
    stale: bool = False
    #: The response's head has gone: nothing can be saved any more. Set by the middleware.
    committed: bool = False

    @property
    def permanent(self) -> bool:
        """Whether the cookie outlives the browser; kept under the key ``_permanent``."""
        return bool(self.get("_permanent", False))

    @permanent.setter
    def permanent(self, value: bool) -> None:
        if value:
            self["_permanent"] = True
        else:
            self.pop("_permanent", None)

    @property
    def created(self) -> datetime | None:
        """When the session began, in UTC; ``None`` if it does not know."""
        return None

    def copy(self) -> dict[str, Any]:
        """Return the data as a dict."""
        return dict(self)

    # The types are as narrow as those of dict, else no checker accepts ``class Session(dict, SessionMixin)``.

    def __or__(self, other: dict[str, Any]) -> dict[str, Any]:
        return dict(self) | dict(other) if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: dict[str, Any]) -> dict[str, Any]:
        return dict(other) | dict(self) if isinstance(other, Mapping) else NotImplemented

    def renew(self) -> None:
        """Begin anew with the same data; call it when somebody signs in (ASVS 7.2.4)."""
        self.modified = True

    def invalidate(self) -> None:
        """End the session and drop its data; call it when somebody signs out (ASVS 7.4.1)."""
        self.clear()
        self.modified = True


class NullSession(SessionMixin):
    """Read like an empty session, and say at every change why there is none.

    :param settings: where a key that was meant as ``SECRET_KEY`` may be found
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

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise SessionUnavailable(self._explain())

    def _explain(self) -> str:
        return f"no session: SECRET_KEY is not set{self._name_lookalike()}; {NEW_KEY}"

    def _name_lookalike(self) -> str:
        foreign = {str(key).upper(): key for key in self._settings if key != "SECRET_KEY"}
        found = find_lookalike("SECRET_KEY", (key for key in foreign if "FALLBACK" not in key), 0.6)
        return "" if found is None else f" (did you mean it by {foreign[found]!r}?)"

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = _refuse
    setdefault = update = _refuse  # pyright: ignore[reportAssignmentType]
    renew = invalidate = _refuse

    @property
    def permanent(self) -> bool:
        """Never."""
        return False

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self._refuse()
