"""SessionInterface: opens and saves sessions, and is the one place that writes the cookie."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Generic

from webob import Request, Response

from ._caching import (
    Headers,
    add_vary,
    field_names,
    find_cache_control,
    remove_targeted,
    write_cache_control,
)
from ._cookies import MAX_COOKIE_BYTES, find_values, format_cookie, format_deletion
from ._hidden import discreet, empty_frames
from ._policy import format_attributes
from ._policy_methods import CookiePolicyMethods, logger
from ._rejection import REJECTED_KEY
from ._session import NullSession, SessionMixin
from ._settings import Settings
from ._warnings import ALWAYS_KEPT, LITTLE_ROOM, find_obstacles
from ._webob import request_of
from .exceptions import CookieTooLarge, RejectReason

if TYPE_CHECKING:
    # The default is for type checkers, which bring typing_extensions themselves: "class Mine(SessionInterface)" will
    # do, and "class Mine(SessionInterface[MySession])" is checked more strictly.
    from typing_extensions import TypeVar

    SessionT = TypeVar("SessionT", bound=SessionMixin, default=Any)
else:
    from typing import TypeVar

    SessionT = TypeVar("SessionT", bound=SessionMixin)


class SessionInterface(CookiePolicyMethods, Generic[SessionT]):
    """Open and save sessions. Subclass it and override :meth:`open_session` and :meth:`save_session`.

    Each policy method answers for one attribute of the cookie: on setting, on deleting and, for the name, on reading.
    It may answer differently at each call, but never with what a visitor wrote, such as the host: look that up in a
    table of what you know. Several middlewares and threads may share an interface.

    :cvar null_session_class: what :meth:`make_null_session` makes, and :meth:`is_null_session` looks for

    >>> class Strict(SessionInterface):
    ...     def get_cookie_samesite(self, settings, request):
    ...         return "Strict"
    >>> Strict().get_cookie_samesite(Settings({}), Request.blank("/"))
    'Strict'
    """

    null_session_class: type[NullSession] = NullSession

    # -- at the start

    def check_settings(self, settings: Settings) -> None:
        """Warn about settings with a surprising effect. Called when a middleware is made; override it to reject some.

        :raises SettingsError: the interface cannot keep what the settings promise

        >>> SessionInterface().check_settings(Settings({"SESSION_COOKIE_DOMAIN": False}))
        """
        domain = settings.cookie_policy.domain
        is_overridden = getattr(self.get_cookie_domain, "__func__", None) is not SessionInterface.get_cookie_domain
        if domain is None or settings["SESSION_COOKIE_DOMAIN"] is not None or is_overridden:
            return
        host = domain.removeprefix(".")
        logger.warning(
            "SERVER_NAME gives the session cookie Domain=%s, so every subdomain gets it and can replace it; set"
            " SESSION_COOKIE_DOMAIN to False for the request's own host only, or to %r if all are yours",
            host,
            host,
        )

    # -- opening and saving

    def open_session(self, settings: Settings, request: Request) -> SessionT | None:
        """Return the session of a request; ``None``: the null session stands in."""
        raise NotImplementedError(f"{type(self).__name__} needs an open_session method")

    def save_session(self, settings: Settings, session: SessionT, response: Response) -> None:
        """Save a session that was accessed or modified, and write its cookie to the response's headers.

        :param response: holds a copy of the application's headers; its ``request`` is set
        """
        raise NotImplementedError(f"{type(self).__name__} needs a save_session method")

    def make_null_session(self, settings: Settings) -> NullSession:
        """Return the null session, which stands in where there cannot be a session."""
        return self.null_session_class(settings)

    def is_null_session(self, obj: object) -> bool:
        """Return whether an object is a null session, which is never saved."""
        return isinstance(obj, self.null_session_class)

    def validate_session(self, settings: Settings, session: SessionT) -> bool:
        """Return whether a loaded session may be used: the hook for revocation.

        To sign a user out everywhere, compare ``session.created`` with a time that is kept with the user.
        """
        return True

    def cookie_rejected(self, settings: Settings, request: Request, reason: RejectReason) -> None:
        """Log that cookies were rejected, once a request for each reason.

        Override it to count rejections, or to log them elsewhere. The browser keeps the cookies until the session
        writes another one. ``request.environ["handstamp.rejected"][reason]`` is how many different cookies there were.
        """
        count = request.environ.get(REJECTED_KEY, {}).get(reason, 1)
        logger.info("session cookie rejected: %s%s", reason, "" if count == 1 else f" ({count} cookies)")

    def report_rejected(self, settings: Settings, request: Request, rejected: list[RejectReason]) -> None:
        """Call :meth:`cookie_rejected` once for each reason of a request's rejected cookies."""
        counts = request.environ[REJECTED_KEY] = Counter(rejected)
        for reason in counts:
            self.cookie_rejected(settings, request, reason)

    # -- the cookie

    def set_cookie(self, settings: Settings, session: SessionMixin, response: Response, value: str) -> None:
        """Set the cookie, with its policy, ``Vary`` and ``Cache-Control``.

        :param value: printable ASCII without whitespace, quotes, ``,``, ``;`` and backslash
        :raises CookieTooLarge: name and value are more than 4096 bytes
        :raises SettingsError: the answer of a policy method breaks a rule of cookies
        """
        try:
            self._set_cookie(settings, session, response, value)
        except BaseException as error:  # an interface of the application's own may report it
            empty_frames(error)
            del self, settings, session, response, value
            raise

    def _set_cookie(self, settings: Settings, session: SessionMixin, response: Response, value: str) -> None:
        request = request_of(response)
        name = self.get_cookie_name(settings, request)
        size = len(name) + len(value)
        if size > settings.cookie_warn_bytes:  # at most what is allowed
            self._check_size(session, size)
        if session.needs_new_id and value in find_values(request.environ.get("HTTP_COOKIE", ""), name):
            self.warn_once(
                "session.renew() was called, but the cookie keeps its value, so whoever had it before the sign-in is"
                " signed in too; override renew() in the session's class, and take a new id there"
            )
        expires = self.get_expiration_time(settings, request, session)
        end, now = (None, 0) if expires is None else (int(expires.timestamp()), int(self.now()))
        attributes = self._format_attributes(settings, request, name)
        if not attributes.startswith(ALWAYS_KEPT.get(request.environ["wsgi.url_scheme"], ())):
            for message, *values in find_obstacles(attributes, request.environ):
                self.warn_once(message, *values)
        self._write(settings, session, response, name, format_cookie(name, value, attributes, end, now))

    def _check_size(self, session: SessionMixin, size: int) -> None:
        if size > MAX_COOKIE_BYTES:
            raise too_large_error(session, f"{size} bytes of cookie, {MAX_COOKIE_BYTES} are allowed")
        if LITTLE_ROOM not in self._warned:  # to find the biggest keys takes its time
            self.warn_once(LITTLE_ROOM, str(size), name_biggest(session))

    @discreet
    def delete_cookie(self, settings: Settings, session: SessionMixin, response: Response) -> None:
        """Delete the cookie, with its policy, ``Vary`` and ``Cache-Control``."""
        request = request_of(response)
        name = self.get_cookie_name(settings, request)
        line = format_deletion(name, self._format_attributes(settings, request, name))
        self._write(settings, session, response, name, line)

    def vary_on_cookie(self, settings: Settings, session: SessionMixin, response: Response) -> None:
        """Leave the cookie as it is, and tell caches that the response depends on it."""
        self.tell_caches(settings, session, response, sets_cookie=False)

    def tell_caches(self, settings: Settings, session: SessionMixin, response: Response, *, sets_cookie: bool) -> None:
        """Write ``Vary`` and ``Cache-Control`` for a response that depends on the session."""
        self._tell_caches(settings, session, response, field_names(response.headerlist), sets_cookie)

    def _tell_caches(
        self, settings: Settings, session: SessionMixin, response: Response, names: list[str], sets_cookie: bool
    ) -> None:
        headers = response.headerlist
        add_vary(headers, names)
        before = find_cache_control(headers) if "cache-control" in names else None
        after = self.get_cache_control(settings, request_of(response), session, before, sets_cookie=sets_cookie)
        is_shared = sets_cookie and remove_targeted(headers, names)
        if after == before and not is_shared:
            return
        write_cache_control(headers, names, after)
        if sets_cookie and (before is not None or is_shared):
            self.warn_once(
                "a shared cache could have handed the session cookie to other visitors, because the response with it"
                " said 'Cache-Control: %s', or something else to CDNs; it now says %r; say 'private', or do not use the"
                " session there",
                before or "",
                after,
            )

    def _write(self, settings: Settings, session: SessionMixin, response: Response, name: str, line: str) -> None:
        headers = response.headerlist
        names = field_names(headers)
        if "set-cookie" in names and _sets_cookie(headers, name):
            self.warn_once("the application sets a cookie of its own with the session cookie's name; rename one")
        headers.append(("Set-Cookie", line))
        self._tell_caches(settings, session, response, names, sets_cookie=True)

    def _format_attributes(self, settings: Settings, request: Request, name: str) -> str:
        return format_attributes(
            name=name,
            domain=self.get_cookie_domain(settings, request),
            path=self.get_cookie_path(settings, request),
            httponly=self.get_cookie_httponly(settings, request),
            secure=self.get_cookie_secure(settings, request),
            samesite=self.get_cookie_samesite(settings, request),
            partitioned=self.get_cookie_partitioned(settings, request),
        )


def too_large_error(session: SessionMixin, problem: str) -> CookieTooLarge:
    """Return the error that names the biggest keys of a session."""
    biggest = name_biggest(session)
    return CookieTooLarge(f"the session is too large: {problem}; the biggest keys: {biggest}; keep ids instead of data")


def name_biggest(session: SessionMixin) -> str:
    """Return the biggest keys of a session with their sizes."""
    sizes = sorted(((len(repr(value)), key) for key, value in session.items()), reverse=True)[:3]
    return ", ".join(f"{key!r:.60} (about {size})" for size, key in sizes)


def _sets_cookie(headers: Headers, name: str) -> bool:
    lines = (value.lstrip() for field, value in headers if field.lower() == "set-cookie")
    return any(line.startswith(name + "=") for line in lines)
