"""SessionMiddleware: wraps a WSGI application, and opens the session of each request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from webob import Request

from ._earlier import EarlierCookies
from ._exchange import Exchange
from ._hidden import discreet, empty_frames
from ._interface import SessionInterface
from ._keys import NEW_KEY
from ._policy_methods import logger
from ._settings import Settings, SettingsDict
from ._signed import SecureCookieSessionInterface
from ._token_based import TokenSessionInterface
from ._webob import SessionRequest
from .exceptions import SessionError

#: Where the environ holds the middlewares that have opened a session in it, the outermost first.
_OUTER = "handstamp.middlewares"


class SessionMiddleware:
    """Wrap a WSGI application, which finds its session in ``environ["session"]``.

    :param app: any WSGI application
    :param settings: a dict with the keys of the table in the README, among others, or ready :class:`Settings`
    :param session_interface: opens and saves sessions; it may be assigned later, as in Flask
    :param environ_key: where the application finds the session
    :raises SettingsError: lists every problem of the settings with its cure

    >>> def app(environ, start_response):
    ...     session = environ["session"]
    ...     session["visits"] = session.get("visits", 0) + 1
    ...     start_response("200 OK", [("Content-Type", "text/plain")])
    ...     return [f"visit {session['visits']}".encode()]
    >>> app = SessionMiddleware(app, {"SECRET_KEY": "the key of an example"})
    """

    @discreet
    def __init__(
        self,
        app: WSGIApplication,
        settings: SettingsDict | Mapping[str, Any] | Settings | None = None,
        *,
        session_interface: SessionInterface[Any] | None = None,
        environ_key: str = "session",
    ) -> None:
        self.app = app
        self.settings: Settings = settings if isinstance(settings, Settings) else Settings(settings or {})
        self.session_interface: SessionInterface[Any] = (
            SecureCookieSessionInterface() if session_interface is None else session_interface
        )
        self.environ_key = environ_key
        self._alone = (self,)  # what most requests put into their environ
        self._has_warned = False
        if not self.settings.key_ring and isinstance(self.session_interface, TokenSessionInterface):
            logger.warning("SECRET_KEY is not set, so sessions are unavailable; %s", NEW_KEY)
        self.session_interface.check_settings(self.settings)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Open the session, call the application, and save the session with the headers of its response."""
        key = self.environ_key
        interface = self.session_interface
        request: Request = SessionRequest(environ)
        try:
            if _OUTER in environ or key in environ:
                request = self._look_around(request)
            else:
                environ[_OUTER] = self._alone
            session = interface.open_session(self.settings, request)
            if session is None:
                session = interface.make_null_session(self.settings)
        except BaseException as error:
            empty_frames(error)
            del self, environ, start_response, request, interface  # they lead to the Cookie header
            raise
        environ[key] = session
        exchange = Exchange(interface, self.settings, request, session, start_response)
        try:
            return exchange.answer(self.app(environ, exchange.start_response))
        except BaseException as error:
            if type(error) is StopIteration:  # tells gunicorn that the application has taken the connection over
                exchange.warn_if_lost()
            exchange.abandon()
            empty_frames(error)
            del self, environ, start_response, request, interface, session, exchange
            raise

    # -- company: other middlewares, and other calls with the same environ

    def _look_around(self, request: Request) -> Request:
        """Check what the environ holds already, and return the request that the session is to be opened with."""
        environ = request.environ
        outer = [middleware for middleware in environ.get(_OUTER, ()) if middleware.is_open(environ)]
        for middleware in outer:
            self._check_names(middleware, request)
        self._check_key(environ)
        environ[_OUTER] = (*outer, self)
        # A retry or an error document calls down again with the same environ, once the first exchange is over.
        earlier = environ.get(EarlierCookies.KEY)
        return request if earlier is None else SessionRequest(earlier.update_environ(environ))

    def is_open(self, environ: WSGIEnvironment) -> bool:
        """Return whether this middleware has opened a session in an environ, and has not sent its headers yet."""
        return getattr(environ.get(self.environ_key), "committed", True) is False

    def _check_names(self, outer: SessionMiddleware, request: Request) -> None:
        if outer.environ_key == self.environ_key:
            raise SessionError(
                f"environ[{self.environ_key!r}] holds an open session: two SessionMiddleware wrap the application;"
                " remove one, or give one another environ_key and another SESSION_COOKIE_NAME"
            )
        name = self.session_interface.get_cookie_name(self.settings, request)
        if name == outer.session_interface.get_cookie_name(outer.settings, request):
            raise SessionError(
                f"two SessionMiddleware wrap the application, and both call their cookie {name!r}, so that each would"
                " overwrite the other's; remove one, or give one another SESSION_COOKIE_NAME"
            )

    def _check_key(self, environ: WSGIEnvironment) -> None:
        key = self.environ_key
        if key in environ and not hasattr(environ[key], "committed") and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "environ[%r] holds a %s of another middleware, which the session replaces; give SessionMiddleware"
                " another environ_key",
                key,
                type(environ[key]).__name__,
            )
