"""SessionMiddleware: wraps a WSGI application, and opens the session of each request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from ._exchange import Exchange
from ._hidden import discreet, empty_frames
from ._interface import SessionInterface, logger
from ._keys import NEW_KEY
from ._settings import Settings, SettingsDict
from ._signed import SecureCookieSessionInterface
from ._token_based import TokenSessionInterface
from ._webob import SessionRequest
from .exceptions import SessionError


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
        if not self.settings.key_ring and isinstance(self.session_interface, TokenSessionInterface):
            logger.warning("SECRET_KEY is not set, so sessions are unavailable; %s", NEW_KEY)
        self.session_interface.check_settings(self.settings)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Open the session, call the application, and save the session with the headers of its response."""
        key = self.environ_key
        # A retry or an error document may call down again with the same environ, once the first exchange is over.
        if key in environ and getattr(environ[key], "committed", True) is False:
            del self, environ, start_response  # they lead to the Cookie header
            raise SessionError(f"environ[{key!r}] holds an open session; give one of the two another environ_key")
        request = SessionRequest(environ)
        interface = self.session_interface
        try:
            session = interface.open_session(self.settings, request)
            if session is None:
                session = interface.make_null_session(self.settings)
        except BaseException as error:
            empty_frames(error)
            del self, environ, start_response, request, interface
            raise
        environ[key] = session
        exchange = Exchange(interface, self.settings, request, session, start_response)
        try:
            return exchange.answer(self.app(environ, exchange.start_response))
        except BaseException as error:
            exchange.abandon()
            empty_frames(error)
            del self, environ, start_response, request, interface, session, exchange
            raise
