"""The peers, each wrapped as thinly as it permits, in its own favour where there is a choice.

Every function takes the `Action` of the application and makes a WSGI application. Packages are imported inside, so that
a missing one takes out its contestant only. All have the same lifetime, and SHA-256 where it can be chosen (Beaker's is
SHA-1). A framework answers with its own response where its sessions need one, with the bare answer where they do not.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import json
import time
import urllib.parse
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from unittest import mock

from .application import BODY, CONTENT_TYPE, COOKIE_NAME, LIFETIME, SECRET_KEY, STATUS, Action, bare

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def flask(action: Action) -> WSGIApplication:
    """Open and save with Flask's interface, between a werkzeug Request and Response."""
    from flask import Flask
    from flask.sessions import SecureCookieSessionInterface
    from werkzeug import Request, Response

    class Interface(SecureCookieSessionInterface):
        digest_method = staticmethod(hashlib.sha256)

    app, interface, run = Flask("benchmark"), Interface(), action.run
    app.config.update(SECRET_KEY=SECRET_KEY, PERMANENT_SESSION_LIFETIME=LIFETIME, SESSION_COOKIE_SAMESITE="Lax")

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session = interface.open_session(app, Request(environ))  # type: ignore[arg-type]  # of werkzeug, as Flask's are
        if run is not None:
            run(session)
        response = Response(BODY, content_type=CONTENT_TYPE)
        interface.save_session(app, session, response)  # type: ignore[arg-type]  # likewise
        return response(environ, start_response)

    return application


def beaker(action: Action) -> WSGIApplication:
    """Stand inside Beaker's middleware, with a signed JSON cookie; it must be told to save."""
    from beaker.middleware import SessionMiddleware

    run, writes = action.run, action.writes

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if run is not None:
            session = environ["beaker.session"]
            run(session)
            if writes:
                session.save()
        return bare(environ, start_response)

    settings = {
        "session.type": "cookie",
        "session.key": COOKIE_NAME,
        "session.validate_key": SECRET_KEY,
        "session.data_serializer": "json",
        "session.timeout": LIFETIME,
        "session.httponly": True,
    }
    wrapped: WSGIApplication = SessionMiddleware(application, settings)
    return wrapped


def pyramid(action: Action, reissue_time: int = 0) -> WSGIApplication:
    """Make Pyramid's Request, its session if it is asked for, and its Response if the session wants to set a cookie."""
    from pyramid.request import Request
    from pyramid.response import Response
    from pyramid.session import SignedCookieSessionFactory

    run = action.run
    open_session = SignedCookieSessionFactory(
        SECRET_KEY, hashalg="sha256", timeout=LIFETIME, reissue_time=reissue_time, httponly=True
    )

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        if run is not None:
            run(open_session(request))
        if not request.response_callbacks:
            return bare(environ, start_response)
        response = Response(BODY, content_type="text/plain")
        request._process_response_callbacks(response)
        body: Iterable[bytes] = response(environ, start_response)
        return body

    return application


def pyramid_120(action: Action) -> WSGIApplication:
    """As `pyramid`, but sign again only cookies that are two minutes old, as its manual advises."""
    return pyramid(action, reissue_time=120)


def django(action: Action) -> WSGIApplication:
    """Stand inside Django's session middleware, between its request and its response, without its handler."""
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            SECRET_KEY=SECRET_KEY,
            SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
            SESSION_COOKIE_NAME=COOKIE_NAME,
            SESSION_COOKIE_AGE=LIFETIME,
            SESSION_EXPIRE_AT_BROWSER_CLOSE=True,
        )
    from django.contrib.sessions.middleware import SessionMiddleware
    from django.core.handlers.wsgi import WSGIRequest
    from django.http import HttpResponse

    run = action.run

    def view(request: Any) -> Any:
        if run is not None:
            run(request.session)
        return HttpResponse(BODY, content_type=CONTENT_TYPE)

    middleware = SessionMiddleware(view)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response: Any = middleware(WSGIRequest(environ))
        cookies = [("Set-Cookie", cookie.OutputString()) for cookie in response.cookies.values()]
        start_response(STATUS, [*response.items(), *cookies])
        body: Iterable[bytes] = response
        return body

    return application


def starlette(action: Action) -> WSGIApplication:
    """Drive Starlette's middleware by hand, with the smallest scope it accepts: no loop, no server."""
    from itsdangerous import TimestampSigner
    from starlette.middleware.sessions import SessionMiddleware

    run = action.run

    async def view(scope: Any, receive: Any, send: Any) -> None:
        if run is not None:
            run(scope["session"])
        headers = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", b"3")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODY})

    middleware: Any = SessionMiddleware(view, SECRET_KEY, max_age=LIFETIME)
    middleware.signer = TimestampSigner(SECRET_KEY, digest_method=hashlib.sha256)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        messages: list[Any] = []

        async def send(message: Any) -> None:
            messages.append(message)

        cookie = environ.get("HTTP_COOKIE")
        headers = [(b"cookie", cookie.encode("latin-1"))] if cookie else []
        with suppress(StopIteration):
            middleware({"type": "http", "headers": headers}, None, send).send(None)
        head, body = messages
        start_response(STATUS, [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head["headers"]])
        return [body["body"]]

    return application


def import_secure_cookie() -> ModuleType:
    """Import secure-cookie, lending it the four names that werkzeug has dropped since its last release."""
    import werkzeug.security
    import werkzeug.urls
    import werkzeug.utils

    with (
        mock.patch.object(werkzeug.security, "safe_str_cmp", hmac.compare_digest, create=True),
        mock.patch.object(werkzeug.urls, "url_quote_plus", urllib.parse.quote_plus, create=True),
        mock.patch.object(werkzeug.urls, "url_unquote_plus", urllib.parse.unquote_plus, create=True),
        mock.patch.object(werkzeug.utils, "detect_utf_encoding", json.detect_encoding, create=True),
    ):
        return importlib.import_module("secure_cookie.cookie")


def secure_cookie(action: Action) -> WSGIApplication:
    """Load and save with secure-cookie, between a werkzeug Request and Response of today, which take no bytes."""
    from werkzeug import Request, Response

    module: Any = import_secure_cookie()

    class Cookie(module.SecureCookie):  # type: ignore[misc]  # known at run time only
        hash_method = staticmethod(hashlib.sha256)

        def serialize(self, expires: Any = None) -> str:
            return str(super().serialize(expires).decode())

    run = action.run

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session = Cookie.load_cookie(Request(environ), COOKIE_NAME, SECRET_KEY)
        if run is not None:
            run(session)
        response = Response(BODY, content_type=CONTENT_TYPE)
        if session.should_save:
            session.save_cookie(response, COOKIE_NAME, session_expires=int(time.time()) + LIFETIME, httponly=True)
        return response(environ, start_response)

    return application


def bottle(action: Action) -> WSGIApplication:
    """Keep the session, as JSON text, in Bottle's signed cookie (inside, it pickles the text); it knows no lifetime."""
    from bottle import BaseRequest, BaseResponse

    run, writes = action.run, action.writes

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = BaseRequest(environ)
        if run is None:
            return bare(environ, start_response)
        session = json.loads(request.get_cookie(COOKIE_NAME, "{}", SECRET_KEY))
        run(session)
        if not writes:
            return bare(environ, start_response)
        response = BaseResponse(BODY, content_type=CONTENT_TYPE)
        text = json.dumps(session, separators=(",", ":"))
        response.set_cookie(COOKIE_NAME, text, SECRET_KEY, path="/", httponly=True, samesite="lax")
        start_response(STATUS, response.headerlist)
        return [BODY]

    return application
