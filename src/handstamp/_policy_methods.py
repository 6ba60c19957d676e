"""CookiePolicyMethods: one method for each decision about the cookie and its response.

The names are those of Flask's ``sessions.py``. The settings stand where Flask passes the application. Because WSGI
has no request context, each method gets the request.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from functools import cached_property

from webob import Request

from ._caching import add_private, forbids_sharing
from ._session import SessionMixin
from ._settings import Settings
from ._warnings import UNTOLD_HTTPS, find_https_claim

logger = logging.getLogger("handstamp")


class CookiePolicyMethods:
    """Answer for each attribute of the cookie: on setting, on deleting and, for the name, on reading.

    A method may answer differently at each call. Overriding one changes exactly its own attribute.
    """

    def now(self) -> float:
        """Return the time in seconds since 1970: the only clock."""
        return time.time()

    def get_cookie_name(self, settings: Settings, request: Request) -> str:
        """Return the cookie's name."""
        return settings.cookie_policy.name

    def get_cookie_domain(self, settings: Settings, request: Request) -> str | None:
        """Return the Domain, with or without a leading dot; ``None``: the request's host only."""
        return settings.cookie_policy.domain

    def get_cookie_path(self, settings: Settings, request: Request) -> str:
        """Return the Path."""
        return settings.cookie_policy.path

    def get_cookie_httponly(self, settings: Settings, request: Request) -> bool:
        """Return whether scripts cannot read the cookie."""
        return settings.cookie_policy.httponly

    def get_cookie_secure(self, settings: Settings, request: Request) -> bool:
        """Return the setting; if it is ``None``, return whether this request came over https."""
        secure = settings.cookie_policy.secure
        return self._came_by_https(request) if secure is None else secure

    def get_cookie_samesite(self, settings: Settings, request: Request) -> str | None:
        """Return ``"Strict"``, ``"Lax"``, ``"None"``, or ``None`` to leave it out."""
        return settings.cookie_policy.samesite

    def get_cookie_partitioned(self, settings: Settings, request: Request) -> bool:
        """Return whether the cookie is kept apart for each top-level site (CHIPS)."""
        return settings.cookie_policy.partitioned

    def get_expiration_time(self, settings: Settings, request: Request, session: SessionMixin) -> datetime | None:
        """Return when the browser drops the cookie; ``None``: when it closes."""
        if not session.permanent:
            return None
        now = int(self.now())
        created = now if session.created is None else int(session.created.timestamp())
        return datetime.fromtimestamp(settings.limits_of(session).find_end(created, now), UTC)

    def should_set_cookie(self, settings: Settings, request: Request, session: SessionMixin) -> bool:
        """Return whether the cookie is written: the session was modified, or its token needs a reissue."""
        return session.modified or session.needs_reissue

    def get_cache_control(
        self,
        settings: Settings,
        request: Request,
        session: SessionMixin,
        cache_control: str | None,
        *,
        sets_cookie: bool,
    ) -> str | None:
        """Return the ``Cache-Control`` of a response that depends on the session.

        With the session's cookie, a response must not be stored by shared caches (RFC 9111 7.3). Without it the
        application's own word counts; if there is none, what was read from a session is kept from caches that ignore
        ``Vary``. An anonymous page stays as it is.

        :param cache_control: the application's own; ``None``: there is none
        :param sets_cookie: whether the response sets or deletes the cookie
        :returns: the directives as one list; ``None``: no ``Cache-Control``
        """
        if not session.is_available:
            return "no-store"  # the page shows that the store is down, or nobody's data in the place of a visitor's
        if cache_control is None:
            return "private" if sets_cookie or session.is_existing else None
        return cache_control if not sets_cookie or forbids_sharing(cache_control) else add_private(cache_control)

    def _came_by_https(self, request: Request) -> bool:
        environ = request.environ
        scheme: str = environ["wsgi.url_scheme"]
        claim = find_https_claim(environ) if scheme == "http" else None
        if claim is not None:
            self.warn_once(UNTOLD_HTTPS, claim)
        return scheme == "https"

    # -- warnings

    @cached_property
    def _warned(self) -> set[str]:
        return set()

    def warn_once(self, message: str, *values: str | None) -> None:
        if message not in self._warned:  # without its values, of which there may be any number
            self._warned.add(message)
            logger.warning(message, *values)
