"""Applications that do to their visitors what the load must find."""

from __future__ import annotations

import os
from typing import Any

from plain import app

from handstamp import SecureCookieSessionInterface, SessionMiddleware

SETTINGS = {"SECRET_KEY": os.environ["SECRET_KEY"]}


class Mixed(SecureCookieSessionInterface):
    """Hands every visitor the session of the one before."""

    before: Any = None

    def open_session(self, settings: Any, request: Any) -> Any:
        own = super().open_session(settings, request)
        found, self.before = self.before or own, own
        return found


class Forgetful(SecureCookieSessionInterface):
    """Reads no cookie."""

    def open_session(self, settings: Any, request: Any) -> Any:
        request.environ.pop("HTTP_COOKIE", None)
        return super().open_session(settings, request)


none = SessionMiddleware(app, SETTINGS)
mixed_up = SessionMiddleware(app, SETTINGS, session_interface=Mixed())
forgotten = SessionMiddleware(app, SETTINGS, session_interface=Forgetful())
a_cookie_too_many = SessionMiddleware(app, {**SETTINGS, "SESSION_REFRESH_INTERVAL": 0})
an_error = SessionMiddleware(app)
