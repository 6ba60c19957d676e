"""One way to visit a session in a store, whichever library keeps it: an action in, its result and the cookie out.

Each library stands in as thin a site as it permits; packages are imported inside, so that a missing one takes out no
more than its own site.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from handstamp import SessionMiddleware
from handstamp.serverside import ServerSideSessionInterface
from handstamp.stores import Store
from tests.support.constants import DAY, KEY
from tests.support.wsgi import TEXT, make_environ

NAME = "session"
LIFETIME = 31 * DAY

Run = Callable[[Any], None]
Site = Callable[[Run, str], Any]


class Client:
    """Somebody with at most one cookie, at a site of their own process; quicker than the visitors of other tests.

    :param site: makes the site of one library
    :param url: where its sessions are kept
    """

    def __init__(self, site: Site, url: str) -> None:
        self.app = site(self._run, url)
        self.cookie = ""
        self._action: Callable[[Any], Any] = bool
        self._result: Any = None

    def visit(self, action: Callable[[Any], Any]) -> Any:
        """Have the site do something with the session; keep the cookie that comes back."""
        self._action = action
        environ = make_environ(**({"HTTP_COOKIE": self.cookie} if self.cookie else {}))
        body = self.app(environ, self._start_response)
        try:
            b"".join(body)
        finally:
            if hasattr(body, "close"):
                body.close()
        return self._result

    def _run(self, session: Any) -> None:
        self._result = self._action(session)

    def _start_response(self, status: str, headers: Iterable[tuple[str, str]], exc_info: Any = None) -> Any:
        if not status.startswith("200"):
            raise RuntimeError(f"the site answers {status}")
        for name, value in headers:
            pair = value.partition(";")[0].strip()
            if name.lower() == "set-cookie" and pair.startswith(f"{NAME}="):
                self.cookie = pair if pair != f"{NAME}=" else ""
        return bytes


# -- sites ------------------------------------------------------------------------------------------------------------


def make_store(url: str) -> Store:
    """Return the store that keeps sessions at a url: of Redis, or of a database as SQLAlchemy writes it."""
    if url.startswith("redis:"):
        from redis import Redis

        from handstamp.stores.redis import RedisStore

        return RedisStore(Redis.from_url(url, socket_timeout=10))
    from sqlalchemy import create_engine

    from handstamp.stores.sqlalchemy import SQLAlchemyStore

    return SQLAlchemyStore(create_engine(url))


def handstamp(run: Run, url: str) -> Any:
    """Stand inside our middleware."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        run(environ["session"])
        start_response("200 OK", TEXT)
        return [b"done"]

    return SessionMiddleware(app, {"SECRET_KEY": KEY}, session_interface=ServerSideSessionInterface(make_store(url)))


def flask_session(run: Run, url: str) -> Any:
    """Open and save with Flask-Session's interface for Redis, between a werkzeug Request and Response."""
    from flask import Flask
    from flask_session import Session
    from redis import Redis
    from werkzeug import Request, Response

    app = Flask("site")
    redis = Redis.from_url(url, socket_timeout=10)
    app.config.update(SECRET_KEY=KEY, SESSION_TYPE="redis", SESSION_REDIS=redis, PERMANENT_SESSION_LIFETIME=LIFETIME)
    Session(app)
    interface: Any = app.session_interface

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        with app.app_context():
            session = interface.open_session(app, Request(environ))
            run(session)
            response = Response(b"done", content_type="text/plain")
            interface.save_session(app, session, response)
        return response(environ, start_response)

    return application


def beaker(run: Run, url: str) -> Any:
    """Stand inside Beaker's middleware, which saves by itself what has changed."""
    from beaker.middleware import SessionMiddleware as BeakerMiddleware

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        run(environ["beaker.session"])
        start_response("200 OK", list(TEXT))
        return [b"done"]

    settings = {"session.type": "ext:redis", "session.url": url, "session.key": NAME, "session.timeout": LIFETIME}
    return BeakerMiddleware(app, {**settings, "session.auto": True, "session.data_serializer": "json"})


def django(run: Run, url: str) -> Any:
    """Stand inside Django's session middleware over its cache in Redis, between its request and its response."""
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            SECRET_KEY=KEY,
            CACHES={"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}},
            SESSION_ENGINE="django.contrib.sessions.backends.cache",
            SESSION_COOKIE_NAME=NAME,
            SESSION_COOKIE_AGE=LIFETIME,
        )
    from django.contrib.sessions.middleware import SessionMiddleware as DjangoMiddleware
    from django.core.handlers.wsgi import WSGIRequest
    from django.http import HttpResponse

    def view(request: Any) -> Any:
        run(request.session)
        return HttpResponse(b"done", content_type="text/plain")

    middleware = DjangoMiddleware(view)

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        response: Any = middleware(WSGIRequest(environ))
        cookies = [("Set-Cookie", cookie.OutputString()) for cookie in response.cookies.values()]
        start_response("200 OK", [*response.items(), *cookies])
        body: Iterable[bytes] = response
        return body

    return application


#: By the name that the command line gives them.
SITES: dict[str, Site] = {"handstamp": handstamp, "flask-session": flask_session, "beaker": beaker, "django": django}


def end(session: Any) -> None:
    """End a session as its library's manual has it."""
    for name in ("flush", "delete", "invalidate", "clear"):
        if hasattr(session, name):
            getattr(session, name)()
            return
    raise TypeError(f"{type(session).__name__} cannot be ended")
