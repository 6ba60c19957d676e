"""SessionInterface: the cookie policy, the null session, and the one place that writes the cookie.

The vocabulary is that of Flask's ``sessions.py``. Where Flask passes the application, the settings stand; and since
WSGI has no request context, each policy method gets the request.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from webob import Request, Response

from .caching import Headers, add_private, add_vary, find_names
from .cookies import MAX_COOKIE, PolicyFields, format_cookie, format_deletion
from .exceptions import CookieTooLarge, RejectReason
from .session import NullSession, SessionMixin
from .settings import Settings

if TYPE_CHECKING:
    from logging import Logger


@cache
def get_logger() -> Logger:
    """Return the one logger of this package."""
    from logging import getLogger  # here, since it would be a third of the time of importing this package

    return getLogger("handstamp")


class SessionInterface:
    """Open and save sessions; subclass it and override :meth:`open_session` and :meth:`save_session`.

    Each policy method answers for one attribute of the cookie, on setting, deleting and (the name) reading. It may
    answer differently at each call. An interface may be shared by several middlewares and threads.
    """

    #: What :meth:`make_null_session` makes, and :meth:`is_null_session` looks for.
    null_session_class: type[NullSession] = NullSession

    # -- opening and saving

    def open_session(self, settings: Settings, request: Request) -> SessionMixin | None:
        """Return the session of a request; ``None``: the null session stands in."""
        raise NotImplementedError(f"{type(self).__name__} needs an open_session method")

    def save_session(self, settings: Settings, session: Any, response: Response) -> None:
        """Write a session that was accessed or modified to the response's headers.

        :param response: holds a copy of the application's headers; its ``request`` is set
        """
        raise NotImplementedError(f"{type(self).__name__} needs a save_session method")

    def make_null_session(self, settings: Settings) -> NullSession:
        """Return what stands in for a session where there can be none."""
        return self.null_session_class(settings)

    def is_null_session(self, obj: object) -> bool:
        """Tell whether an object is such a stand-in; it is never saved."""
        return isinstance(obj, self.null_session_class)

    def validate_session(self, settings: Settings, session: Any) -> bool:
        """Tell whether a session that opened may be used: the hook for revocation.

        To log a user out everywhere, compare ``session.created`` with a time kept beside the user.
        """
        return True

    def cookie_rejected(self, settings: Settings, request: Request, reason: RejectReason) -> None:
        """Take note of a cookie that was refused. It is left with the browser until something is written."""
        get_logger().info("session cookie refused: %s", reason)

    def now(self) -> float:
        """Return the time in seconds since 1970: the only clock."""
        return time.time()

    # -- the policy

    def get_cookie_name(self, settings: Settings, request: Request) -> str:
        """Return the cookie's name."""
        return settings.cookie_name

    def get_cookie_domain(self, settings: Settings, request: Request) -> str | None:
        """Return the Domain, with or without a leading dot; ``None``: this host only."""
        return settings.cookie_domain

    def get_cookie_path(self, settings: Settings, request: Request) -> str:
        """Return the Path."""
        return settings.cookie_path

    def get_cookie_httponly(self, settings: Settings, request: Request) -> bool:
        """Return whether scripts are kept from the cookie."""
        return settings.cookie_httponly

    def get_cookie_secure(self, settings: Settings, request: Request) -> bool:
        """Return whether the cookie travels by https only: as set, else as this request came."""
        secure = settings.cookie_secure
        return self._came_by_https(request) if secure is None else secure

    def get_cookie_samesite(self, settings: Settings, request: Request) -> str | None:
        """Return ``"Strict"``, ``"Lax"``, ``"None"``, or ``None`` to leave it out."""
        return settings.cookie_samesite

    def get_cookie_partitioned(self, settings: Settings, request: Request) -> bool:
        """Return whether the cookie is kept apart for each top-level site (CHIPS)."""
        return settings.cookie_partitioned

    def get_expiration_time(self, settings: Settings, request: Request, session: Any) -> datetime | None:
        """Return when the browser drops the cookie; ``None``: when it closes."""
        if not session.permanent:
            return None
        now = int(self.now())
        created = now if session.created is None else int(session.created.timestamp())
        return datetime.fromtimestamp(settings.lifetimes.permanent.expires(created, now), UTC)

    def should_set_cookie(self, settings: Settings, request: Request, session: Any) -> bool:
        """Tell whether the cookie is written: the session has changed, or its token is due to be issued anew."""
        return bool(session.modified or session.stale)

    # -- the cookie

    def set_cookie(self, settings: Settings, session: Any, response: Response, value: str) -> None:
        """Set the cookie, with its policy, ``Vary`` and ``Cache-Control``.

        :param value: printable ASCII without blanks, quotes, ``,``, ``;`` and backslash
        :raises CookieTooLarge: name and value are more than 4096 bytes
        :raises SettingsError: a policy method's answer breaks a rule of cookies
        """
        request: Request = response.request  # type: ignore[assignment]  # the middleware has set it
        policy = self._get_policy(settings, request)
        size = len(policy[0]) + len(value)
        if size > MAX_COOKIE:
            raise too_large(session, f"{size} bytes of cookie, {MAX_COOKIE} are allowed")
        expires = self.get_expiration_time(settings, request, session)
        if expires is None:
            line = format_cookie(policy, value, None, 0)
        else:
            line = format_cookie(policy, value, int(expires.timestamp()), int(self.now()))
        self._write(response, policy, line)

    def delete_cookie(self, settings: Settings, session: Any, response: Response) -> None:
        """Delete the cookie, with its policy, ``Vary`` and ``Cache-Control``."""
        request: Request = response.request  # type: ignore[assignment]
        policy = self._get_policy(settings, request)
        self._write(response, policy, format_deletion(policy))

    def leave_cookie(self, response: Response) -> None:
        """Leave the cookie as it is; the response depended on it all the same."""
        headers = response.headerlist
        add_vary(headers, find_names(headers))

    def _write(self, response: Response, policy: PolicyFields, line: str) -> None:
        headers = response.headerlist
        names = find_names(headers)
        if "set-cookie" in names and _sets_cookie(headers, policy[0]):
            self._warn_once("the application sets a cookie of its own under the session cookie's name; rename one")
        headers.append(("Set-Cookie", line))
        add_vary(headers, names)
        shared = add_private(headers, names)
        if shared is not None:
            self._warn_once(
                "a response with a session cookie says 'Cache-Control: %s', so that a shared cache may hand it to"
                " others; say 'private', or leave the session alone there",
                shared,
            )

    def _get_policy(self, settings: Settings, request: Request) -> PolicyFields:
        return (
            self.get_cookie_name(settings, request),
            self.get_cookie_domain(settings, request),
            self.get_cookie_path(settings, request),
            self.get_cookie_httponly(settings, request),
            self.get_cookie_secure(settings, request),
            self.get_cookie_samesite(settings, request),
            self.get_cookie_partitioned(settings, request),
        )

    def _came_by_https(self, request: Request) -> bool:
        environ = request.environ
        scheme: str = environ["wsgi.url_scheme"]
        if scheme == "http" and environ.get("HTTP_X_FORWARDED_PROTO") == "https":
            self._warn_once(
                "a proxy says 'X-Forwarded-Proto: https', but the server says http, so the session cookie goes out"
                " without Secure; have the server trust the proxy, or set SESSION_COOKIE_SECURE to True"
            )
        return scheme == "https"

    # -- said once

    @cached_property
    def _said(self) -> set[str]:
        return set()

    def _warn_once(self, message: str, *values: str) -> None:
        if message not in self._said:  # without its values, of which there may be any number
            self._said.add(message)
            get_logger().warning(message, *values)


def _sets_cookie(headers: Headers, name: str) -> bool:
    lines = (value.lstrip() for field, value in headers if field.lower() == "set-cookie")
    return any(line.startswith(name + "=") for line in lines)


def too_large(session: Any, problem: str) -> CookieTooLarge:
    """Return the error that names the biggest keys of a session."""
    sizes = sorted(((len(repr(value)), key) for key, value in session.items()), reverse=True)[:3]
    biggest = ", ".join(f"{key!r} (about {size})" for size, key in sizes)
    return CookieTooLarge(f"the session is too large: {problem}; the biggest keys: {biggest}; keep ids instead of data")
